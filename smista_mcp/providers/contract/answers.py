"""The laws of how a protocol reads answers: each a function of the terms that raises `Broken`."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import Finished, Usage
from smista_mcp.providers.contract.terms import CODES, Answer, Broken, Read, Terms, read_json

_MOST_CUTS = 400
"""Places at which a body is cut; of a longer one they are spread evenly, beside every line break."""
_SPOILT = 250
"""Ways in which a body is spoilt."""
_JUNK = (
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"{}",
    b"data: null",
    b"data: [1, 2]",
    b"data: {}",
    b'{"error": 1}',
    b"[" * 100_000,
    b"data: " + b'{"a":' * 100_000,
    b"9" * 10_000,
    b"<html>",
)
_STATUSES = (300, 304, 400, 401, 403, 404, 408, 413, 418, 422, 429, 500, 502, 503, 504, 529, 599)
_BODIES = (b"", b"\xff", b"<html>no</html>", b"[]", b"null", b'"x"', b'{"error": []}', b'{"error": {"message": 1}}')


def read_right(terms: Terms) -> None:
    """Every recorded answer says what it says: text, calls, end, counts, or the error that it holds."""
    for answer in terms.answers:
        read = terms.read((answer.body,))
        if answer.code is not None:
            if read.error is None or read.error.code is not answer.code:
                raise Broken(f"`{answer.name}` holds an error of code {answer.code}, and gave {_shown(read)}")
            continue
        _check(answer, read)


def wherever_it_is_cut(terms: Terms) -> None:
    """An answer does not depend on where the network cut it."""
    for answer in terms.answers:
        whole = terms.read((answer.body,))
        cuts = [(answer.body[:at], answer.body[at:]) for at in _places(answer.body)]
        bytewise = tuple(answer.body[at : at + 1] for at in range(len(answer.body)))
        for chunks in (*cuts, bytewise):
            if not _alike(terms.read(chunks), whole):
                raise Broken(f"`{answer.name}` says something else when it is cut behind byte {len(chunks[0])}")


def one_end(terms: Terms) -> None:
    """`Finished` comes once, as the last event, and nothing that is fed behind it says anything more."""
    for answer in terms.whole:
        for body in (answer.body, answer.body + b"\n", answer.body + b"\n\n" + answer.body):
            read = terms.read((body,))
            if read.ends > 1:
                raise Broken(f"`{answer.name}` ended {read.ends} times")


def never_whole_when_cut(terms: Terms) -> None:
    """An answer whose end is missing is `provider_protocol`, and never passed off as a whole one."""
    for answer in terms.whole:
        whole = terms.read((answer.body,))
        for at in _places(answer.body):
            read = terms.read((answer.body[:at],))
            if not whole.text.startswith(read.text):
                raise Broken(f"`{answer.name}`, cut at byte {at}, says what the whole does not say")
            if read.error is not None:
                _check_error(read.error, f"`{answer.name}`, cut at byte {at},")
                if read.error.code is not Code.PROVIDER_PROTOCOL:
                    raise Broken(f"`{answer.name}`, cut at byte {at}, is {read.error.code}, not provider_protocol")
            elif (read.text, _calls(read)) != (whole.text, _calls(whole)):
                raise Broken(f"`{answer.name}`, cut at byte {at}, is passed off as whole")
            elif not _no_more(read.end, whole.end):
                raise Broken(f"`{answer.name}`, cut at byte {at}, counts more tokens than the whole")


def nothing_is_no_answer(terms: Terms) -> None:
    """A body with nothing in it is `provider_protocol`."""
    for body in (b"", b"\n", b"\r\n\r\n", b" "):
        error = terms.read((body,)).error
        if error is None or error.code is not Code.PROVIDER_PROTOCOL:
            raise Broken(f"{body!r} is {error.code if error else 'taken for an answer'}, not provider_protocol")


def whatever_comes(terms: Terms) -> None:
    """Whatever a server sends, reading it gives events or a `ProviderError` with a code that a protocol may give."""
    for answer in terms.answers:
        for what, body in _spoilt(answer.body):
            read = terms.read((body,))
            if read.error is not None:
                _check_error(read.error, f"`{answer.name}` {what}")


def counts(terms: Terms) -> None:
    """Counts are what they are called: of a prompt's tokens some are cached or kept, of an answer's some thought."""
    for answer in terms.whole:
        end = terms.read((answer.body,)).end
        usage = end.usage if end else Usage()
        for part, whole, what in (
            (usage.cached_input_tokens, usage.input_tokens, "cached"),
            (_sum(usage.cached_input_tokens, usage.cache_write_tokens), usage.input_tokens, "cached or written"),
            (usage.reasoning_tokens, usage.output_tokens, "reasoning"),
        ):
            if part is not None and whole is not None and part > whole:
                raise Broken(f"`{answer.name}` has more {what} tokens than there are: {part} of {whole}")


def apart(terms: Terms) -> None:
    """Answers that are read at the same time know nothing of each other."""
    request = terms.request()
    for answer in terms.whole:
        alone = terms.read((answer.body,), request)
        terms.protocol.decoder(request).feed(answer.body.split(b"\n")[0].rstrip(b"\r"))
        decoders = [terms.protocol.decoder(request), terms.protocol.decoder(request)]
        texts: list[list[object]] = [[], []]
        for line in answer.body.split(b"\n"):
            for decoder, events in zip(decoders, texts, strict=True):
                if not any(isinstance(event, Finished) for event in events):
                    events.extend(decoder.feed(line.removesuffix(b"\r")))
        if texts[0] != texts[1] or not _alike(terms.read((answer.body,), request), alone):
            raise Broken(f"`{answer.name}` is read differently beside another answer")


def failures(terms: Terms) -> None:
    """An answer that is none gets a `ProviderError` with its status: the recorded ones the right one, others any."""
    for failure in terms.failures:
        error = _failed(terms, failure.status, dict(failure.headers), failure.body)
        if error.code is not failure.code or error.retry_after_s != failure.retry_after_s:
            raise Broken(f"a {failure.status} is {error.code}, to wait {error.retry_after_s} s, not {failure.code}")
    for status in _STATUSES:
        for body in (*_BODIES, *_JUNK):
            _check_error(_failed(terms, status, {}, body[: 64 * 1024]), f"a {status}")
    for status in (401, 403):
        if _failed(terms, status, {}, b"").code is not Code.PROVIDER_AUTH:
            raise Broken(f"a {status} is not provider_auth")


ANSWER_LAWS: Mapping[str, Callable[[Terms], None]] = {
    law.__name__: law
    for law in (
        read_right,
        wherever_it_is_cut,
        one_end,
        never_whole_when_cut,
        nothing_is_no_answer,
        whatever_comes,
        counts,
        apart,
        failures,
    )
}


def _check(answer: Answer, read: Read) -> None:
    if read.end is None:
        raise Broken(f"`{answer.name}` is no answer: {read.error}")
    if read.text != answer.text:
        raise Broken(f"`{answer.name}` says {read.text[:200]!r}, not {answer.text[:200]!r}")
    if _calls(read) != [(name, read_json(arguments)) for name, arguments in answer.calls]:
        raise Broken(f"`{answer.name}` calls {_calls(read)!r}")
    if answer.stop is not None and read.end.stop_reason != answer.stop:
        raise Broken(f"`{answer.name}` ended for {read.end.stop_reason}, not for {answer.stop}")
    if answer.usage is not None and read.end.usage != answer.usage:
        raise Broken(f"`{answer.name}` counts {read.end.usage}, not {answer.usage}")


def _calls(read: Read) -> list[tuple[str, object]]:
    return [(call.name, read_json(call.arguments or "{}")) for call in read.calls]


def _alike(one: Read, other: Read) -> bool:
    return (one.text, one.calls, one.end, _told(one.error)) == (other.text, other.calls, other.end, _told(other.error))


def _told(error: ProviderError | None) -> object:
    return error and (error.code, error.message, error.sent, error.cause)


def _shown(read: Read) -> str:
    return f"{read.error.code}" if read.error else f"the answer {read.text[:200]!r}"


def _no_more(cut: Finished | None, whole: Finished | None) -> bool:
    if cut is None or whole is None:
        return cut is None
    told: Iterator[tuple[int | None, int | None]] = zip(astuple(cut.usage), astuple(whole.usage), strict=True)
    return all(before is None or (after is not None and before <= after) for before, after in told)


def _sum(*counts: int | None) -> int:
    return sum(count or 0 for count in counts)


def _check_error(error: ProviderError, what: str) -> None:
    if type(error) is not ProviderError or error.code not in CODES:
        raise Broken(f"{what} is a failure of code {error.code}, which no protocol may give")


def _failed(terms: Terms, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    try:
        error: object = terms.protocol.failure(status, headers, body, now=1_800_000_000.0)
    except BaseException as raised:
        raise Broken(f"`failure` raised {type(raised).__name__} for a {status}: {raised}"[:500]) from raised
    if type(error) is not ProviderError:
        raise Broken(f"`failure` gave {type(error).__name__} in place of a `ProviderError`")
    if error.status != status:
        raise Broken(f"`failure` gave an error with status {error.status} for a {status}")
    return error


def _places(body: bytes) -> list[int]:
    """Where to cut: everywhere, or in a long body evenly and on both sides of every line break."""
    step = max(1, len(body) // _MOST_CUTS)
    found = {*range(0, len(body), step), len(body) - 1}
    breaks = [at for at, byte in enumerate(body) if byte == 0x0A]
    for at in breaks[: _MOST_CUTS // 2]:
        found.update((at, at + 1))
    return sorted(at for at in found if 0 <= at < len(body))


def _spoilt(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Bodies that are almost it: bytes changed, pieces gone, lines twice or in another order, junk between them."""
    lines = body.split(b"\n")
    for number in range(_SPOILT):
        draw = hashlib.sha256(f"{number}:{len(body)}".encode()).digest()
        at = int.from_bytes(draw[:4], "big") % max(1, len(body))
        size = 1 + draw[4] % 40
        kind = number % 5
        if kind == 0:
            yield f"with byte {at} changed", body[:at] + draw[5:6] + body[at + 1 :]
        elif kind == 1:
            yield f"without {size} bytes from {at}", body[:at] + body[at + size :]
        elif kind == 2:
            place = at % len(lines)
            yield f"with line {place} twice", b"\n".join((*lines[: place + 1], *lines[place:]))
        elif kind == 3:
            place = at % len(lines)
            yield f"with line {place} last", b"\n".join((*lines[:place], *lines[place + 1 :], lines[place]))
        else:
            place, junk = at % len(lines), _JUNK[number // 5 % len(_JUNK)]
            yield f"with junk as line {place}", b"\n".join((*lines[:place], junk, *lines[place:]))
