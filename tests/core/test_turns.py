"""Earlier turns as context: which one a phase cannot do without, and what stays here of them."""

from collections.abc import Callable, Mapping

import pytest
from deciding import decide, world
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.decision import Decision
from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import ContextItem, PathFact, PhaseContext, canonical, turns_of
from smista_mcp.core.origins import Chain, Link, shortest, told
from smista_mcp.core.task import IntentReading, Phase
from smista_mcp.core.turns import BODY_DAYS, MAX_TURNS, Turn, recalled, refers_back, repetitions
from smista_mcp.core.values import Confidence, Intent, Label, Locality, Status
from smista_mcp.errors import Code

HERE = PhaseContext(paths=(PathFact("src/a.py", "named", forms=("src/a.py",)),))
FROM: Chain = (Link(name="secrets/plan.txt", reason="restricted by `secrets/**`"),)
ROUTES = """
[routing.default]
model = "openai/gpt-5.5-thinking"
fallbacks = ["ollama/m"]
[privacy]
restricted_paths = ["secrets/**"]
[privacy.remote]
mode = "allow"
"""


def phase(text: str, *depends_on: int) -> Phase:
    reading = IntentReading(name=Intent.CHAT, source="reader", confidence=Confidence.HIGH)
    return Phase(index=len(depends_on), intent=reading, text=text, depends_on=depends_on)


def turn(number: int = 1, label: Label | None = None, **changes: object) -> Turn:
    one = Turn(number, f"question {number}", f"answer {number}", label, FROM if label else ())
    return one._replace(**changes)


def context_of(text: str, *turns: Turn) -> PhaseContext:
    found = recalled(turns, phase(text), PhaseContext())
    return PhaseContext(items=tuple(item for item, _ in found.items), left_out=found.left_out)


# --------------------------------------------------------------------------------------------- what words point at

BACK = (
    *("now shorten that", "make it simpler", "translate it into German", "and in French?", "why?", "explain the above"),
    *("what did you say about locks?", "is your answer complete?", "rewrite the previous answer", "shorter please"),
    *(
        "now write this as a table",
        "what about errors?",
        "Continue",
        "go on",
        "more detail, please",
        "the same in Rust",
    ),
    *(
        "turn that plan into tickets",
        "summarize these in one line",
        "are they safe?",
        "try again",
        "do the second step",
    ),
    *("Are there others like those?", "As you proposed, write the tests", "Now for Windows"),
    *("explain the earlier answers", "compare the two previous results", "what did we find out before?"),
    *("list your earlier replies", "put the prior analyses together", "what have we learned?"),
)
ALONE = (
    *("What is a mutex?", "write a function that adds two numbers", "explain the borrow checker", "list three sorts"),
    *("plan a parser for TOML", "Which license fits a library?", "explain this file to a child"),
)


@pytest.mark.parametrize("text", BACK)
def test_words_that_point_back_need_the_answer_before(text: str) -> None:
    assert refers_back(phase(text), PhaseContext())


@pytest.mark.parametrize("text", ALONE)
def test_words_that_say_it_all_do_not(text: str) -> None:
    assert not refers_back(phase(text), PhaseContext())


@pytest.mark.parametrize(
    ("text", "needs"),
    [("shorten it", False), ("compare it with your last answer", True), ("apply the above plan to it", True)],
)
def test_a_pronoun_means_what_the_call_brings_along(text: str, *, needs: bool) -> None:
    assert refers_back(phase(text), HERE) is needs
    assert refers_back(phase(text, 0), PhaseContext()) is needs
    item = ContextItem("git diff", "git_diff", 5, required=True, digest="00")
    assert refers_back(phase(text), PhaseContext(items=(item,))) is needs


def test_the_beginning_and_the_end_of_long_words_are_looked_at() -> None:
    filler = "lock mutex wait\n" * 100_000
    assert refers_back(phase(f"shorten your answer\n{filler}"), HERE)
    assert refers_back(phase(f"{filler}\nshorten your answer"), HERE)
    assert not refers_back(phase(filler), HERE)


# ---------------------------------------------------------------------------------------------------- what goes along


@pytest.mark.parametrize(
    ("text", "needed"),
    [("what does turn 1 say?", [1]), ("compare your answer with turn 1", [3, 1]), ("explain turn 99999999999", [])],
)
def test_a_turn_that_is_named_is_required(text: str, needed: list[int]) -> None:
    found = recalled([turn(1), turn(2), turn(3)], phase(text), PhaseContext())
    assert [item.path for item, _ in found.items if item.required] == [f"turn {n} of the session" for n in needed]


def test_the_newest_turn_comes_first_and_is_required_where_words_point_back() -> None:
    turns = [turn(1), turn(2), turn(3)]
    for text, needed in (("shorten that", [True, False, False]), ("What is a mutex?", [False] * 3)):
        found = recalled(turns, phase(text), PhaseContext())
        assert [item.path for item, _ in found.items] == [f"turn {n} of the session" for n in (3, 2, 1)]
        assert [item.required for item, _ in found.items] == needed
        assert all(item.digest == digest_of(body) and item.kind == "answer" for item, body in found.items)
        assert all(part in found.items[0][1] for part in ("question 3", "answer 3"))


def test_what_is_too_old_is_named() -> None:
    turns = [turn(1, words=None, answer=None), *(turn(n) for n in range(2, MAX_TURNS + 3))]
    found = recalled(turns, phase("What is a mutex?"), PhaseContext())
    assert (len(found.items), [gone.path for gone in found.left_out]) == (MAX_TURNS, ["2 more"])
    (gone,) = recalled(turns[:1], phase("shorten that"), PhaseContext()).left_out
    assert (gone.path, str(BODY_DAYS) in gone.reason) == ("turn 1 of the session", True)


def test_the_oldest_turn_is_the_first_that_does_not_fit() -> None:
    long = "word " * 3000
    turns = [turn(n, answer=long) for n in range(1, 5)]
    policy = '[routing.default]\nmodel = "ollama/m"\n[catalog."ollama/m"]\ncontext_window = 8192\n'
    decision = decide(policy, "What is a mutex?", context_of("What is a mutex?", *turns))
    assert [entry.path for entry in decision.context.included] == [f"turn {n} of the session" for n in (4, 3)]
    assert [entry.path for entry in decision.context.excluded] == [f"turn {n} of the session" for n in (2, 1)]


LONG = "The key is rotated every ninety days by a job that runs at night"


@pytest.mark.parametrize(
    ("text", "given", "repeats"),
    [
        (f"Put this into a README: {LONG}", (), True),
        ("Put it\n> The key is rotated every ninety days\n> by a job that runs at night", (), True),
        ("review src/a.py", (f"+# {LONG.upper()}",), True),
        ("review src/a.py", ("", f"notes\n{LONG}"), True),
        ("How often should a key be rotated?", (), False),
    ],
)
def test_a_labelled_answer_that_the_call_repeats_keeps_its_label(
    text: str, given: tuple[str, ...], *, repeats: bool
) -> None:
    turns = [turn(1, "local", answer=LONG), turn(2, answer=LONG), turn(3, "local", answer="Yes.")]
    (numbers,) = repetitions(turns, text, [phase(text)], given)
    assert numbers == ({1} if repeats else set())
    found = recalled(turns, phase(text), HERE, numbers)
    assert [item.path for item, _ in found.items if item.required] == ["turn 1 of the session"] * repeats


def test_a_short_answer_is_looked_for_as_a_whole() -> None:
    one = turn(1, "restricted", answer="merge the four keys")
    for text, repeats in (("He said: Merge the four keys!", True), ("merge the four", False)):
        assert repetitions([one], text, [phase(text)]) == [{1} if repeats else set()]


def test_each_phase_has_what_it_repeats_and_what_is_lost_between_them() -> None:
    one = turn(1, "restricted", answer=LONG)
    first, second, half, rest = phase(LONG), phase("write a README"), phase(LONG[:37]), phase(LONG[37:])
    assert repetitions([one], f"{LONG}, then write a README", [first, second]) == [{1}, set()]
    assert repetitions([one], f"write a README: {LONG}", [half, rest, second]) == [{1}] * 3


# ------------------------------------------------------------------------------------------------------ labels decide


def decided(text: str, *turns: Turn, policy: str = ROUTES) -> Decision:
    return decide(policy, text, context_of(text, *turns))


def test_a_follow_up_on_a_restricted_answer_stays_here_and_says_why() -> None:
    decision = decided("shorten that", turn(1, "restricted"))
    assert (decision.status, decision.locality) == (Status.ROUTED, Locality.LOCAL)
    assert decision.rejected[0].code is Code.RESTRICTED_CONTENT
    assert told(FROM) in decision.reason


def test_a_follow_up_on_what_a_rule_keeps_here_stays_here() -> None:
    decision = decided("shorten that", turn(1, "local", origin=(Link(name="rule `auth`", reason="local_only"),)))
    assert (decision.status, decision.locality) == (Status.ROUTED, Locality.LOCAL)
    assert "rule `auth` (local_only)" in decision.reason


@pytest.mark.parametrize("label", ["restricted", "local"])
def test_another_question_goes_without_it(label: Label) -> None:
    decision = decided("What is a mutex?", turn(1, label), turn(2))
    assert decision.locality is Locality.REMOTE
    assert [entry.path for entry in decision.context.included] == ["turn 2 of the session"]
    assert [(e.path, told(FROM) in e.reason) for e in decision.context.excluded] == [("turn 1 of the session", True)]


def test_an_answer_is_judged_by_the_policy_of_today_too() -> None:
    free = turn(1, forms=("notes/plan.txt",))
    assert decided("shorten that", free).locality is Locality.REMOTE
    stricter = ROUTES.replace('"secrets/**"', '"secrets/**", "notes/*"')
    assert decided("shorten that", free, policy=stricter).locality is Locality.LOCAL
    rule = '[[routing.rules]]\nname = "n"\npaths = ["notes/**"]\nmodel = "ollama/m"\nlocal_only = true\n'
    assert decided("shorten that", free, policy=ROUTES + rule).locality is Locality.LOCAL


CHANGES: Mapping[str, Callable[[Turn], Turn]] = {
    "words": lambda one: one._replace(words="other words"),
    "answer": lambda one: one._replace(answer="other answer"),
    "label": lambda one: one._replace(label="local"),
    "origin": lambda one: one._replace(origin=(Link(name="b", reason="c"),)),
    "forms": lambda one: one._replace(forms=("a.py",)),
    "number": lambda one: one._replace(number=7),
    "no body": lambda one: one._replace(answer=None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_turns_are_an_input_of_the_decision(name: str) -> None:
    snap = world(ROUTES)
    one = turn(1, "restricted")
    before, same, after = (
        decide(snap, "What is a mutex?", context_of("What is a mutex?", t)) for t in (one, one, CHANGES[name](one))
    )
    assert before == same
    assert before.inputs["session"] != after.inputs["session"]
    assert before.decision_id != after.decision_id


def test_the_id_of_a_session_is_no_input() -> None:
    snap = world(ROUTES)
    context = context_of("What is a mutex?", turn(1))
    first, second = (decide(snap, "What is a mutex?", context, session=name) for name in ("0" * 32, "1" * 32))
    assert first == second
    assert "session" not in decide(snap, "What is a mutex?").inputs


# ------------------------------------------------------------------------------------------------- laws of the labels

LABELS: st.SearchStrategy[Label | None] = st.sampled_from([None, "local", "restricted"])
TURNS = st.lists(st.tuples(LABELS, st.booleans()), max_size=6).map(
    lambda drawn: [
        turn(n, label, forms=("secrets/x",) if of_secret else ("src/a.py",))
        for n, (label, of_secret) in enumerate(drawn, 1)
    ]
)
TEXTS = st.sampled_from([*BACK, *ALONE])
SNAP = world(ROUTES)


@given(TURNS, TEXTS)
def test_no_remote_candidate_is_chosen_with_a_labelled_turn(turns: list[Turn], text: str) -> None:
    decision = decide(SNAP, text, context_of(text, *turns))
    marked = {f"turn {t.number} of the session" for t in turns if t.label or t.forms == ("secrets/x",)}
    included = {entry.path for entry in decision.context.included}
    if decision.locality is Locality.REMOTE:
        assert not included & marked
    needed = {item.path for item in context_of(text, *turns).items if item.required}
    assert (decision.locality is Locality.LOCAL) == bool(needed & marked)


@given(TURNS, TEXTS, st.integers(0, 5), st.sampled_from(["local", "restricted"]))
def test_a_further_label_never_opens_anything(turns: list[Turn], text: str, place: int, label: Label) -> None:
    before = decide(SNAP, text, context_of(text, *turns))
    marked = [t._replace(label=label) if n == place and t.label is None else t for n, t in enumerate(turns)]
    after = decide(SNAP, text, context_of(text, *marked))
    if before.locality is Locality.LOCAL:
        assert after.locality is Locality.LOCAL
    else:
        kept = {entry.path for entry in before.context.included}
        assert after.locality is Locality.LOCAL or {e.path for e in after.context.included} <= kept


def test_equal_turns_are_hashed_alike_and_nothing_else_is_a_turn() -> None:
    context = context_of("a", turn(1), turn(2, words=None, answer=None))
    file = ContextItem("a.py", "file", 1, required=True, digest="00")
    found = turns_of(context._replace(items=(file, *context.items)))
    assert found is not None
    assert canonical(found) == canonical(context)
    assert turns_of(PhaseContext(items=(file,))) is None


CHAINS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=5).map(
    lambda drawn: [tuple(Link(name=name) for name in names) for names in drawn]
)


@given(CHAINS, st.integers(0, 4))
def test_the_shortest_way_is_told_whatever_the_order(chains: list[Chain], by: int) -> None:
    assert shortest(chains) == shortest(chains[::-1]) == shortest([*chains[by:], *chains[:by]])
    assert len(shortest(chains)) == min(map(len, chains))
