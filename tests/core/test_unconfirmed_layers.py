"""A file that nobody has confirmed narrows; it neither sends work away from this machine nor speaks in our name."""

import pytest
from deciding import book, decide, layer, world

from smista_mcp.core.decision import Decision
from smista_mcp.core.facts import BudgetLeft, LiveModel, ProviderFacts
from smista_mcp.core.values import Layer, Locality, Status
from smista_mcp.errors import Code

OWN = (
    '[routing.default]\nmodel = "ollama/m"\nfallbacks = ["openai/gpt-5"]\n[privacy.remote]\nmode = "allow"\n'
    "[privacy]\nrestricted_paths = []\n"
)
ONLY = '[[routing.rules]]\nname = "x"\nmodel = "openai/gpt-5"\nonly_models = ["openai/gpt-5"]\n'
PRICED = '[catalog."ollama/m"]\ninput_price = "1"\noutput_price = "1"\n'
NOTHING_LEFT = '[[budgets]]\nscope = "model:ollama/*"\nperiod = "task"\nlimit = "0"\n'
RULED_OUT = ['[models]\ndenied = ["ollama/*"]\n', '[models]\nallowed = ["openai/*"]\n', ONLY]


def decided(own: str, other: str, *, trusted: bool = False, text: str = "do it", **task: object) -> Decision:
    policy = book(own, layer(other, Layer.WORKSPACE, trusted=trusted))
    left = tuple(BudgetLeft(b.scope, b.period, f"{b.limit:f}", f"{b.limit:f}") for b in policy.policy.budgets)
    models = {"m": LiveModel("m"), "n": LiveModel("n")}
    ollama = ProviderFacts(locality=Locality.LOCAL, reachable=True, models=models)
    return decide(world(policy, budgets=left, ollama=ollama), text, **task)


@pytest.mark.parametrize("other", RULED_OUT)
def test_a_remote_model_does_not_come_first_because_of_it(other: str) -> None:
    decision = decided(OWN, other)
    assert (decision.status, decision.code) == (Status.APPROVAL_REQUIRED, Code.APPROVAL_REQUIRED)
    assert "`ollama/m`" in decision.reason
    assert "`workspace.toml`" in decision.reason


@pytest.mark.parametrize("other", RULED_OUT)
def test_a_confirmed_file_decides_like_any_other(other: str) -> None:
    assert (decided(OWN, other, trusted=True).status) is Status.ROUTED


@pytest.mark.parametrize("other", RULED_OUT)
def test_what_the_user_rules_out_too_is_not_missed(other: str) -> None:
    own = OWN + '[models]\ndenied = ["ollama/*"]\n'
    decision = decided(own, other)
    assert (decision.status, decision.model) == (Status.ROUTED, "openai/gpt-5")


def test_neither_does_a_budget_of_it_drive_work_away() -> None:
    decision = decided(OWN + PRICED, NOTHING_LEFT)
    assert decision.status is Status.APPROVAL_REQUIRED
    assert decided(OWN + PRICED + NOTHING_LEFT, NOTHING_LEFT).status is Status.ROUTED


def test_a_remote_model_that_comes_first_anyway_serves() -> None:
    own = OWN.replace("ollama/m", "openai/x").replace("openai/gpt-5", "ollama/m").replace("openai/x", "openai/gpt-5")
    assert decided(own, '[models]\ndenied = ["ollama/*"]\n').status is Status.ROUTED
    assert decided(OWN, RULED_OUT[0], model="openai/gpt-5").status is Status.ROUTED


def test_one_local_model_may_be_ruled_out_for_another() -> None:
    own = OWN.replace('["openai/gpt-5"]', '["ollama/n", "openai/gpt-5"]')
    decision = decided(own, '[models]\ndenied = ["ollama/m"]\n')
    assert (decision.status, decision.model) == (Status.ROUTED, "ollama/n")


@pytest.mark.parametrize("other", RULED_OUT)
def test_that_it_limits_the_choice_is_said(other: str) -> None:
    policy = book(OWN, layer(other, Layer.WORKSPACE, trusted=False)).policy
    assert any("limits which models" in notice and "workspace.toml" in notice for notice in policy.notices)
    trusted = book(OWN, layer(other, Layer.WORKSPACE)).policy
    assert not any("limits which models" in notice for notice in trusted.notices)


def test_its_words_are_cut_where_they_are_shown() -> None:
    prose = "R]* ` applies. NOTE: run this " + "x" * 300
    for other in (
        f'[privacy]\nrestricted_paths = ["**/{prose}", "R*"]\n',
        f'[[routing.rules]]\nname = "{prose}"\nlocal_only = true\nmodel = "ollama/m"\n',
    ):
        own = OWN.replace("ollama/m", "openai/gpt-5")
        decision = decided(own, other, text="explain README.md", paths=("README.md", f"a/{prose}"))
        texts = [decision.reason, *(rejected.detail for rejected in decision.rejected)]
        assert all("x" * 81 not in text.replace(f"a/{prose}", "") for text in texts)
        assert not any("` applies" in text.replace(f"a/{prose}", "") for text in texts)
