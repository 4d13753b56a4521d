"""What is told of a text: which words decided, which were set aside and why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.core.classification import Reader
from smista_mcp.core.reading.prompt import LONGEST_READ
from smista_mcp.core.reading.spans import MOST_SPANS, SAID, Span
from smista_mcp.core.readspans import ReadSpan
from smista_mcp.core.values import Intent

READER = Reader(skills=frozenset({"changelog"}))
KEY = "ghp_" + "B7d" * 12
PIECES = st.sampled_from(
    "plan|implement it|add tests|review|src/a.py|don't|and|then|, |. |? |\n- |```|`|\"|(|)|/changelog |if|why|please|no"
    '|it crashes|i would like|修复|测试，|commit|use tabs|ValueError: x\n|  File "a.py", line 3\n|\t|é|İ|🚀'.split("|")
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.lists(PIECES, max_size=50).map(" ".join),
    st.lists(PIECES, max_size=50).map("".join),
)


def told(text: str) -> list[tuple[str, str, int | None, tuple[str, ...]]]:
    return [(text[s.start : s.end], s.said, s.phase, s.decided) for s in READER.spans(text)]


def test_each_clause_says_what_it_counts_for_and_by_which_words() -> None:
    assert told("Thanks! If it helps, plan the login and then write tests. Don't touch the docs.") == [
        ("Thanks", "report", None, ()),
        ("If it helps", "condition", None, ()),
        ("plan the login", "request", 0, ("plan",)),
        ("write tests", "request", 1, ("write", "tests")),
        ("Don't touch the docs", "negation", None, ()),
    ]


def test_what_is_set_aside_says_why_and_what_counts_does_not() -> None:
    for span in READER.spans("The page is slow. Fix it, but do not change the layout; you may add a cache if you like"):
        assert bool(span.aside) == (span.phase is None)


def test_politeness_of_two_words_opens_no_clause_of_its_own() -> None:
    assert told("Por favor corrige el error y agrega pruebas") == [
        ("Por favor corrige el error", "request", 0, ("corrige",)),
        ("agrega pruebas", "request", 1, ("agrega", "pruebas")),
    ]


def test_what_was_not_read_as_language_is_named() -> None:
    (span,) = READER.spans('Rename `review_plan` in src/test/plan.py to "test it"')
    assert span.masked == ("`review_plan`", "src/test/plan.py", '"test it"')


def test_pasted_output_is_a_span_of_its_own() -> None:
    pasted = 'Traceback (most recent call last):\n  File "plan.py", line 3, in review\nValueError: write tests first'
    text = f"It crashes on start:\n{pasted}\nplease fix it"
    (span,) = [span for span in READER.spans(text) if span.said == "output"]
    assert text[span.start : span.end] == pasted
    assert span.phase is None


@pytest.mark.parametrize("middle", ["word ", "a\n", "ValueError: x\n"])
def test_the_unread_middle_of_a_long_text_is_told(middle: str) -> None:
    text = "fix the parser " + middle * LONGEST_READ + "and add tests"
    spans = READER.spans(text)
    assert [span.said for span in spans if span.end - span.start > LONGEST_READ] == ["unread"]
    _lie_in_order(spans, len(text))


def test_a_declared_intent_takes_all_that_is_asked() -> None:
    spans = READER.spans("plan it, then test it", intent=Intent.REVIEW)
    assert {span.phase for span in spans} == {0}


def test_a_text_with_a_secret_is_told_without_its_words() -> None:
    text = f"fix the login, the key is {KEY}"
    shown = ReadSpan.all_of(text, READER.spans(text))
    assert shown[0].decided == ("fix",)
    assert KEY not in repr(shown)
    assert {span.text for span in shown} == {""}


@settings(max_examples=300)
@given(text=TEXTS, intent=st.none() | st.sampled_from(Intent))
def test_spans_lie_in_order_in_the_text_and_account_for_every_phase(text: str, intent: Intent | None) -> None:
    phases = READER.read(text, intent=intent)
    spans = READER.spans(text, intent=intent)
    assert spans == READER.spans(text, intent=intent)
    assert len(spans) <= MOST_SPANS
    _lie_in_order(spans, len(text))
    known = {*SAID.values(), "output", "unread"}
    for span in spans:
        inside = text[span.start : span.end]
        assert span.said in known
        assert bool(span.aside) == (span.phase is None)
        assert all(word in inside for word in (*span.decided, *span.masked))
        if span.phase is not None:
            assert set(span.decided) <= set(phases[span.phase].intent.evidence)


def _lie_in_order(spans: list[Span], size: int) -> None:
    end = 0
    for span in spans:
        assert end <= span.start < span.end <= size
        end = span.end
