"""A wire protocol of somebody's own, held to its contract: every call of it is guarded, all that it gives is checked.

The code of such a protocol runs in this process and with its rights; nothing here can keep it from opening a socket or
a file. What can be held is that it never stands between a request and a gate: it makes bytes and reads bytes, the
sender sends them and checks them at egress, and whatever it does wrong becomes `provider_protocol`.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from smista_mcp.core.plugin import type_name
from smista_mcp.core.values import Effort
from smista_mcp.errors import Cause, Code, ProviderError
from smista_mcp.providers import wirejson
from smista_mcp.providers.base import (
    INTERFACE,
    CompletionRequest,
    Decoder,
    Event,
    Finished,
    Message,
    TextDelta,
    ToolCall,
    Usage,
    WireProtocol,
    WireRequest,
)
from smista_mcp.providers.failures import error_of, not_of_protocol, quoted, retry_after_s, status_error
from smista_mcp.providers.heads import STAND_IN, body_fault, head_fault, key_headers, still_headers, still_wire
from smista_mcp.providers.lines import MAX_BODY
from smista_mcp.providers.toolwire import MAX_CALL_BYTES, MAX_CALLS

T = TypeVar("T")
Quietly = Callable[[], AbstractContextManager[None]]
"""Makes what is printed meanwhile go where it does no harm."""

_CALLED = ("encode", "decoder", "authorization", "failure")
_MAX_WORDS = 2000
_MAX_WORD = 64
_STOPS = frozenset(("stop", "length", "tool_calls", "content_filter", "unknown"))
_CAUSES = {
    Code.PROVIDER_UNAVAILABLE: Cause.SERVER_ERROR,
    Code.PROVIDER_TIMEOUT: Cause.GATEWAY_TIMEOUT,
    Code.PROVIDER_RATE_LIMITED: Cause.RATE_LIMITED,
    Code.PROVIDER_AUTH: Cause.AUTH,
    Code.PROVIDER_INVALID_REQUEST: Cause.BAD_REQUEST,
    Code.PROVIDER_PROTOCOL: Cause.MALFORMED,
    Code.UNKNOWN_MODEL: Cause.NO_SUCH_MODEL,
    Code.CONTEXT_WINDOW_EXCEEDED: Cause.CONTEXT_TOO_LONG,
}
"""The codes that a protocol may give a failure, each with what it stands for."""
_IN_STREAM = {
    Code.PROVIDER_UNAVAILABLE: Cause.STREAM_ERROR,
    Code.PROVIDER_TIMEOUT: Cause.STREAM_ERROR,
    Code.PROVIDER_RATE_LIMITED: Cause.STREAM_ERROR,
    Code.PROVIDER_AUTH: Cause.STREAM_REFUSAL,
    Code.PROVIDER_INVALID_REQUEST: Cause.STREAM_REFUSAL,
}
"""What they stand for inside an answer that began well, where that differs."""


class Unfit(Exception):
    """What is offered as a protocol cannot be used as one; `what` goes on after its name."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def contracted(found: object, shown: str, quietly: Quietly = nullcontext) -> "Contracted":
    """What a package offers, as a protocol that dispatch can speak.

    Args:
        found: what its entry point names.
        shown: what people call it, for the words of an error.
        quietly: wraps every call of it.

    Raises:
        Unfit: it does not have the members of `base.WireProtocol`, is of another version of that interface, or its
            words or the headers for a key are none.
    """
    try:
        with _guarded(quietly):
            version: object = getattr(found, "interface", None)
            missing = [name for name in _CALLED if not callable(getattr(found, name, None))]
            words: object = getattr(found, "words", None)
    except _Misbehaved as error:
        raise Unfit(f"cannot be looked at ({error})") from None
    if type(version) is not int:
        raise Unfit(f"does not say which interface it was written for: `interface = {INTERFACE}`")
    if version != INTERFACE:
        raise Unfit(f"was written for interface {version}, and this smista-mcp has interface {INTERFACE}")
    if missing:
        raise Unfit(f"has no {' and no '.join(f'`{name}`' for name in missing)}")
    if not _are_words(words):
        raise Unfit(f"has `words` that are no frozenset of at most {_MAX_WORDS} words without white space")
    protocol = cast("WireProtocol", found)
    try:
        with _guarded(quietly):
            headers = still_headers(protocol.authorization(STAND_IN))
    except _Misbehaved as error:
        raise Unfit(f"cannot make the headers of a key ({error})") from None
    carrying = key_headers(headers)
    if isinstance(carrying, str):
        raise Unfit(f"makes headers of a key that {carrying}")
    return Contracted(shown, cast("frozenset[str]", words), protocol, carrying, quietly)


def _are_words(words: object) -> bool:
    if type(words) is not frozenset:
        return False
    found = cast("frozenset[object]", words)
    return len(found) <= _MAX_WORDS and all(map(_is_word, found))


def _is_word(word: object) -> bool:
    return type(word) is str and 0 < len(word) <= _MAX_WORD and word.isprintable() and word.split() == [word]


@dataclass(frozen=True, slots=True)
class Contracted:
    """A protocol that keeps to its contract, whatever the one inside does.

    Attributes:
        shown: what people call it.
        words: of the protocol, as they were when it was loaded.
    """

    shown: str
    words: frozenset[str]
    _inner: WireProtocol = field(repr=False)
    _carrying: Mapping[str, str] = field(repr=False)
    _quietly: Quietly = field(repr=False, default=nullcontext)
    interface: int = INTERFACE

    def encode(self, request: CompletionRequest) -> WireRequest:
        """Raises `provider_protocol`, nothing sent, where what was made may not leave."""
        blank = replace(_BLANK, model=request.model)
        try:
            with _guarded(self._quietly):
                given, plain = still_wire(self._inner.encode(request)), still_wire(self._inner.encode(blank))
        except _Misbehaved as error:
            raise self._broken(f"could not make a request ({error})") from None
        fault = head_fault(given) or head_fault(plain)
        if fault:
            raise self._broken(f"made a request that {fault}")
        made, plain = cast("WireRequest", given), cast("WireRequest", plain)
        if (made.path, made.headers) != (plain.path, plain.headers):
            raise self._broken("made a request whose path or headers depend on more than the model")
        fault = body_fault(made.body, request)
        if fault:
            raise self._broken(f"made a request that {fault}")
        return made

    def decoder(self, request: CompletionRequest) -> Decoder:
        try:
            with _guarded(self._quietly):
                return _ContractedDecoder(self.shown, self._inner.decoder(request), self._quietly)
        except _Misbehaved as error:
            raise self._broken(f"could not begin to read an answer ({error})") from None

    def authorization(self, key: str) -> Mapping[str, str]:
        """The key is put where the protocol wants it; the protocol itself never gets it."""
        return {name: value.replace(STAND_IN, key) for name, value in self._carrying.items()}

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """As the protocol reads it; where it cannot, as any answer of that status is read."""
        standard = status_error(status, headers, error_of(body), now=now)
        try:
            with _guarded(self._quietly):
                told: object = self._inner.failure(status, dict(headers), body, now=now)
        except _Misbehaved:
            return standard
        code = _code_of(told) if type(told) is ProviderError else None
        if type(told) is not ProviderError or code is None or code is standard.code:
            return standard
        error = ProviderError(
            f"the provider answered {status}",
            code=code,
            status=status,
            retry_after_s=retry_after_s(headers, now=now),
            # who says that nothing was charged has to be the status, not the protocol
            sent=standard.sent or code is Code.PROVIDER_TIMEOUT,
            cause=_CAUSES[code],
        )
        return error.saying(_said(told))

    def _broken(self, what: str) -> ProviderError:
        fix = "mend the package that offers it, or name another model"
        return ProviderError(f"{self.shown} {what}", code=Code.PROVIDER_PROTOCOL, fix=fix, cause=Cause.MALFORMED)


_BLANK = CompletionRequest("", (Message("user", "?"),), Effort.LOW)
"""A request that says nothing: what stands in its path and headers holds nothing of any other."""


class _Misbehaved(Exception):
    """The code of a package has raised what its contract does not know; the text is the type of that."""


class _guarded:  # noqa: N801  used as a function
    """Runs code of somebody else's: whatever it raises is `_Misbehaved`.

    Args:
        quietly: wraps it.
        documented: whether a `ProviderError` is among what it may raise, and comes through.
    """

    def __init__(self, quietly: Quietly, *, documented: bool = False) -> None:
        self._quiet = quietly()
        self._documented = documented
        self._depth = sys.getrecursionlimit()

    def __enter__(self) -> None:
        self._quiet.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._quiet.__exit__(None, None, None)
        if sys.getrecursionlimit() != self._depth:
            sys.setrecursionlimit(self._depth)
        # also KeyboardInterrupt: the loop that this runs in takes a person's Ctrl-C as a signal, never as an exception
        if error is not None and not (self._documented and type(error) is ProviderError):
            raise _Misbehaved(type_name(error)) from None


def _code_of(error: ProviderError) -> Code | None:
    """Its code, if it is one that a protocol may give."""
    code: object = error.__dict__.get("code", Code.PROVIDER_PROTOCOL)
    return code if isinstance(code, Code) and code in _CAUSES else None


def _said(error: ProviderError) -> str:
    """The words of an error that somebody else's code has made, as far as they are words."""
    words = error.__dict__.get("said") or error.__dict__.get("message")
    return quoted(words) if type(words) is str else ""


class _ContractedDecoder:
    """One answer, of which nothing gets through but events that are what they seem."""

    def __init__(self, shown: str, inner: Decoder, quietly: Quietly) -> None:
        self._shown = shown
        self._inner = inner
        self._quietly = quietly
        self._finished = False
        self._calls = 0
        self._size = 0
        self._called = 0

    def feed(self, line: bytes) -> tuple[Event, ...]:
        return () if self._finished else self._events(lambda: self._inner.feed(line))

    def end(self) -> tuple[Event, ...]:
        if self._finished:
            return ()
        events = self._events(self._inner.end)
        if not self._finished:
            raise self._broken("ended an answer without its end", Cause.CUT)
        return events

    def _events(self, read: Callable[[], object]) -> tuple[Event, ...]:
        try:
            with _guarded(self._quietly, documented=True):
                given = read()
        except _Misbehaved as error:
            raise self._broken(f"could not read an answer ({error})") from None
        except ProviderError as error:
            raise self._mended(error) from None
        if type(given) is not tuple and type(given) is not list:
            raise self._broken("read something else than events")
        return tuple(map(self._event, cast("tuple[object, ...]", given)))

    def _event(self, event: object) -> Event:
        if self._finished:
            raise self._broken("read something behind the end of an answer")
        if type(event) is TextDelta:
            return TextDelta(self._text(event.text))
        if type(event) is ToolCall:
            self._calls += 1
            call = ToolCall(*map(self._text, (event.id, event.name, event.arguments, event.carry)))
            self._called += sum(len(text) for text in (call.id, call.name, call.arguments))
            if self._calls > MAX_CALLS or self._called > MAX_CALL_BYTES:
                raise self._broken("read more calls than an answer may hold", Cause.TOO_LONG)
            return call
        if type(event) is Finished:
            self._finished = True
            return self._end(event)
        raise self._broken("read something else than events")

    def _end(self, end: Finished) -> Finished:
        stop, usage = cast("Any", end.stop_reason), cast("Any", end.usage)
        if type(stop) is not str or stop not in _STOPS or type(usage) is not Usage or type(end.truncated) is not bool:
            raise self._broken("read an end of an answer that is none")
        return Finished(
            end.stop_reason,
            _usage(usage, self._broken),
            None if end.model is None else self._text(end.model),
            None if end.request_id is None else self._text(end.request_id),
            end.truncated,
        )

    def _text(self, text: object) -> str:
        clean = wirejson.text(text) if type(text) is str else None
        if clean is None:
            raise self._broken("read a text that is none")
        self._size += len(clean)
        if self._size > MAX_BODY:
            raise self._broken("read more than an answer may hold", Cause.TOO_LONG)
        return clean

    def _mended(self, error: ProviderError) -> ProviderError:
        """An error inside an answer: it was sent, whatever the protocol says of that."""
        known = _code_of(error) or Code.PROVIDER_PROTOCOL
        said: object = error.__dict__.get("cause")
        cut = type(said) is Cause and said in (Cause.CUT, Cause.MALFORMED)
        cause = cast("Cause", said) if cut else _IN_STREAM.get(known, _CAUSES[known])
        told = ProviderError("the provider broke off its answer", code=known, sent=True, cause=cause)
        return told.saying(_said(error))

    def _broken(self, what: str, cause: Cause = Cause.MALFORMED) -> ProviderError:
        error = not_of_protocol("cannot be read", cause=cause)
        error.message = f"{error.message}: {self._shown} {what}"
        return error


def _usage(usage: Usage, broken: Callable[[str], ProviderError]) -> Usage:
    """Counts that can be counts, of which a part is no more than the whole.

    Raises:
        ProviderError: they are none.
    """
    told = (
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.cache_write_tokens,
    )
    if any(one is not None and (type(one) is not int or wirejson.count(one) is None) for one in told):
        raise broken("read counts of tokens that are none")
    whole, part, said, thought, kept = told
    if whole is not None and (part or 0) + (kept or 0) > whole:
        raise broken("read more tokens of a cache, or for one, than the prompt has")
    if said is not None and (thought or 0) > said:
        raise broken("read more tokens of reasoning than of the answer")
    return Usage(whole, part, said, thought, kept)
