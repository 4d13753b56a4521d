"""What the real CLIs printed in runs against a scripted model, decoded; recorded 2026-11-20."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import Event, Finished, TextDelta, Usage
from smista_mcp.providers.cli_answers import DECODERS, cli_error

RECORDINGS = Path(__file__).with_name("cli_recordings")
CLIS = sorted(DECODERS)
USAGES = {
    "claude": Usage(2234, 1000, 56, 0, 0),
    "codex": Usage(2468, 2000, 112, 14),
    "gemini": Usage(1234, 1000, 56, None),
    "opencode": Usage(1234, 1000, 56, 7, 0),
    "copilot": Usage(1234, 1000, 56, 7, 0),
}


def heard(cli: str, lines: list[bytes], status: int = 0, usage: bytes = b"") -> tuple[Event, ...]:
    decoder = DECODERS[cli]()
    events: tuple[Event, ...] = ()
    for line in lines:
        events += decoder.feed(line)
        if events and isinstance(events[-1], Finished):
            return events
    return events + decoder.end(status, "", usage)


def recorded(name: str) -> list[bytes]:
    return (RECORDINGS / name).read_bytes().splitlines()


@pytest.mark.parametrize("cli", CLIS)
def test_an_answer_has_its_text_and_what_it_took(cli: str) -> None:
    usage = (RECORDINGS / "copilot-usage.json").read_bytes()
    text, finished = heard(cli, recorded(f"{cli}-ok.jsonl"), usage=usage)
    assert text == TextDelta("FINAL-ANSWER done")
    assert isinstance(finished, Finished)
    assert (finished.stop_reason, finished.usage) == ("stop", USAGES[cli])


@pytest.mark.parametrize("cli", CLIS)
def test_a_login_that_does_not_hold_is_said(cli: str) -> None:
    with pytest.raises(ProviderError) as caught:
        heard(cli, recorded(f"{cli}-401.jsonl"), status=1)
    assert caught.value.code is Code.PROVIDER_AUTH


@pytest.mark.parametrize("cli", CLIS)
@given(cut=st.integers(0, 30))
def test_what_ends_too_early_is_no_answer(cli: str, cut: int) -> None:
    lines = recorded(f"{cli}-ok.jsonl")
    shortened = lines[: min(cut, len(lines) - 1)]
    with pytest.raises(ProviderError) as caught:
        heard(cli, shortened, status=1)
    assert caught.value.code is Code.PROVIDER_PROTOCOL


@pytest.mark.parametrize("cli", CLIS)
@given(line=st.binary(max_size=200))
def test_garbage_between_the_lines_counts_for_nothing(cli: str, line: bytes) -> None:
    usage = (RECORDINGS / "copilot-usage.json").read_bytes()
    lines = [garbled for one in recorded(f"{cli}-ok.jsonl") for garbled in (line.replace(b"\n", b"") + b"x", one)]
    assert heard(cli, lines, usage=usage)[0] == TextDelta("FINAL-ANSWER done")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("You've hit your usage limit. Try again at 5 pm.", Code.PROVIDER_RATE_LIMITED),
        ("Not logged in · Please run /login", Code.PROVIDER_AUTH),
        ("API Error: 529 overloaded", Code.PROVIDER_UNAVAILABLE),
        ("HTTP 429", Code.PROVIDER_RATE_LIMITED),
        ("The model `x` does not exist or is not available", Code.UNKNOWN_MODEL),
        ("something broke", Code.PROVIDER_UNAVAILABLE),
    ],
)
def test_words_of_a_failure_have_a_code(words: str, code: Code) -> None:
    assert cli_error(words).code is code
