"""Under which of its names a model is allowed or denied: a synonym that a policy declares opens nothing."""

import pytest
from deciding import book, decide, layer, world

from smista_mcp.core.decision import Decision
from smista_mcp.core.facts import HostFacts, LiveModel, ProviderFacts
from smista_mcp.core.values import Layer, Locality, Status
from smista_mcp.errors import Code

OPEN = '[privacy.remote]\nmode = "allow"\n'
OPUS = "anthropic/claude-opus-4-5"
HAIKU = "anthropic/claude-haiku-4-5"


def default(model: str) -> str:
    return f'{OPEN}[routing.default]\nmodel = "{model}"\n'


def synonym(name: str, same_as: str) -> str:
    return f'[catalog."{name}"]\nsame_as = "{same_as}"\n'


def under(organisation: str, user: str, **task: object) -> Decision:
    return decide(world(book(layer(organisation, Layer.ORGANISATION), user)), "do it", **task)


@pytest.mark.parametrize(
    ("allowed", "written", "extra", "passes"),
    [
        # what our own catalog takes for one counts as one
        ("anthropic/claude-sonnet", "anthropic/claude-sonnet", "", True),
        ("anthropic/claude-sonnet-5-5", "anthropic/claude-sonnet", "", True),
        (OPUS, f"{OPUS}-20251101", "", True),
        (OPUS, f"{OPUS}@20251101", "", True),
        (OPUS, "anthropic/claude-opus-4.5", "", True),
        ("ollama/llama3", "ollama/llama3:latest", "", True),
        ("ollama/llama3:latest", "ollama/llama3", "", True),
        ("ollama/llama3", "ollama/llama3:8b", "", False),
        (f"{OPUS}-20251101", OPUS, "", False),
        ("anthropic/claude-opus-4-1", OPUS, "", False),
        # a synonym of the policy does not: what runs must be permitted itself
        ("anthropic/claude-haiku*", f"{HAIKU}-x", synonym(f"{HAIKU}-x", OPUS), False),
        (HAIKU, HAIKU, synonym(HAIKU, OPUS), False),
        (HAIKU, "anthropic/a", synonym("anthropic/a", HAIKU) + synonym(HAIKU, OPUS), False),
        ("anthropic/claude-haiku*", "anthropic/best", synonym("anthropic/best", OPUS), False),
        (OPUS, "anthropic/best", synonym("anthropic/best", OPUS), True),
        ("anthropic/claude-opus", "anthropic/best", synonym("anthropic/best", "anthropic/claude-opus"), True),
        # at another provider it stays its own model: the name that is sent is the one written
        ("openai/o-*", "openai/o-1x", synonym("openai/o-1x", OPUS), True),
        (OPUS, "openai/o-1x", synonym("openai/o-1x", OPUS), False),
    ],
)
@pytest.mark.parametrize("key", ["allowed", "only_models"])
def test_what_goes_to_the_wire_must_be_permitted_itself(
    key: str, allowed: str, written: str, extra: str, *, passes: bool
) -> None:
    organisation = f'[models]\nallowed = ["{allowed}"]\n'
    if key == "only_models":
        if "*" in allowed:
            allowed = allowed.replace("*", "-4-5") if "haiku" in allowed else written
        organisation = (
            f'[[routing.rules]]\nname = "bound"\noverridable = true\nonly_models = ["{allowed}"]\nmodel = "{written}"\n'
        )
    found = under(organisation, default(HAIKU) + extra, model=written)
    assert (found.status is Status.ROUTED) is passes, found.reason
    if not passes:
        assert found.code is Code.MODEL_NOT_ALLOWED


@pytest.mark.parametrize(
    ("denied", "written", "extra"),
    [
        ("openai/gpt-4o", "openai/gpt-4o-2024-05-13", ""),
        (OPUS, f"{OPUS}-20251101", ""),
        (OPUS, f"{OPUS}@20251101", ""),
        (OPUS, OPUS.upper().replace("ANTHROPIC", "anthropic"), ""),
        ("anthropic/claude-sonnet-*", "anthropic/claude-sonnet", ""),
        ("ollama/llama3", "ollama/llama3:latest", ""),
        ("ollama/llama3:latest", "ollama/llama3", ""),
        ("ollama/llama3", "ollama/llama3:8b", ""),
        ("ollama/llama3", "ollama/library/llama3:latest", ""),
        ("llama3", "ollama/llama3:8b", ""),
        ("gemini/gemini-2.5-pro", "gemini/models/gemini-2.5-pro", ""),
        # a synonym is denied under each of its names, those on the way and those of another provider too
        ("anthropic/best", "anthropic/best", synonym("anthropic/best", OPUS)),
        (OPUS, "anthropic/best", synonym("anthropic/best", f"{OPUS}-20251101")),
        ("anthropic/b", "anthropic/a", synonym("anthropic/a", "anthropic/b") + synonym("anthropic/b", OPUS)),
        (OPUS, "openai/o-1x", synonym("openai/o-1x", OPUS)),
        ("ollama/llama3", "ollama/mine", synonym("ollama/mine", "ollama/llama3:latest")),
    ],
)
def test_a_denied_model_is_denied_under_each_of_its_names(denied: str, written: str, extra: str) -> None:
    assert decide(default(written) + extra).status is Status.ROUTED
    found = under(f'[models]\ndenied = ["{denied}"]\n', default(written) + extra)
    assert (found.status, found.code) == (Status.REFUSED, Code.MODEL_NOT_ALLOWED)


def test_another_model_of_a_family_is_not_denied_with_it() -> None:
    for denied in ("openai/gpt-4", "anthropic/claude-opus-4-5", "ollama/llama"):
        for written in ("openai/gpt-4o", "anthropic/claude-opus-4-1", "ollama/llama3"):
            assert under(f'[models]\ndenied = ["{denied}"]\n', default(written)).status is Status.ROUTED


@pytest.mark.parametrize(
    ("same_as", "listed", "locality"),
    [
        ("ollama/gpt-oss:120b-cloud", True, Locality.REMOTE),
        ("ollama/gpt-oss:120b-cloud", False, Locality.REMOTE),
        ("ollama/kimi:cloud", True, Locality.REMOTE),
        ("ollama/kimi:cloud", False, Locality.REMOTE),
        ("ollama/plain", True, Locality.REMOTE),  # its server says that it passes it on
        ("ollama/only", True, Locality.REMOTE),  # its only tag does
        ("ollama/other:latest", True, Locality.LOCAL),
        ("ollama/other:latest", False, Locality.LOCAL),
    ],
)
def test_where_a_synonym_runs_is_told_by_what_is_sent(same_as: str, locality: Locality, *, listed: bool) -> None:
    names = ("llama3:latest", "gpt-oss:120b-cloud", "kimi:cloud", "only:x-cloud", "other:latest")
    models = {name: LiveModel(name) for name in names} | {"plain": LiveModel("plain", forwards=True)}
    provider = ProviderFacts(locality=Locality.LOCAL, reachable=True, models=models if listed else None, assumed=True)
    policy = default("ollama/llama3:latest") + synonym("ollama/llama3:latest", same_as)
    found = decide(world(policy, ollama=provider))
    assert (found.status, found.locality) == (Status.ROUTED, locality)
    kept = decide(world(policy + '[privacy]\nrestricted_paths = ["a"]\n', ollama=provider), paths=["a"])
    assert (kept.status is Status.ROUTED) is (locality is Locality.LOCAL)


def test_a_synonym_for_a_model_that_its_server_does_not_have_is_refused() -> None:
    provider = ProviderFacts(locality=Locality.LOCAL, reachable=True, models={"a": LiveModel("a")})
    policy = default("ollama/a") + synonym("ollama/a", "ollama/b")
    assert decide(world(policy, ollama=provider)).code is Code.UNKNOWN_MODEL


ORGANISATION_CLASS = f'[classes.c]\nmodels = ["{HAIKU}"]\n'


@pytest.mark.parametrize(
    ("organisation", "user", "passes"),
    [
        (f'model = "{HAIKU}"\n', "", True),
        (f'model = "{HAIKU}"\n', synonym(HAIKU, OPUS), False),
        (f'model = "{HAIKU}"\n' + synonym(HAIKU, OPUS), "", True),
        ('model = "class:c"\n' + ORGANISATION_CLASS, synonym(HAIKU, OPUS), False),
        ('model = "class:c"\n', ORGANISATION_CLASS + synonym(HAIKU, OPUS), True),
    ],
)
@pytest.mark.parametrize("route", ["[routing.default]\n", '[[routing.rules]]\nname = "r"\n'])
def test_nobody_puts_another_model_in_the_place_of_the_organisations(
    organisation: str, user: str, route: str, *, passes: bool
) -> None:
    found = under(route + organisation, OPEN + user)
    assert (found.status is Status.ROUTED) is passes, found.reason
    if not passes:
        assert found.code is Code.MODEL_NOT_ALLOWED


CLAUDE = HostFacts(name="h", models={"coding": "opus"}, switch_step="use {model}")
STAYS = HostFacts(name="h", models={"coding": "opus"})


@pytest.mark.parametrize(
    ("models", "host", "step"),
    [
        ("", CLAUDE, "use opus"),
        ('denied = ["*opus*"]', CLAUDE, None),
        ('denied = ["opus"]', CLAUDE, None),
        ('denied = ["host/opus"]', CLAUDE, None),
        ('denied = ["host/current"]', CLAUDE, "use opus"),
        ('denied = ["host/*"]', CLAUDE, "refused"),
        ('denied = ["host/current"]', STAYS, "refused"),
        ('denied = ["host/opus"]', STAYS, None),
        ('allowed = ["anthropic/*"]', CLAUDE, "refused"),
        ('allowed = ["host/current"]', CLAUDE, None),
        ('allowed = ["host/*"]', CLAUDE, "use opus"),
    ],
)
@pytest.mark.parametrize("route", ["", '[routing.default]\nmodel = "openai/gpt-4o"\n'])
def test_the_host_takes_over_only_with_a_model_that_may_be_used(
    models: str, host: HostFacts, step: str | None, route: str
) -> None:
    policy = f'{OPEN}[routing]\nhandoff = "when_unavailable"\n{route}'
    gone = ProviderFacts(locality=Locality.REMOTE, reachable=False)
    rulebook = book(layer(f"[models]\n{models}\n", Layer.ORGANISATION), policy)
    found = decide(world(rulebook, host=host, openai=gone), "fix it", intent="edit")
    assert found.code is not None
    assert found.status is (Status.REFUSED if step == "refused" else Status.HANDOFF)
    assert (found.handoff.step if found.handoff else "refused") == step
