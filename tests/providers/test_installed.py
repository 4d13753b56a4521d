"""A protocol of somebody else's at run time: what it does wrong is `provider_protocol`, and goes nowhere."""

import asyncio
import dataclasses
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from types import MappingProxyType
from typing import Any, cast

import pytest
from contracts import PARLEY
from hypothesis import given
from hypothesis import strategies as st
from plugins.parley import Listener, Parley

from smista_mcp.core.values import Effort
from smista_mcp.errors import Cause, Code, ProviderError
from smista_mcp.loading.plugins import unheard
from smista_mcp.providers.base import CompletionRequest, Event, Finished, Message, TextDelta, ToolCall, Usage
from smista_mcp.providers.contract import Contract
from smista_mcp.providers.heads import MAX_REQUEST, STAND_IN
from smista_mcp.providers.installed import Contracted, Unfit, contracted

REQUEST = CompletionRequest("m", (Message("user", "hello"),), Effort.HIGH, max_output_tokens=500, effort_as="keen")


def giving(told: object) -> Callable[..., object]:
    """A function that gives this, whatever it is asked."""

    def given(*asked: object, **named: object) -> object:
        del asked, named
        return told

    return given


def answering(work: Callable[[Any], object]) -> Callable[..., object]:
    """A method that answers so."""

    def method(self: object, given: Any) -> object:
        del self
        return work(given)

    return method


def held(protocol: object) -> Contracted:
    return contracted(protocol, "protocol `parley`", unheard)


def made(**members: Any) -> Contracted:
    return held(type("Changed", (Parley,), members)())


def raising(error: BaseException) -> Callable[..., Any]:
    def raised(*given: object, **named: object) -> Any:
        raise error

    return raised


RAISED = (
    KeyError("x"),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    asyncio.CancelledError(),
    RecursionError(),
    type("Odd", (BaseException,), {"__str__": raising(ValueError())})(),
    type("Sly", (ProviderError,), {})("no", code=Code.RESTRICTED_CONTENT),
)


def refused(work: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        work()
    assert type(caught.value) is ProviderError
    return caught.value


# --------------------------------------------------------------------------------------------------------- interface


@pytest.mark.parametrize(
    "found",
    [
        None,
        42,
        Parley,  # the class, whose methods lack their object: it is asked for a key at once
        type("Changed", (Parley,), {"interface": 2})(),
        type("Changed", (Parley,), {"interface": True})(),
        type("Changed", (Parley,), {"decoder": None})(),
        type("Changed", (Parley,), {"words": property(raising(KeyError()))})(),
        type("Changed", (Parley,), {"words": frozenset({"a" * 65})})(),
        type("Changed", (Parley,), {"words": frozenset({"a text with spaces"})})(),
        type("Changed", (Parley,), {"words": frozenset(map(str, range(2001)))})(),
        type("Changed", (Parley,), {"authorization": raising(SystemExit())})(),
        type("Changed", (Parley,), {"authorization": answering(lambda key: {"x-pass": key[:3]})})(),
        type("Changed", (Parley,), {"authorization": answering(lambda key: {"x-pass": key, "x-more": "1"})})(),
        type("Changed", (Parley,), {"authorization": answering(lambda key: {"content-length": key})})(),
        type("Changed", (Parley,), {"authorization": answering(lambda key: [("x-pass", key)])})(),
    ],
)
def test_what_is_no_protocol_is_not_spoken(found: object) -> None:
    with pytest.raises(Unfit):
        held(found)


def test_words_are_those_of_the_moment_when_it_was_loaded() -> None:
    class Growing(Parley):
        words = frozenset({"to"})

    protocol = held(Growing())
    Growing.words = frozenset({"to", "secret-word"})
    assert protocol.words == {"to"}


def test_a_key_goes_where_the_protocol_wants_it_and_is_never_shown_to_it() -> None:
    shown: list[str] = []

    def authorization(self: object, key: str) -> dict[str, str]:
        shown.append(key)
        return {"authorization": f"Parley {key}"}

    protocol = made(authorization=authorization)
    assert protocol.authorization("the key") == {"authorization": "Parley the key"}
    assert shown == [STAND_IN]


# ----------------------------------------------------------------------------------------------------------- requests


def test_a_request_that_is_one_goes_as_it_is() -> None:
    assert held(Parley()).encode(REQUEST) == Parley().encode(REQUEST)


@pytest.mark.parametrize("error", RAISED)
def test_nothing_that_is_raised_comes_through(error: BaseException) -> None:
    depth = sys.getrecursionlimit()

    def encode(self: object, request: object) -> Any:
        sys.setrecursionlimit(depth + 77)
        raise error

    told = refused(lambda: made(encode=encode).encode(REQUEST))
    assert (told.code, told.cause, told.sent) == (Code.PROVIDER_PROTOCOL, Cause.MALFORMED, False)
    assert sys.getrecursionlimit() == depth


def test_a_documented_error_in_making_a_request_is_its_fault_too() -> None:
    error = ProviderError("as it likes", code=Code.RESTRICTED_CONTENT)
    told = refused(lambda: made(encode=raising(error)).encode(REQUEST))
    assert told.code is Code.PROVIDER_PROTOCOL


class Wires:
    """Requests that must not leave, by what is changed in one that may."""

    CHANGES: tuple[dict[str, Any], ...] = (
        {"method": "GET"},
        {"method": "PIPE"},
        {"path": "//elsewhere.example"},
        {"path": "http://elsewhere.example/"},
        {"path": "/a/%2e%2E/b"},
        {"path": "/a\\..\\b"},
        {"path": "/a b"},
        {"path": "/a\r\nhost: x"},
        {"path": "/é"},
        {"path": "/a#b"},
        {"path": "/" + "a" * 2001},
        {"path": b"/a"},
        {"path": "ask"},
        {"path": ""},
        {"headers": {"host": "x"}},
        {"headers": {"connection": "close"}},
        {"headers": {"expect": "100-continue"}},
        {"headers": {"cookie": "a=b"}},
        {"headers": {"authorization": "x"}},
        {"headers": {"x-session-id": "x"}},
        {"headers": {"x-a": "b\nc"}},
        {"headers": {"x-a": "é"}},
        {"headers": {"X-A": "b"}},
        {"headers": {"x-a": 1}},
        {"headers": {f"x-{n}": "1" for n in range(17)}},
        {"headers": [("x-a", "b")]},
        {"body": b""},
        {"body": "text"},
        {"body": b"[]"},
        {"body": b'{"most": 500, "care": "keen"'},
        {"body": b'{"most": 500, "care": "keen", "a": "\xff"}'},
        {"body": b'{"most": 499, "care": "keen"}'},
        {"body": b'{"most": "500", "care": "keen"}'},
        {"body": b'{"most": true, "care": "keen"}'},
        {"body": b'{"most": 500}'},
        {"body": b'{"most": 500, "keen": 1}'},
        {"body": b"[" * 200_000},
    )


@pytest.mark.parametrize("change", Wires.CHANGES, ids=str)
def test_a_request_that_may_not_leave_is_none(change: dict[str, Any]) -> None:
    def encode(self: Parley, request: CompletionRequest) -> Any:
        wire = Parley.encode(self, request)
        for name, value in change.items():
            object.__setattr__(wire, name, value)
        return wire

    assert refused(lambda: made(encode=encode).encode(REQUEST)).code is Code.PROVIDER_PROTOCOL


class Changing(Mapping[str, str]):
    """Says harmless things for so many looks, then other ones; `raised` is raised instead."""

    def __init__(self, looks: int, raised: BaseException | None = None) -> None:
        self._left = looks
        self._raised = raised

    def _now(self) -> dict[str, str]:
        if self._raised is not None:
            raise self._raised
        return {"x-a": "b"} if self._left >= 0 else {"x-a": "b", "host": "elsewhere.example"}

    def keys(self) -> Any:
        self._left -= 1
        return self._now().keys()

    def items(self) -> Any:
        return {"x-a": "b"}.items()

    def __getitem__(self, name: str) -> str:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return 1


def _with_headers(headers: Callable[[], Mapping[str, str]]) -> Contracted:
    def encode(self: Parley, request: CompletionRequest) -> Any:
        return dataclasses.replace(Parley.encode(self, request), headers=MappingProxyType(headers()))

    return made(encode=encode)


@pytest.mark.parametrize("looks", range(6))
def test_headers_are_looked_at_once_and_go_as_they_were_then(looks: int) -> None:
    """Whatever a mapping says later: what leaves is what was checked, and nothing that is ours to say."""
    try:
        headers = _with_headers(lambda: Changing(looks)).encode(REQUEST).headers
    except ProviderError as error:
        assert (looks, error.code) == (0, Code.PROVIDER_PROTOCOL)  # noqa: PT017  either is right, by the number of looks
    else:
        assert (type(headers), headers) == (dict, {"x-a": "b"})


@pytest.mark.parametrize("error", [ZeroDivisionError(), RecursionError(), SystemExit(1), KeyboardInterrupt()])
def test_headers_that_raise_are_a_request_that_cannot_be_made(error: BaseException) -> None:
    with_them = _with_headers(lambda: Changing(9, error))
    assert refused(lambda: with_them.encode(REQUEST)).code is Code.PROVIDER_PROTOCOL


def test_headers_of_a_key_that_raise_are_no_headers() -> None:
    changed = type("Changed", (Parley,), {"authorization": giving(MappingProxyType(Changing(9, ZeroDivisionError())))})
    with pytest.raises(Unfit):
        held(changed())


def test_every_count_comes_through() -> None:
    counts = Usage(1000, 50, 5, 2, 900)
    assert heard(saying(TextDelta("x"), Finished("stop", counts)), b"x")[-1] == Finished("stop", counts)


def test_a_body_has_a_size() -> None:
    def encode(self: Parley, request: CompletionRequest) -> Any:
        wire = Parley.encode(self, request)
        object.__setattr__(wire, "body", wire.body + b" " * MAX_REQUEST)
        return wire

    assert refused(lambda: made(encode=encode).encode(REQUEST)).code is Code.PROVIDER_PROTOCOL


@pytest.mark.parametrize("place", ["path", "headers"])
def test_what_is_asked_does_not_travel_in_path_or_headers(place: str) -> None:
    def encode(self: Parley, request: CompletionRequest) -> Any:
        wire, word = Parley.encode(self, request), request.messages[-1].content
        object.__setattr__(wire, place, {"x-a": word} if place == "headers" else f"/ask/{word}")
        return wire

    assert refused(lambda: made(encode=encode).encode(REQUEST)).code is Code.PROVIDER_PROTOCOL


# ------------------------------------------------------------------------------------------------------------ answers


def heard(listener: type[Any], *lines: bytes) -> list[Event]:
    protocol = made(decoder=answering(lambda request: listener()))
    decoder = protocol.decoder(REQUEST)
    events: list[Event] = []
    for line in lines or PARLEY[0].body.splitlines():
        events += decoder.feed(line)
    return events if any(isinstance(event, Finished) for event in events) else [*events, *decoder.end()]


def saying(*events: Any) -> type[Any]:
    return type("Changed", (Listener,), {"feed": answering(lambda line: events)})


def test_an_answer_comes_through_as_it_is() -> None:
    decoder, plain = held(Parley()).decoder(REQUEST), Parley().decoder(REQUEST)
    for line in PARLEY[0].body.splitlines():
        assert decoder.feed(line) == plain.feed(line)
    assert decoder.feed(b'{"say": "more"}') == ()
    assert decoder.end() == ()


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize("method", ["feed", "end"])
def test_whatever_a_decoder_raises_is_an_answer_that_cannot_be_read(method: str, error: BaseException) -> None:
    listener = type("Changed", (Listener,), {method: raising(error)})
    told = refused(lambda: heard(listener, b'{"say": "x"}'))
    assert (told.code, told.sent) == (Code.PROVIDER_PROTOCOL, True)


@pytest.mark.parametrize("error", RAISED)
def test_a_decoder_that_cannot_be_made_is_one_too(error: BaseException) -> None:
    assert refused(lambda: made(decoder=raising(error)).decoder(REQUEST)).code is Code.PROVIDER_PROTOCOL


@pytest.mark.parametrize(
    "events",
    [
        ("text",),
        (None,),
        (TextDelta(b"bytes"),),  # pyright: ignore[reportArgumentType]
        (TextDelta(type("Text", (str,), {})("x")),),
        (ToolCall("a", "b", None),),  # pyright: ignore[reportArgumentType]
        (Finished("stop", Usage(-1)),),
        (Finished("stop", Usage(True)),),
        (Finished("stop", Usage(1.5)),),  # pyright: ignore[reportArgumentType]
        (Finished("stop", Usage(10**10)),),
        (Finished("stop", Usage(5, 6)),),
        (Finished("stop", Usage(cache_write_tokens=-1)),),
        (Finished("stop", Usage(5, 3, cache_write_tokens=3)),),
        (Finished("stop", Usage(output_tokens=5, reasoning_tokens=6)),),
        (Finished("stop", None),),  # pyright: ignore[reportArgumentType]
        (Finished("when it likes", Usage()),),  # pyright: ignore[reportArgumentType]
        (Finished("stop", Usage(), model=3),),  # pyright: ignore[reportArgumentType]
        (Finished("stop", Usage(), truncated="no"),),  # pyright: ignore[reportArgumentType]
        (Finished("stop", Usage()), TextDelta("more")),
        (Finished("stop", Usage()), Finished("stop", Usage())),
        tuple(ToolCall(str(n), "t", "{}") for n in range(65)),
        (ToolCall("a", "t", "x" * 300_000),),
    ],
)
def test_what_is_no_event_does_not_come_through(events: tuple[Any, ...]) -> None:
    assert refused(lambda: heard(saying(*events), b"x")).code is Code.PROVIDER_PROTOCOL


@pytest.mark.parametrize("given", [None, "text", iter(()), {}, 3])
def test_what_is_no_row_of_events_neither(given: object) -> None:
    listener = type("Changed", (Listener,), {"feed": answering(lambda line: given)})
    assert refused(lambda: heard(listener, b"x")).code is Code.PROVIDER_PROTOCOL


def test_an_answer_without_its_end_is_cut() -> None:
    listener = type("Changed", (Listener,), {"end": giving((TextDelta("that is all"),))})
    told = refused(lambda: heard(listener, b'{"say": "x"}'))
    assert (told.code, told.cause) == (Code.PROVIDER_PROTOCOL, Cause.CUT)


@pytest.mark.parametrize(
    ("code", "told_code", "cause"),
    [
        (Code.PROVIDER_RATE_LIMITED, Code.PROVIDER_RATE_LIMITED, Cause.STREAM_ERROR),
        (Code.PROVIDER_INVALID_REQUEST, Code.PROVIDER_INVALID_REQUEST, Cause.STREAM_REFUSAL),
        (Code.RESTRICTED_CONTENT, Code.PROVIDER_PROTOCOL, Cause.MALFORMED),
        (Code.APPROVAL_REQUIRED, Code.PROVIDER_PROTOCOL, Cause.MALFORMED),
        ("provider_auth", Code.PROVIDER_PROTOCOL, Cause.MALFORMED),
        (b"\xff", Code.PROVIDER_PROTOCOL, Cause.MALFORMED),
    ],
)
def test_an_error_inside_an_answer_says_what_a_provider_may_say(code: Any, told_code: Code, cause: Cause) -> None:
    error = ProviderError("you owe me", code=code, sent=False, cause=Cause.OURS)
    told = refused(lambda: heard(type("Changed", (Listener,), {"feed": raising(error)}), b"x"))
    assert (told.code, told.cause, told.sent) == (told_code, cause, True)


def test_half_a_character_is_made_whole() -> None:
    (text, *_) = heard(saying(TextDelta("a\ud83d"), Finished("stop", Usage())), b"x")
    assert isinstance(text, TextDelta)
    assert text.text.encode()


def test_what_it_prints_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    class Loud(Listener):
        def feed(self, line: bytes) -> tuple[Event, ...]:
            print("HELLO")
            return super().feed(line)

    before = sys.stdout
    heard(Loud)
    assert sys.stdout is before
    told = capsys.readouterr()
    assert (told.out, told.err.count("HELLO")) == ("", 3)
    with redirect_stdout(io.StringIO()) as printed:
        heard(Loud)
    assert printed.getvalue() == ""


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(PARLEY[0].body.splitlines())), max_size=8))
def test_whatever_lines_come_one_end_or_one_error_comes_out(lines: list[bytes]) -> None:
    protocol = held(Parley())
    read = Contract(cast("Any", protocol), ()).read([line + b"\n" for line in lines])
    assert (read.error is None) is (read.ends == 1)
    assert read.error is None or read.error.sent


# ----------------------------------------------------------------------------------------------------------- failures


def test_a_refusal_is_read_as_the_protocol_reads_it() -> None:
    told = held(Parley()).failure(418, {"retry-after": "9"}, b'{"oops": "full-up"}', now=0.0)
    assert (told.code, told.status, told.retry_after_s) == (Code.PROVIDER_RATE_LIMITED, 418, 9.0)


FAILURES = (
    *map(raising, RAISED),
    giving(None),
    giving(ProviderError("free of charge", code=Code.RESTRICTED_CONTENT, sent=False)),
    giving(ProviderError("x", code="odd")),  # pyright: ignore[reportArgumentType]
)


@pytest.mark.parametrize("number", range(len(FAILURES)))
def test_where_it_cannot_the_status_says_what_it_is(number: int) -> None:
    failure = FAILURES[number]
    told = made(failure=failure).failure(504, {"retry-after": "9"}, b"", now=0.0)
    assert (told.code, told.cause, told.sent) == (Code.PROVIDER_TIMEOUT, Cause.GATEWAY_TIMEOUT, True)
    assert (told.status, told.retry_after_s) == (504, 9.0)


def test_it_cannot_say_that_a_request_was_not_sent() -> None:
    def failure(*given: object, **named: object) -> ProviderError:
        return ProviderError("never came here", code=Code.PROVIDER_UNAVAILABLE, status=503, sent=False)

    assert made(failure=failure).failure(504, {}, b"", now=0.0).sent
