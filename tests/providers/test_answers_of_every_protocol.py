"""Any answer, in the words of every protocol, streamed and whole, however the network cuts it."""

import itertools
import json
from collections.abc import Sequence

import pytest
from decoding import heard
from hypothesis import given, settings
from hypothesis import strategies as st
from vendor_answers import ALL, CHAT, GEMINI, OLLAMA, SIGNATURE, Call, Said, Words, gemini_list

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import Finished, StopReason, ToolCall, Usage

protocols = pytest.mark.parametrize("words", ALL, ids=lambda words: words.name)
sometimes = settings(max_examples=40)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_CALLS = st.builds(Call, st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.dictionaries(_TEXTS, _JSON, max_size=3))
_STOPS: tuple[StopReason, ...] = ("stop", "length", "content_filter")


@st.composite
def answers(draw: st.DrawFn) -> Said:
    """What models say: text, thought and calls in any number of pieces, and the counts of it."""
    cached, thought, told = (draw(st.integers(0, 900)) for _ in range(3))
    fresh = draw(st.integers(1, 900))  # who reads nothing has not counted
    return Said(
        pieces=tuple(draw(st.lists(_TEXTS, max_size=5))),
        thought=tuple(draw(st.lists(_TEXTS, max_size=3))),
        calls=tuple(draw(st.lists(_CALLS, max_size=3))),
        stop=draw(st.sampled_from(_STOPS)),
        refused=draw(st.booleans()),
        used=Usage(cached + fresh, cached, thought + told, thought),
    )


def told_by(words: Words, said: Said) -> Said:
    """The answer as far as the protocol can tell it."""
    stop = said.stop if said.stop in words.stops else "stop"
    refused = said.refused and words.name in ("chat", "responses") and bool(said.pieces) and not said.calls
    return Said(said.pieces, said.thought, said.calls, stop, refused, said.used, said.model, said.id)


def cut(body: bytes, places: Sequence[float]) -> list[bytes]:
    edges = [0, *sorted(int(place * len(body)) for place in places), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


def four(used: Usage) -> tuple[int | None, ...]:
    return used.input_tokens, used.cached_input_tokens, used.output_tokens, used.reasoning_tokens


def check(words: Words, said: Said, found: tuple[str, list[ToolCall], Finished]) -> None:
    text, calls, end = found
    assert text == said.text
    assert [(call.name, json.loads(call.arguments or "{}")) for call in calls] == [tuple(call) for call in said.calls]
    stop = "tool_calls" if said.calls and said.stop == "stop" else said.stop
    assert end.stop_reason == ("content_filter" if said.refused else stop)
    assert four(end.usage) == four(words.counts(said.used))
    assert end.model == said.model
    assert end.request_id == (said.id if words.identified else None)
    assert all(bool(call.id) is words.identified for call in calls)
    assert len({call.id for call in calls}) == (len(calls) if words.identified else min(len(calls), 1))


CUTS = st.lists(st.floats(0, 1), max_size=25)


@protocols
@sometimes
@given(said=answers(), cuts=CUTS)
def test_a_stream_is_read_as_it_was_meant(words: Words, said: Said, cuts: list[float]) -> None:
    said = told_by(words, said)
    check(words, said, heard(words.protocol, cut(words.streamed(said), cuts)))


@protocols
@sometimes
@given(said=answers(), cuts=CUTS, indent=st.sampled_from([None, 2]))
def test_a_whole_answer_is_read_as_it_was_meant(
    words: Words, said: Said, cuts: list[float], indent: int | None
) -> None:
    said = told_by(words, said)
    body = json.dumps(words.whole(said), indent=None if words is OLLAMA else indent, ensure_ascii=False).encode()
    check(words, said, heard(words.protocol, cut(body, cuts)))


@sometimes
@given(said=answers(), cuts=CUTS)
def test_a_list_of_chunks_is_read_like_a_stream(said: Said, cuts: list[float]) -> None:
    said = told_by(GEMINI, said)
    check(GEMINI, said, heard(GEMINI.protocol, cut(gemini_list(said), cuts)))


@protocols
@sometimes
@given(said=answers(), cuts=CUTS, place=st.floats(0, 1))
def test_an_answer_that_was_cut_off_is_never_taken_for_whole(
    words: Words, said: Said, cuts: list[float], place: float
) -> None:
    said = told_by(words, said)
    before = b"".join(map(words.framed, words.events(said)[: -words.ends]))
    with pytest.raises(ProviderError) as failure:
        heard(words.protocol, cut(before[: int(place * len(before))], cuts))
    assert (failure.value.code, failure.value.sent) == (Code.PROVIDER_PROTOCOL, True)


@sometimes
@given(said=answers(), place=st.floats(0, 1, exclude_max=True))
def test_a_whole_answer_that_was_cut_off_is_none(said: Said, place: float) -> None:
    for words in ALL:
        body = json.dumps(words.whole(told_by(words, said))).encode()
        with pytest.raises(ProviderError) as failure:
            heard(words.protocol, [body[: int(place * len(body))]])
        assert (failure.value.code, failure.value.sent) == (Code.PROVIDER_PROTOCOL, True)


@protocols
@sometimes
@given(said=answers(), cuts=CUTS, place=st.floats(0, 1))
def test_an_error_is_one_wherever_it_stands_in_a_stream(
    words: Words, said: Said, cuts: list[float], place: float
) -> None:
    events = words.events(told_by(words, said))[: -words.ends]
    events.insert(int(place * len(events)), words.broken)
    with pytest.raises(ProviderError) as failure:
        heard(words.protocol, cut(b"".join(map(words.framed, events)), cuts))
    assert (failure.value.code, failure.value.sent) == (Code.PROVIDER_UNAVAILABLE, True)
    assert failure.value.message.endswith(("busy", "has stopped"))


@pytest.mark.parametrize("words", [words for words in ALL if words is not OLLAMA], ids=lambda words: words.name)
@sometimes
@given(said=answers(), cuts=CUTS, ends=st.sampled_from([b"\n", b"\r\n"]), alive=st.booleans())
def test_events_may_be_framed_in_every_way_that_the_standard_allows(
    words: Words, said: Said, cuts: list[float], ends: bytes, *, alive: bool
) -> None:
    said = told_by(words, said)
    body = words.streamed(said).replace(b"\n", ends)
    if alive:
        body = b": still here" + ends * 2 + body.replace(ends * 2, ends * 2 + b": still here" + ends * 2)
    check(words, said, heard(words.protocol, cut(body, cuts)))


@pytest.mark.parametrize(
    ("words", "carried"), [(words, words not in (CHAT, OLLAMA)) for words in ALL], ids=lambda v: getattr(v, "name", "")
)
@pytest.mark.parametrize("whole", [False, True])
def test_the_first_call_carries_what_its_provider_wants_back(words: Words, *, carried: bool, whole: bool) -> None:
    said = Said(pieces=(), thought=("hm",), calls=(Call("a", {"x": 1}), Call("b", {})))
    body = json.dumps(words.whole(said)).encode() if whole else words.streamed(said)
    first, second = heard(words.protocol, [body])[1]
    assert (SIGNATURE in first.carry, SIGNATURE in second.carry) == (carried, False)
