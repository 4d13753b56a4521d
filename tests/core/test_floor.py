"""The floor joins only upward."""

import pytest
from deciding import decide, world
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.effective import Origin, PlacedRule
from smista_mcp.core.facts import ContextItem, PathFact, PhaseContext
from smista_mcp.core.floor import Floor, Guard, floor
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.matching import index_of
from smista_mcp.core.policy import Rule
from smista_mcp.core.secretscan import SecretFact
from smista_mcp.core.task import IntentReading, Phase
from smista_mcp.core.values import Confidence, Grant, Intent, Layer
from smista_mcp.errors import Code


def guard(
    restricted: tuple[str, ...] = (), blocked: tuple[str, ...] = (), mode: Grant = Grant.ALLOW, **rule: object
) -> Guard:
    bindings = [
        PlacedRule(Rule.model_validate({"name": "bind", "model": "ollama/m", **rule}), Origin(Layer.USER), 0)
    ] * bool(rule)
    return Guard(
        restricted=GlobSet(restricted, ignore_case=True),
        blocked=GlobSet(blocked, ignore_case=True),
        unsendable=GlobSet((*restricted, *blocked), ignore_case=True),
        remote_mode=mode,
        bindings=bindings,
        ranking=index_of(bindings, ignore_case=True),
    )


def phase(
    intent: Intent = Intent.EDIT, confidence: Confidence = Confidence.HIGH, runner_up: Intent | None = None
) -> Phase:
    reading = IntentReading(name=intent, source="reader", confidence=confidence, runner_up=runner_up)
    return Phase(index=0, intent=reading, text="do it")


def at(path: str, *, required: bool = True) -> PhaseContext:
    return PhaseContext(paths=(PathFact(path, "call", forms=(path,), required=required),))


def item(path: str, *, required: bool, restricted: str | None = None) -> ContextItem:
    return ContextItem(path, "file", 10, required, "00", forms=(path,), restricted=restricted)


def test_nothing_restricted_leaves_everything_open() -> None:
    found = floor(guard((".env",)), phase(), at("src/a.py"), 0)
    assert found == Floor(local=False, remote_denied=False, restricted=False, only_models=(), reasons=(), withheld={})


def test_a_restricted_required_path_must_stay() -> None:
    found = floor(guard((".env",)), phase(), at("apps/.ENV"), 0)
    assert (found.local, found.restricted) == (True, True)


def test_one_bad_form_of_a_path_is_enough() -> None:
    context = PhaseContext(paths=(PathFact("notes.txt", "call", forms=("notes.txt", "secrets/a")),))
    assert floor(guard(("secrets/**",)), phase(), context, 0).local


def test_a_path_in_passing_does_not_bind() -> None:
    assert not floor(guard((".env",)), phase(), at(".env", required=False), 0).local


def test_a_blocked_path_must_stay() -> None:
    assert floor(guard(blocked=("src/private/**",)), phase(), at("src/private/a"), 0).local


def test_a_restricted_discardable_item_is_withheld_and_remote_stays_possible() -> None:
    context = PhaseContext(items=(item("README.md", required=True), item(".env", required=False)))
    found = floor(guard((".env",)), phase(), context, 0)
    assert not found.local
    assert list(found.withheld) == [1]


def test_a_label_from_reading_counts_without_a_pattern() -> None:
    found = floor(guard(), phase(), PhaseContext(items=(item("a", required=True, restricted=".env"),)), 0)
    assert found.local


def test_mode_deny_keeps_every_phase_here() -> None:
    found = floor(guard(mode=Grant.DENY), phase(), PhaseContext(), 0)
    assert (found.local, found.remote_denied, found.restricted) == (True, True, False)


def test_a_binding_rule_on_paths_alone_binds_every_intent() -> None:
    rules = guard(paths=["src/auth/**"], local_only=True)
    assert all(floor(rules, phase(intent), at("SRC/auth/x.rs"), 0).local for intent in Intent)


def test_a_binding_rule_with_an_intent_binds_for_that_intent_only() -> None:
    rules = guard(paths=["src/auth/**"], intent="review", local_only=True)
    assert floor(rules, phase(Intent.REVIEW), at("src/auth/x.rs"), 0).local
    assert not floor(rules, phase(Intent.EDIT), at("src/auth/x.rs"), 0).local


def test_an_unsure_reading_binds_for_its_runner_up_too() -> None:
    rules = guard(intent="review", local_only=True)
    unsure = phase(Intent.CHAT, Confidence.LOW, Intent.REVIEW)
    sure = phase(Intent.CHAT, Confidence.HIGH, Intent.REVIEW)
    assert floor(rules, unsure, PhaseContext(), 0).local
    assert not floor(rules, sure, PhaseContext(), 0).local


def test_a_binding_rule_hit_by_a_discardable_item_drops_that_item() -> None:
    rules = guard(paths=["src/auth/**"], local_only=True)
    context = PhaseContext(items=(item("src/auth/a.rs", required=False), item("b", required=False)))
    found = floor(rules, phase(), context, 0)
    assert not found.local
    assert list(found.withheld) == [0]


def test_only_models_binds_without_making_it_local() -> None:
    found = floor(guard(intent="edit", only_models=["class:approved"]), phase(), PhaseContext(), 0)
    assert found.only_models == (("class:approved",),)
    assert not found.local


_PATHS = st.sampled_from(["src/a.py", ".env", "secrets/x", "src/auth/a.rs", "K.pem"])
_GLOBS = st.lists(st.sampled_from([".env", "secrets/**", "*.pem", "src/auth/**"]), max_size=3)
_ITEMS = st.lists(st.tuples(_PATHS, st.booleans()), max_size=3)


@given(
    st.tuples(_GLOBS, _GLOBS),
    st.sampled_from(list(Grant)),
    st.lists(_PATHS, max_size=3),
    _ITEMS,
    st.tuples(_PATHS, st.booleans()),
)
def test_more_paths_items_or_patterns_never_open_what_was_closed(
    patterns: tuple[list[str], list[str]],
    mode: Grant,
    paths: list[str],
    made: list[tuple[str, bool]],
    addition: tuple[str, bool],
) -> None:
    globs, more = patterns
    added, required = addition
    facts = tuple(PathFact(path, "call", forms=(path,)) for path in paths)
    items = tuple(item(path, required=needed) for path, needed in made)
    before = floor(guard(tuple(globs), mode=mode), phase(), PhaseContext(facts, items=items), 0)
    wider = PhaseContext(
        (*facts, PathFact(added, "named", forms=(added,))), items=(*items, item(added, required=required))
    )
    after = floor(guard((*globs, *more), mode=mode), phase(), wider, 0)
    assert before.local <= after.local
    assert before.restricted <= after.restricted
    assert set(before.withheld) <= set(after.withheld)


TOKEN = SecretFact("github_token", 3, "github_token-0123456789abcdef")


def with_secret(path: str, *, required: bool) -> ContextItem:
    return item(path, required=required)._replace(secrets=(TOKEN,))


def test_a_secret_in_the_words_or_in_what_is_needed_keeps_the_phase_here() -> None:
    for context in (PhaseContext(secrets=(TOKEN,)), PhaseContext(items=(with_secret("a", required=True),))):
        found = floor(guard(), phase(), context, 0)
        assert (found.local, found.restricted, found.secret, found.code) == (True, True, True, Code.SECRET_DETECTED)
        assert "github_token in line 3" in found.reasons[0]


def test_a_secret_in_what_is_only_helpful_withholds_that_alone() -> None:
    items = (with_secret("a", required=False), item("b", required=True))
    found = floor(guard(), phase(), PhaseContext(items=items), 0)
    assert (found.local, found.restricted, list(found.withheld), found.kept) == (False, False, [0], frozenset())


def test_what_a_path_restricts_is_called_so_whatever_else_is_in_it() -> None:
    found = floor(guard((".env",)), phase(), PhaseContext(items=(with_secret(".env", required=True),)), 0)
    assert (found.local, found.secret, found.code) == (True, False, Code.RESTRICTED_CONTENT)
    assert found.withheld[0] == "restricted by `.env`"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=6), st.booleans())
def test_a_secret_never_loosens(items: list[tuple[bool, bool]], words: bool) -> None:
    plain = tuple(item(f"f{n}", required=required) for n, (required, _) in enumerate(items))
    held = tuple(one._replace(secrets=(TOKEN,)) if has else one for one, (_, has) in zip(plain, items, strict=True))
    before = floor(guard(("f0",)), phase(), PhaseContext(items=plain), 0)
    after = floor(guard(("f0",)), phase(), PhaseContext(items=held, secrets=(TOKEN,) * words), 0)
    assert (before.local, before.restricted) <= (after.local, after.restricted)
    assert before.withheld.keys() <= after.withheld.keys()


# ------------------------------------------------------------------------------------------ what lifts no binding rule

REVIEWS_STAY = """
[[routing.rules]]
name = "reviews stay"
intent = "review"
local_only = true
model = "ollama/m"
[[routing.rules]]
name = "the rest"
model = "anthropic/claude-opus"
[privacy.remote]
mode = "allow"
"""


@pytest.mark.parametrize(
    "case",
    [
        {"text": "review src/auth/a.py for security problems"},
        {"text": "review src/auth/a.py for security problems", "intent": "chat"},
        {"text": "review src/auth/a.py for security problems", "intent": "edit", "model": "anthropic/claude-opus"},
        {"text": "/notes review src/auth/a.py for security problems"},
    ],
)
def test_no_word_of_a_call_lifts_a_rule_that_binds_what_the_words_ask_for(case: dict[str, str]) -> None:
    decision = decide(world(REVIEWS_STAY), **case)
    assert (decision.locality, decision.code) in {("local", None), (None, "restricted_content")}


def test_a_rule_about_words_lifts_no_rule_that_binds() -> None:
    renamed = '[[classification.rules]]\nintent = "chat"\npriority = 0\nkeywords = ["review"]\n'
    decision = decide(world(REVIEWS_STAY + renamed), "review the auth code")
    assert decision.intent.name == "chat"
    assert (decision.locality, decision.code) in {("local", None), (None, "restricted_content")}
    assert decide(world(REVIEWS_STAY + renamed), "explain the auth code").locality == "remote"
