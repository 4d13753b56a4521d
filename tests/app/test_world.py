"""What decisions see: policy files read when they change, servers asked only where they are named, time, keys."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from model_server import ModelServer, serving, unused_port
from workbench import ALLOWED, Bench, compat, default, ollama

from smista_mcp.app import App, Caller
from smista_mcp.app.availability import availability, named_models
from smista_mcp.app.world import keyed, period_start
from smista_mcp.core.decision import Decision
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort, Locality, Status
from smista_mcp.errors import Code, OrgPolicyInvalid, PolicyInvalid, SmistaError, UnknownModel

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")
VERBS: tuple[Callable[[App], object], ...] = (
    lambda app: app.classify(ASK.text),
    lambda app: app.route(ASK),
    lambda app: app.explain(task=ASK),
)


async def routed(app: App, task: Task = ASK, host: str | None = None) -> Decision:
    (decision,) = (await anyio.to_thread.run_sync(app.route, task, Caller(host))).decisions
    return decision


# ------------------------------------------------------------------------------------------------------------ policy


def test_a_policy_is_read_once_and_again_when_a_file_changes(bench: Bench) -> None:
    app = bench.app(default("host/current"))
    first = app.world.book()
    assert app.world.book() is first
    bench.write_policy(default("ollama/m"))
    second = app.world.book()
    assert second is not first
    assert second.policy.default is not None
    assert second.policy.default.model == "ollama/m"
    assert app.world.book() is second
    bench.write(".smista/config.toml", '[privacy]\nrestricted_paths = ["notes/**"]\n')
    assert "notes/**" in {pattern for pattern, _ in app.world.book().policy.restricted}


def test_a_broken_policy_is_told_at_each_call_until_it_is_mended(bench: Bench) -> None:
    app = bench.app(default("host/current"))
    app.route(ASK)
    bench.write_policy("[routing.default]\nmodel = 5\n")
    for verb in (*VERBS, *VERBS):
        with pytest.raises(PolicyInvalid) as failure:
            verb(app)
        assert failure.value.code is Code.POLICY_INVALID
        assert "config.toml:2" in failure.value.message
        assert failure.value.fix
    bench.write_policy(default("host/current"))
    assert app.route(ASK).decisions[0].status is Status.HANDOFF


def test_a_preset_that_does_not_exist_is_told_with_those_that_do(bench: Bench) -> None:
    with pytest.raises(PolicyInvalid, match="embedded"):
        bench.app(preset="embeded").route(ASK)


def test_an_organisation_s_policy_refuses_every_call_for_as_long_as_it_is_there(bench: Bench, tmp_path: Path) -> None:
    app = bench.app(default("host/current"), SMISTA_ORG_POLICY=str(tmp_path / "org.toml"))
    for _ in range(2):
        with pytest.raises(OrgPolicyInvalid) as failure:
            app.route(ASK)
        assert failure.value.code is Code.ORG_POLICY_INVALID


def test_classifying_needs_nothing_but_the_policy(bench: Bench) -> None:
    words = '[[classification.rules]]\nintent = "plan"\nkeywords = ["ponder"]\n'
    app = bench.app(words + default("host/current"))
    answer = app.classify("ponder the login")
    assert [(phase.intent, phase.source) for phase in answer.phases] == [("plan", "rule:1")]
    assert not bench.state.exists()


# ----------------------------------------------------------------------------------------------------------- identity


async def test_the_same_question_gets_the_same_decision_and_the_same_hashes(bench: Bench) -> None:
    async with serving() as server:
        policy = default("ollama/m") + ollama(server.root)
        first = await routed(bench.app(policy))
        second = await routed(bench.app())
    assert first == second
    assert set(first.inputs) == {
        *(
            "availability",
            "budgets",
            "catalog",
            "context",
            "host",
            "phase",
            "policy",
            "secret_rules",
            "task",
            "version",
        ),
        "workspace",
    }


async def test_what_changes_a_decision_changes_the_hash_of_that_input_alone(bench: Bench) -> None:
    async with serving(models=("m",)) as server, serving(models=("m", "n")) as other:
        policy = default("ollama/m") + ollama(server.root)
        base = await routed(bench.app(policy))

        def changed(decision: Decision) -> set[str]:
            assert decision.decision_id != base.decision_id
            return {name for name, value in decision.inputs.items() if value != base.inputs[name]}

        assert changed(await routed(bench.app(), Task(text="What is an unit test?"))) == {"task", "phase"}
        assert changed(await routed(bench.app(), host="claude-code")) == {"host"}
        assert changed(await routed(bench.app(policy + "# a word\n"))) == {"policy"}
        assert changed(await routed(bench.app(policy.replace(server.root, other.root)))) == {"policy", "availability"}
        assert changed(await routed(bench.app(policy), ASK.model_copy(update={"effort": Effort.LOW}))) == {"task"}
        assert await routed(bench.app()) == base


def test_hashes_of_texts_are_keyed_with_the_secret_of_this_installation(bench: Bench) -> None:
    app = bench.app(default("host/current"))
    key = app.world.key()
    assert len(key) == 32
    assert bench.app().world.key() == key
    assert keyed(key, "text") != keyed(b"", "text")
    first = app.route(ASK).decisions[0]
    (bench.state / "key").unlink()
    second = bench.app().route(ASK).decisions[0]
    assert {name for name in first.inputs if first.inputs[name] != second.inputs[name]} == {"task", "phase", "context"}


def test_budgets_begin_with_the_day_and_the_month_of_utc() -> None:
    now = datetime(2026, 11, 20, 23, 59, 59, 5, tzinfo=UTC)
    assert period_start("day", now) == datetime(2026, 11, 20, tzinfo=UTC)
    assert period_start("month", now) == datetime(2026, 11, 1, tzinfo=UTC)


def test_the_catalog_is_of_today_and_kept_for_a_policy(bench: Bench) -> None:
    world = bench.app(default("host/current")).world
    policy = world.book().policy
    assert world.catalog(policy) is world.catalog(policy)


def test_a_host_is_known_by_its_name_and_the_environment(bench: Bench) -> None:
    assert bench.app().world.host("claude-code").name == "claude-code"
    assert bench.app().world.host(None).name == "unknown"
    assert bench.app(CLAUDECODE="1").world.host(None).name == "claude-code"
    assert bench.app(SMISTA_HOST="codex").world.host("claude-code").name == "codex"
    app = bench.app()
    assert app.call_limit_s(Caller("claude-code")) > app.call_limit_s(Caller()) > 30


# ------------------------------------------------------------------------------------------------------- availability


async def test_only_servers_that_the_policy_names_are_asked(bench: Bench) -> None:
    async with serving() as named, serving() as other:
        providers = ollama(other.root) + compat("a", named.v1) + ALLOWED
        await routed(bench.app(default("openai-compat:a/m") + providers))
        assert (named.listed > 0, other.listed) == (True, 0)
        await routed(bench.app(), ASK.model_copy(update={"model": "ollama/m"}))
        assert other.listed > 0


async def test_servers_are_asked_once_for_decisions_in_quick_succession(bench: Bench) -> None:
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        await routed(app)
        asked = server.listed
        await routed(app)
        await routed(bench.app())
        assert server.listed == asked > 0


async def test_the_class_of_local_models_has_those_that_a_local_server_runs_itself(bench: Bench) -> None:
    async with serving(models=("b:latest", "a:7b", "c:cloud")) as server:
        decision = await routed(bench.app(default("class:local") + ollama(server.root)))
    assert (decision.status, decision.model, decision.locality) == (Status.ROUTED, "ollama/a:7b", Locality.LOCAL)
    assert decision.fallbacks == ("ollama/b:latest",)


async def test_without_a_policy_and_without_a_server_the_host_does_it(bench: Bench) -> None:
    answer = await anyio.to_thread.run_sync(bench.app().route, ASK)
    (decision,) = answer.decisions
    assert "smista-mcp init" in answer.notices[0]
    if decision.status is not Status.ROUTED:  # a server may run at the customary address
        assert (decision.status, decision.code) == (Status.HANDOFF, Code.PROVIDER_UNAVAILABLE)
        assert decision.handoff is not None


def test_remote_providers_are_not_asked_only_their_keys_are_looked_for(bench: Bench) -> None:
    policy = bench.app(default("anthropic/claude-sonnet", "openai/gpt-5")).world.book().policy
    named = named_models(policy, None)
    keys = {"ANTHROPIC_API_KEY": "x"}
    found = availability(policy, named, keys.get, bench.state, now=0.0)
    assert {name: (facts.reachable, facts.credentials) for name, facts in found.items()} == {
        "anthropic": (None, True),
        "openai": (None, False),
    }


async def test_a_server_on_this_machine_whose_key_is_declared_and_unset_is_not_used(bench: Bench) -> None:
    async with serving() as server:
        keyed_one = compat("a", server.v1, local=True) + 'api_key = "${secret:A_KEY}"\n'
        policy = keyed_one + default("openai-compat:a/m")
        decision = await routed(bench.app(policy))
        assert (decision.status, decision.code) == (Status.REFUSED, Code.MISSING_PROVIDER_CREDENTIALS)
        assert "A_KEY" in decision.reason
        assert server.listed == 0
        assert (await routed(bench.app(policy, A_KEY="made-up"))).status is Status.ROUTED


def test_keys_that_were_put_into_the_wrong_field_are_not_repeated(bench: Bench) -> None:
    key = "sk-" + "made-up-0123456789abcdefgh"
    task = Task(text=f"explain @{key}", model=f"openai/{key}", paths=(key,))
    app = bench.app(default("host/current"))
    with pytest.raises(SmistaError) as failure:
        app.route(task.model_copy(update={"skill": key}))
    assert failure.value.code is Code.UNKNOWN_SKILL
    assert key not in str(failure.value)
    for decision in (*app.route(task).decisions, *app.route(task.model_copy(update={"model": None})).decisions):
        silent = decision.handoff and decision.handoff.model_copy(update={"prompt": ""})
        assert key not in decision.model_copy(update={"handoff": silent}).model_dump_json()
        assert decision.handoff is None or key in decision.handoff.prompt  # the host's own words, for the host


def test_a_model_that_nobody_has_is_refused_by_the_decision(bench: Bench) -> None:
    app = bench.app(default("host/current"))
    for name in ("class:none", "nobody/m"):
        (decision,) = app.route(ASK.model_copy(update={"model": name})).decisions
        assert (decision.status, decision.code) == (Status.REFUSED, Code.UNKNOWN_MODEL)


@pytest.mark.parametrize("name", ["nonsense", "a b/c", "class:", "/m", "a/", "a\tb/c", "x" * 4000])
def test_a_name_that_can_be_no_model_is_told_with_what_to_write(bench: Bench, name: str) -> None:
    app = bench.app(default("host/current"))
    with pytest.raises(UnknownModel) as failure:
        app.route(ASK.model_copy(update={"model": name}))
    assert failure.value.code is Code.UNKNOWN_MODEL
    assert "provider/model" in failure.value.fix
    assert len(failure.value.message) < 200


async def test_a_server_that_hangs_holds_a_decision_up_for_less_than_half_a_second(bench: Bench) -> None:
    hung = ModelServer(port=unused_port())
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=hung.port)
    async with listener:
        app = bench.app(default("ollama/m", "host/current") + ollama(hung.root))
        began = anyio.current_time()
        decision = await routed(app)
        assert anyio.current_time() - began < 1
    assert decision.status is Status.HANDOFF
    assert [rejected.code for rejected in decision.rejected] == [Code.PROVIDER_UNAVAILABLE]


def test_files_of_this_installation_are_for_its_user_alone(bench: Bench) -> None:
    bench.app(default("host/current")).route(ASK)
    for file in bench.state.iterdir():
        assert file.stat().st_mode & 0o077 == 0
    assert bench.state.stat().st_mode & 0o077 == 0
