"""Which rule wins."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.effective import Origin, PlacedRule
from smista_mcp.core.globs import compile_glob
from smista_mcp.core.languages import language_of
from smista_mcp.core.matching import Conditions, RuleIndex, index_of, request_for
from smista_mcp.core.policy import Rule
from smista_mcp.core.values import FAMILY, Intent, Layer


def placed(order: int = 0, layer: Layer = Layer.USER, /, **fields: object) -> PlacedRule:
    rule = Rule.model_validate({"name": f"r{order}", "model": "ollama/m", **fields})
    return PlacedRule(rule, Origin(layer), order)


def winner(rules: list[PlacedRule], intent: Intent = Intent.EDIT, skill: str | None = None, *paths: str) -> str | None:
    position = index_of(rules).first(request_for(intent, skill, paths))
    return None if position is None else rules[position].rule.name


def test_a_rule_on_a_family_matches_its_refinements() -> None:
    assert winner([placed(intent="edit")], Intent.TEST) == "r0"
    assert winner([placed(intent="test")], Intent.EDIT) is None
    assert winner([placed(intent="chat")], Intent.ANALYZE) == "r0"


def test_a_refinement_beats_its_family_at_equal_specificity() -> None:
    assert winner([placed(0, intent="edit"), placed(1, intent="test")], Intent.TEST) == "r1"


def test_a_rule_that_names_both_counts_as_the_refinement() -> None:
    assert winner([placed(0, intent="edit"), placed(1, intent=["edit", "test"])], Intent.TEST) == "r1"


def test_lower_priority_wins_before_specificity() -> None:
    broad = placed(0, priority=5)
    exact = placed(1, priority=30, intent="edit", paths=["src/**"], skill="s")
    assert winner([broad, exact], Intent.EDIT, "s", "src/a.py") == "r0"


_LADDER = [
    {"skill": "s", "paths": ["src/**"], "intent": "edit"},
    {"skill": "s", "paths": ["src/**"]},
    {"paths": ["src/**"], "intent": "edit"},
    {"skill": "s", "intent": "edit"},
    {"skill": "s"},
    {"paths": ["src/**"]},
    {"intent": "edit"},
    {},
]


@pytest.mark.parametrize(("more", "less"), list(itertools.combinations(range(len(_LADDER)), 2)))
def test_specificity_follows_the_written_ladder(more: int, less: int) -> None:
    rules = [placed(0, **_LADDER[less]), placed(1, **_LADDER[more])]
    assert winner(rules, Intent.EDIT, "s", "src/a.py") == "r1"


def test_further_conditions_break_ties_of_specificity() -> None:
    rules = [placed(0, intent="edit"), placed(1, intent="edit", languages=["python"])]
    assert winner(rules, Intent.EDIT, None, "a.py") == "r1"


def test_the_higher_layer_breaks_ties_then_the_place_in_the_file() -> None:
    preset, user = placed(0, Layer.PRESET, intent="edit"), placed(1, Layer.USER, intent="edit")
    assert winner([preset, user]) == "r1"
    assert winner([placed(0, intent="edit"), placed(1, intent="edit")]) == "r0"


def test_the_organisation_comes_before_any_priority() -> None:
    rules = [placed(0, priority=0, intent="edit"), placed(1, Layer.ORGANISATION, priority=1_000_000)]
    assert winner(rules) == "r1"


@pytest.mark.parametrize(
    ("condition", "meeting", "failing"),
    [
        ({"intent": "review"}, (Intent.REVIEW, None, ()), (Intent.EDIT, None, ())),
        ({"skill": "changelog"}, (Intent.COMMIT, "changelog", ()), (Intent.COMMIT, None, ())),
        ({"paths": ["src/**"]}, (Intent.EDIT, None, ("src/a",)), (Intent.EDIT, None, ("lib/a",))),
        ({"paths": ["src/auth/**"]}, (Intent.EDIT, None, ("src/auth/",)), (Intent.EDIT, None, ("SRC/auth/",))),
        ({"languages": ["rust"]}, (Intent.EDIT, None, ("x.RS",)), (Intent.EDIT, None, ("rs",))),
        ({"min_paths": 2}, (Intent.EDIT, None, ("a", "b")), (Intent.EDIT, None, ("a",))),
    ],
)
def test_each_condition_decides(
    condition: dict[str, object],
    meeting: tuple[Intent, str | None, tuple[str, ...]],
    failing: tuple[Intent, str | None, tuple[str, ...]],
) -> None:
    rules = [placed(**condition)]
    assert winner(rules, meeting[0], meeting[1], *meeting[2]) == "r0"
    assert winner(rules, failing[0], failing[1], *failing[2]) is None


def test_min_context_tokens_decides() -> None:
    index = index_of([placed(min_context_tokens=100)])
    assert index.first(request_for(Intent.EDIT, None, (), 100)) == 0
    assert index.first(request_for(Intent.EDIT, None, (), 99)) is None


def test_binding_rules_match_paths_without_case() -> None:
    index = index_of([placed(paths=["src/Auth/**"])], ignore_case=True)
    assert index.first(request_for(Intent.EDIT, None, ["SRC/AUTH/x"])) == 0
    kelvin = index_of([placed(paths=["k/**"])], ignore_case=True)
    assert kelvin.first(request_for(Intent.EDIT, None, ["\u212a/x"])) == 0
    decomposed = index_of([placed(paths=["src/schlu\u0308ssel/**"])], ignore_case=True)
    assert decomposed.first(request_for(Intent.EDIT, None, ["src/schlüssel/x"])) == 0


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("caf??", "caf\u00e9"),
        ("[!a]*", "A"),
        ("[!a]*", "a"),
        ("a**/b", "a/x/b"),
        ("a**/b", "ab"),
        ("x ", "x"),
        ("[\u00e0-\u00fc-z-a]x", "ax"),
    ],
)
def test_binding_rules_hold_wherever_git_may_match(pattern: str, path: str) -> None:
    index = index_of([placed(paths=[pattern])], ignore_case=True)
    assert index.first(request_for(Intent.EDIT, None, ["other", path])) == 0
    assert index.first(request_for(Intent.EDIT, None, ["z/\u00e9/y"])) is (0 if pattern == "[!a]*" else None)


_INTENTS = st.sampled_from(list(Intent))
_GLOBS = st.sampled_from(["src/**", "*.py", "a/b/*.rs", "**/b", "a", "*"])
_PATHS = st.sampled_from(["src/a.py", "a/b/c.rs", "b", "a/", "x/y", "lib/b/z.py"])
_RULE = st.fixed_dictionaries(
    {"priority": st.sampled_from([0, 5, 1000])},
    optional={
        "intent": st.lists(_INTENTS, min_size=1, max_size=2, unique=True),
        "skill": st.sampled_from(["s", "t"]),
        "paths": st.lists(_GLOBS, min_size=1, max_size=2, unique=True),
        "languages": st.just(["python"]),
        "min_paths": st.sampled_from([1, 2]),
    },
)


def _holds(rule: Rule, intent: Intent, skill: str | None, paths: list[str]) -> bool:
    return (
        (rule.intent is None or bool({intent, FAMILY[intent]} & set(rule.intent)))
        and (rule.skill is None or skill in rule.skill)
        and (rule.paths is None or any(compile_glob(g).fullmatch(p) for g in rule.paths for p in paths))
        and (rule.languages is None or any(language_of(p) == "python" for p in paths))
        and (rule.min_paths is None or len(paths) >= rule.min_paths)
    )


def _naive(rules: list[PlacedRule], intent: Intent, skill: str | None, paths: list[str]) -> str | None:
    """The order of the design, written out once more without any index."""
    ladder = [{"skill", "paths", "intent"}, {"skill", "paths"}, {"paths", "intent"}, {"skill", "intent"}]
    ladder += [{"skill"}, {"paths"}, {"intent"}, set[str]()]

    def key(placed: PlacedRule) -> tuple[int, ...]:
        rule = placed.rule
        named = {name for name in ("skill", "paths", "intent") if getattr(rule, name) is not None}
        family = rule.intent is not None and (intent not in rule.intent or FAMILY[intent] is intent)
        further = sum(getattr(rule, name) is not None for name in ("languages", "min_paths", "min_context_tokens"))
        return (rule.priority, ladder.index(named), int(family), -further, placed.order)

    holding = [p for p in rules if _holds(p.rule, intent, skill, paths)]
    return min(holding, key=key).rule.name if holding else None


@given(st.lists(_RULE, max_size=12), _INTENTS, st.sampled_from([None, "s", "t"]), st.lists(_PATHS, max_size=3))
def test_the_index_finds_what_a_plain_walk_finds(
    made: list[dict[str, object]], intent: Intent, skill: str | None, paths: list[str]
) -> None:
    rules = [placed(order, **fields) for order, fields in enumerate(made)]
    assert winner(rules, intent, skill, *paths) == _naive(rules, intent, skill, paths)


def test_ten_thousand_rules_are_not_walked() -> None:
    many = [Conditions(paths=(f"src/mod{i}/**",), priority=i) for i in range(10_000)]
    index = RuleIndex(many)
    assert list(index.matches(request_for(Intent.EDIT, None, ["src/mod9999/a"]))) == [9999]
