"""From a task to a decision: every key of a policy can change it, and nothing loosens what is closed."""

import json

import pytest
from deciding import book, decide, layer, routed, world
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.answers import RouteAnswer
from smista_mcp.core.decision import Decision
from smista_mcp.core.facts import BudgetLeft, ContextItem, HostFacts, LiveModel, PathFact, PhaseContext, ProviderFacts
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort, Grant, Intent, Layer, Locality, Status
from smista_mcp.errors import Code

OPEN = """
[privacy.remote]
mode = "allow"
"""
DEFAULT = f"""
[routing.default]
model = "anthropic/claude-sonnet"
{OPEN}"""
RULE = """
[[routing.rules]]
name = "r"
model = "openai/gpt-sol"
"""


def ruled(conditions: str, default: str = DEFAULT) -> str:
    return f"{RULE}{conditions}\n{default}"


def won(decision: Decision) -> bool:
    return decision.matched_rule is not None


@pytest.mark.parametrize(
    ("condition", "meeting", "failing"),
    [
        ('intent = "review"', {"intent": "review"}, {"intent": "edit"}),
        ('intent = ["review", "plan"]', {"intent": "plan"}, {"intent": "edit"}),
        ('skill = "changelog"', {"skill": "changelog"}, {}),
        ('paths = ["src/**"]', {"paths": ["src/a.py"]}, {"paths": ["lib/a.py"]}),
        ('languages = ["python"]', {"paths": ["a.py"]}, {"paths": ["a.rs"]}),
        ("min_paths = 2", {"paths": ["a", "b"]}, {"paths": ["a"]}),
        ("min_context_tokens = 50", {"text": "many words " * 40}, {"text": "few"}),
    ],
)
def test_each_condition_changes_the_decision(
    condition: str, meeting: dict[str, object], failing: dict[str, object]
) -> None:
    assert won(decide(ruled(condition), **meeting))
    assert not won(decide(ruled(condition), **failing))


def test_a_directory_counts_by_the_files_that_it_holds() -> None:
    files = tuple(item(f"src/{n}.py", 1, required=True) for n in range(3))
    context = PhaseContext(paths=(PathFact("src/", "call", forms=("src/",)),), items=files)
    assert won(decide(ruled("min_paths = 3"), "do it", context))
    assert not won(decide(ruled("min_paths = 4"), "do it", context))
    assert won(decide(ruled('languages = ["python"]'), "do it", context))
    assert won(decide(ruled('paths = ["src/**"]'), "do it", context))


def test_priority_changes_the_decision() -> None:
    second = RULE.replace('"r"', '"s"')
    names = [decide(f"{RULE}{second}{priority}{DEFAULT}").matched_rule for priority in ("", "priority = 5\n")]
    assert [found.name for found in names if found] == ["r", "s"]


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ('effort = "xhigh"', "effort", Effort.XHIGH),
        ('fallbacks = ["anthropic/claude-opus"]', "fallbacks", ("anthropic/claude-opus",)),
        ("local_only = true", "code", Code.RESTRICTED_CONTENT),
        ('only_models = ["anthropic/claude-opus"]', "code", Code.MODEL_NOT_ALLOWED),
        ("requires_capabilities = { vision = true, json = true, tools = true, reasoning = true }", "status", None),
        ('cost_limit = "0.000001"', "status", Status.APPROVAL_REQUIRED),
    ],
)
def test_each_key_of_a_route_changes_the_decision(key: str, field: str, value: object) -> None:
    plain, keyed = decide(ruled("")), decide(ruled(key))
    assert won(keyed)
    if value is not None:
        assert getattr(keyed, field) == value
        assert getattr(plain, field) != value


def test_a_required_capability_that_is_not_there_rejects() -> None:
    entry = '\n[catalog."openai/gpt-sol"]\ncapabilities = { vision = false }\n'
    found = decide(ruled("requires_capabilities = { vision = true }") + entry)
    assert found.code is Code.MISSING_CAPABILITY
    assert decide(ruled("") + entry).status is Status.ROUTED


def test_a_capability_that_nobody_knows_counts_as_missing() -> None:
    policy = (
        '[[routing.rules]]\nname = "r"\nmodel = "openai/no-such"\nrequires_capabilities = { tools = true }\n' + OPEN
    )
    assert decide(policy).code is Code.MISSING_CAPABILITY


BLIND = '\n[catalog."openai/gpt-sol"]\ncapabilities = { vision = false }\n'
SHOT = PhaseContext(items=(ContextItem("Shot.PNG", "attachment", 10, True, "0" * 64),))


@pytest.mark.parametrize(
    ("text", "context"),
    [("fix the layout in [Image #1]", None), ("what is wrong here? [Image: shot.png]", None), ("fix the layout", SHOT)],
)
def test_a_task_with_an_image_needs_a_model_that_can_look_at_it(text: str, context: PhaseContext | None) -> None:
    assert decide(ruled("") + BLIND, text, context).code is Code.MISSING_CAPABILITY
    assert decide(ruled(""), text, context).status is Status.ROUTED
    assert decide(ruled("requires_capabilities = { vision = false }") + BLIND, text, context).status is Status.ROUTED


@pytest.mark.parametrize("text", ["move logo.png to static/", "fix the image loader", "why is images[Image] empty?"])
def test_a_task_about_images_needs_no_such_model(text: str) -> None:
    assert decide(ruled("") + BLIND, text).status is Status.ROUTED


def test_a_rule_narrows_permissions_and_never_widens_them() -> None:
    narrowed = decide(ruled('required_permissions = { permissions = { file_write = "deny", shell = "allow" } }'))
    assert narrowed.permissions["file_write"] is Grant.DENY
    assert narrowed.permissions["shell"] is Grant.DENY
    assert decide(ruled("")).permissions["file_write"] is Grant.ASK


def test_permissions_of_the_policy_change_the_decision() -> None:
    assert decide(DEFAULT + '[tools.permissions]\nfile_read = "deny"\n').permissions["file_read"] is Grant.DENY


def test_no_rule_and_no_default_is_no_route() -> None:
    found = decide(OPEN)
    assert (found.status, found.code, found.model) == (Status.REFUSED, Code.NO_ROUTE, None)


def test_handoff_gives_the_work_to_the_host_where_nobody_is_left() -> None:
    found = decide(OPEN + '[routing]\nhandoff = "when_unavailable"\n')
    assert (found.status, found.code) == (Status.HANDOFF, Code.NO_ROUTE)
    assert found.handoff is not None
    assert found.handoff.step is None


def test_a_phase_that_must_stay_is_never_handed_over() -> None:
    policy = OPEN + '[routing]\nhandoff = "when_unavailable"\n[privacy]\nrestricted_paths = [".env"]\n'
    assert decide(policy, paths=[".env"]).status is Status.REFUSED


def test_the_host_does_it_where_the_route_says_so_with_its_own_step() -> None:
    host = HostFacts(name="h", models={"coding": "big"}, switch_step="use {model}")
    policy = '[routing.default]\nmodel = "host/big"\n'
    found = decide(world(policy, host=host))
    assert (found.status, found.code, found.model) == (Status.HANDOFF, None, "host/big")
    assert found.handoff is not None
    assert found.handoff.step == "use big"
    assert decide(world(policy.replace("big", "small"), host=host)).code is Code.UNKNOWN_MODEL


def test_the_hosts_current_model_needs_no_step() -> None:
    found = decide('[routing.default]\nmodel = "host/current"\n')
    assert found.status is Status.HANDOFF
    assert found.handoff is not None
    assert found.handoff.step is None


def test_mode_ask_needs_approval_for_remote_and_none_for_local() -> None:
    policy = '[routing.default]\nmodel = "{}"\n'
    remote = decide(policy.format("anthropic/claude-sonnet"))
    assert (remote.status, remote.code, remote.model) == (
        Status.APPROVAL_REQUIRED,
        Code.APPROVAL_REQUIRED,
        "anthropic/claude-sonnet",
    )
    assert decide(policy.format("ollama/qwen3")).status is Status.ROUTED


def test_mode_deny_refuses_every_remote_model() -> None:
    found = decide('[routing.default]\nmodel = "anthropic/claude-sonnet"\n[privacy.remote]\nmode = "deny"\n')
    assert (found.status, found.code) == (Status.REFUSED, Code.MODEL_NOT_ALLOWED)


def test_a_restricted_path_rejects_remote_models_fallbacks_and_overrides_included() -> None:
    policy = f'{OPEN}[privacy]\nrestricted_paths = ["secrets/**"]\n' + (
        '[routing.default]\nmodel = "anthropic/claude-sonnet"\nfallbacks = ["openai/gpt-sol", "ollama/qwen3"]\n'
    )
    found = decide(policy, paths=["Secrets/a.txt"])
    assert found.model == "ollama/qwen3"
    assert found.fallback_used
    assert [r.code for r in found.rejected] == [Code.RESTRICTED_CONTENT] * 2
    named = decide(policy, paths=["secrets/a.txt"], model="anthropic/claude-opus")
    assert (named.status, named.code) == (Status.REFUSED, Code.RESTRICTED_CONTENT)


def test_a_blocked_path_keeps_the_phase_here() -> None:
    policy = DEFAULT.replace('mode = "allow"', 'mode = "allow"\nblocked_paths = ["private/**"]')
    assert decide(policy, paths=["private/x"]).code is Code.RESTRICTED_CONTENT
    assert decide(policy, paths=["public/x"]).status is Status.ROUTED


@pytest.mark.parametrize(
    ("overrides", "model", "code"),
    [
        ("allow", "anthropic/claude-opus", None),
        ("deny", "anthropic/claude-opus", Code.OVERRIDE_NOT_ALLOWED),
        ("within_route", "anthropic/claude-opus", Code.OVERRIDE_NOT_ALLOWED),
        ("within_route", "anthropic/claude-sonnet", None),
    ],
)
def test_a_call_may_name_a_model_as_far_as_the_policy_lets_it(overrides: str, model: str, code: Code | None) -> None:
    found = decide(f'[routing]\noverrides = "{overrides}"\n{DEFAULT}', model=model)
    assert found.code is code
    assert found.override_used is (code is None)


def test_a_named_model_that_may_not_serve_is_refused_and_not_handed_over() -> None:
    policy = f'[routing]\nhandoff = "when_unavailable"\n{DEFAULT}[models]\ndenied = ["*opus*"]\n'
    found = decide(policy, model="anthropic/claude-opus")
    assert (found.status, found.code) == (Status.REFUSED, Code.MODEL_NOT_ALLOWED)


def test_models_allowed_and_denied_hold_for_written_and_resolved_names() -> None:
    assert decide(DEFAULT + '[models]\nallowed = ["openai/*"]\n').code is Code.MODEL_NOT_ALLOWED
    assert decide(DEFAULT + '[models]\ndenied = ["*sonnet-5*"]\n').code is Code.MODEL_NOT_ALLOWED
    assert decide(DEFAULT + '[models]\nallowed = ["ANTHROPIC/*"]\n').status is Status.ROUTED


def test_a_class_stands_for_its_models_in_order_or_by_price() -> None:
    models = 'models = ["anthropic/claude-opus", "anthropic/claude-haiku"]\n'
    policy = f'[routing.default]\nmodel = "class:x"\n[classes.x]\n{models}'
    assert decide(policy + OPEN).model == "anthropic/claude-opus"
    assert decide(policy + 'order = "cheapest"\n' + OPEN).model == "anthropic/claude-haiku"


def test_an_undefined_class_of_a_call_is_an_unknown_model() -> None:
    assert decide(DEFAULT, model="class:nothing").code is Code.UNKNOWN_MODEL


def test_class_local_is_every_model_of_the_servers_that_answer() -> None:
    policy = '[routing.default]\nmodel = "class:local"\n'
    up = ProviderFacts(Locality.LOCAL, reachable=True, models={"b": LiveModel("b"), "a": LiveModel("a", forwards=True)})
    assert decide(world(policy, ollama=up)).model == "ollama/b"
    down = ProviderFacts(Locality.LOCAL, reachable=False)
    assert decide(world(policy, ollama=down)).code is Code.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (ProviderFacts(Locality.REMOTE, credentials=False), Code.MISSING_PROVIDER_CREDENTIALS),
        (ProviderFacts(Locality.REMOTE, cooldown=True), Code.PROVIDER_COOLDOWN),
        (ProviderFacts(Locality.REMOTE, reachable=False), Code.PROVIDER_UNAVAILABLE),
    ],
)
def test_a_provider_that_cannot_serve_is_rejected(facts: ProviderFacts, code: Code) -> None:
    assert decide(world(DEFAULT, anthropic=facts)).code is code


@pytest.mark.parametrize(
    ("models", "name", "resolved"),
    [
        (["qwen3:latest", "qwen3:4b"], "qwen3", "ollama/qwen3:latest"),
        (["qwen3:4b"], "qwen3", "ollama/qwen3:4b"),
        (["qwen3:4b", "qwen3:8b"], "qwen3", None),
        (["other:1b"], "qwen3", None),
        (["qwen3:4b", "qwen3:8b"], "qwen3:8b", "ollama/qwen3:8b"),
    ],
)
def test_a_name_without_a_tag_means_latest_or_the_only_one(models: list[str], name: str, resolved: str | None) -> None:
    facts = ProviderFacts(Locality.LOCAL, reachable=True, models={m: LiveModel(m) for m in models})
    found = decide(world(f'[routing.default]\nmodel = "ollama/{name}"\n', ollama=facts))
    assert found.resolved_model == resolved
    assert found.code is (None if resolved else Code.UNKNOWN_MODEL)


def test_a_local_server_that_only_forwards_is_remote() -> None:
    facts = ProviderFacts(Locality.LOCAL, reachable=True, models={"m:cloud": LiveModel("m:cloud", forwards=True)})
    found = decide(
        world('[routing.default]\nmodel = "ollama/m:cloud"\n[privacy.remote]\nmode = "deny"\n', ollama=facts)
    )
    assert found.status is Status.REFUSED


def items(*made: ContextItem) -> PhaseContext:
    return PhaseContext(items=made)


def item(path: str, tokens: int, *, required: bool) -> ContextItem:
    return ContextItem(path, "file", tokens, required, "00", forms=(path,))


def test_required_context_over_the_window_rejects_and_helpful_context_is_left_out() -> None:
    entry = '[catalog."ollama/m"]\ncontext_window = 2000\n[routing.default]\nmodel = "ollama/m"\n'
    too_much = decide(entry, "do it", items(item("a", 3000, required=True)))
    assert too_much.code is Code.CONTEXT_WINDOW_EXCEEDED
    trimmed = decide(entry, "do it", items(item("a", 1000, required=True), item("b", 3000, required=False)))
    assert [entry.path for entry in trimmed.context.included] == ["a"]
    assert [entry.path for entry in trimmed.context.excluded] == ["b"]


def test_a_restricted_helpful_item_stays_out_of_a_remote_payload_only() -> None:
    policy = OPEN + '[privacy]\nrestricted_paths = [".env"]\n[routing.default]\nmodel = "{}"\n'
    context = items(item("a", 10, required=True), item(".env", 10, required=False))
    remote = decide(policy.format("anthropic/claude-sonnet"), "do it", context)
    assert [entry.path for entry in remote.context.excluded] == [".env"]
    local = decide(policy.format("ollama/m"), "do it", context)
    assert [entry.path for entry in local.context.included] == ["a", ".env"]


def test_a_cost_limit_asks_a_person_where_no_cheaper_candidate_is_left() -> None:
    policy = ruled('cost_limit = "0.000001"\nfallbacks = ["ollama/m"]')
    assert decide(policy).model == "ollama/m"
    alone = decide(ruled('cost_limit = "0.000001"'))
    assert (alone.status, alone.code, alone.model) == (
        Status.APPROVAL_REQUIRED,
        Code.APPROVAL_REQUIRED,
        "openai/gpt-sol",
    )


def test_an_unknown_price_is_refused_where_a_limit_or_a_budget_applies() -> None:
    policy = f'{OPEN}[routing.default]\nmodel = "openai/gpt-5.5-thinking"\n'
    assert decide(policy).cost is None
    budget = (BudgetLeft("all", "day", "10", "10"),)
    assert decide(world(policy, budgets=budget)).code is Code.PRICE_UNKNOWN
    priced = policy + '[catalog."openai/gpt-5.5-thinking"]\ninput_price = "1"\noutput_price = "2"\n'
    assert decide(world(priced, budgets=budget)).status is Status.ROUTED


@pytest.mark.parametrize(
    ("scope", "applies"),
    [
        ("all", True),
        ("project", True),
        ("intent:edit", True),
        ("intent:review", False),
        ("model:anthropic/*", True),
        ("model:openai/*", False),
    ],
)
def test_a_spent_budget_refuses_what_its_scope_counts(scope: str, *, applies: bool) -> None:
    snap = world(DEFAULT, budgets=(BudgetLeft(scope, "day", "10", "0"),))
    found = decide(snap, intent="test")
    assert found.code is (Code.BUDGET_EXCEEDED if applies else None)


def test_a_refusal_for_money_names_a_model_that_would_fit() -> None:
    policy = DEFAULT + '[classes.any]\nmodels = ["anthropic/claude-opus", "ollama/m"]\n'
    found = decide(world(policy, budgets=(BudgetLeft("all", "day", "10", "0"),)))
    assert found.code is Code.BUDGET_EXCEEDED
    assert "`ollama/m`" in found.reason


def test_a_rule_of_a_higher_layer_comes_first_at_equal_rank() -> None:
    preset = layer(RULE, Layer.PRESET)
    user = layer(RULE.replace('"r"', '"mine"') + OPEN)
    found = decide(world(book(preset, user)))
    assert found.matched_rule is not None
    assert (found.matched_rule.name, found.matched_rule.layer) == ("mine", Layer.USER)


def test_a_classification_rule_changes_the_intent() -> None:
    policy = DEFAULT + '[[classification.rules]]\nintent = "plan"\nkeywords = ["roadmap"]\n'
    assert decide(policy, "our roadmap").intent.name is Intent.PLAN
    assert decide(DEFAULT, "our roadmap").intent.name is not Intent.PLAN


def test_the_effort_of_the_call_beats_the_rule() -> None:
    assert decide(ruled('effort = "low"'), effort="high").effort is Effort.HIGH


def test_equal_inputs_give_equal_bytes_and_each_input_changes_the_id() -> None:
    base = decide(DEFAULT)
    assert decide(DEFAULT) == base
    others = [
        decide(DEFAULT, "do that"),
        decide(DEFAULT + "[dispatch]\nidle_s = 5\n"),
        decide(world(DEFAULT, key=b"other")),
        decide(world(DEFAULT, anthropic=ProviderFacts(Locality.REMOTE))),
        decide(world(DEFAULT, host=HostFacts(name="other"))),
        decide(world(DEFAULT, budgets=(BudgetLeft("all", "day", "10", "9"),))),
        decide(DEFAULT, "do it", items(item("a", 1, required=True))),
    ]
    ids = {base.decision_id, *(other.decision_id for other in others)}
    assert len(ids) == len(others) + 1


def test_the_text_is_in_no_hash_that_can_be_guessed_without_the_key() -> None:
    one, other = decide(world(DEFAULT, key=b"a")), decide(world(DEFAULT, key=b"b"))
    assert one.inputs["task"] != other.inputs["task"]
    assert one.inputs["phase"] != other.inputs["phase"]
    assert one.inputs["policy"] == other.inputs["policy"]


def test_a_decision_of_one_phase_fits_in_five_kilobytes() -> None:
    fallbacks = ", ".join(f'"openai/gpt-{i}"' for i in range(6))
    policy = f'{RULE}fallbacks = [{fallbacks}]\nintent = "edit"\n{DEFAULT}'
    snap = world(policy, openai=ProviderFacts(Locality.REMOTE, credentials=False))
    made = items(*(item(f"src/module_{i}/file.py", 100, required=True) for i in range(10)))
    answer = RouteAnswer(decisions=(decide(snap, "fix the parser", made, intent="edit"),))
    assert len(answer.model_dump_json(by_alias=True)) <= 5_000


def test_a_decision_is_printed_with_the_names_of_the_contract() -> None:
    printed = json.loads(decide(DEFAULT).model_dump_json(by_alias=True))
    assert list(printed) == [
        "decision_id",
        "revision",
        "phase",
        "depends_on",
        "intent",
        "class",
        "status",
        "code",
        "model",
        "resolved_model",
        "effort",
        "locality",
        "matched_rule",
        "reason",
        "fallbacks",
        "rejected",
        "context",
        "tokens",
        "cost",
        "permissions",
        "host",
        "fallback_used",
        "override_used",
        "recorded",
        "inputs",
        "tools",
        "escalation",
        "handoff",
    ]
    assert Decision.model_validate(printed) == decide(DEFAULT).model_copy(update={"away": ()})  # that is not printed


_TARGETS = st.sampled_from(["anthropic/claude-sonnet", "ollama/m", "openai/gpt-sol", "host/current", "llamacpp/x"])
_PATH = st.sampled_from(["src/a.py", ".env", "secrets/k", "auth/x.rs"])


@given(
    st.lists(_TARGETS, min_size=1, max_size=4, unique=True),
    st.lists(_PATH, max_size=3),
    st.sampled_from(["allow", "ask", "deny"]),
    st.booleans(),
    st.sampled_from(["never", "when_unavailable"]),
)
def test_whatever_the_route_nothing_restricted_gets_a_remote_model(
    targets: list[str], paths: list[str], mode: str, bound: bool, handoff: str
) -> None:
    local_rule = (
        '[[routing.rules]]\nname = "b"\npaths = ["auth/**"]\nmodel = "ollama/m"\nlocal_only = true\npriority = 9\n'
    )
    policy = (
        f'[routing]\nhandoff = "{handoff}"\n'
        f'[routing.default]\nmodel = "{targets[0]}"\nfallbacks = {json.dumps(targets[1:])}\n'
        f'[privacy]\nrestricted_paths = [".env", "secrets/**"]\n[privacy.remote]\nmode = "{mode}"\n'
        f"{local_rule if bound else ''}"
    )
    facts = PhaseContext(paths=tuple(PathFact(path, "call", forms=(path,)) for path in paths))
    (one,) = routed(world(policy), Task(text="do it", intent=Intent.EDIT), facts)
    must_stay = bool({".env", "secrets/k"} & set(paths)) or mode == "deny" or (bound and "auth/x.rs" in paths)
    decision = one.decision
    if must_stay:
        assert decision.locality is not Locality.REMOTE
        assert decision.status is not Status.HANDOFF
        assert all(candidate.locality is Locality.LOCAL for candidate in one.candidates)
    if decision.status is Status.ROUTED and decision.locality is Locality.REMOTE:
        assert mode == "allow"
