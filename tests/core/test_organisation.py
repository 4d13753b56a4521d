"""The organisation's layer: its rules first, its word above everybody's, and what an added file of it may not do."""

from decimal import Decimal

import pytest
from deciding import book, decide, layer, world

from smista_mcp.core.checking import faults
from smista_mcp.core.effective import Policy
from smista_mcp.core.facts import BudgetLeft
from smista_mcp.core.layering import merge
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.prices import Rate
from smista_mcp.core.restrictions import DEFAULT_RESTRICTED
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Grant, Layer, Locality, Status
from smista_mcp.errors import Code

RULE = '[[routing.rules]]\nname = "{0}"\nmodel = "ollama/{0}"\n'
DEFAULT = '[routing.default]\nmodel = "ollama/{0}"\n'
HTTP = "http://10.0.0.9:11434"


def organisation(text: str) -> LayerDocument:
    return layer(text, Layer.ORGANISATION)


def added(text: str) -> LayerDocument:
    """A file that SMISTA_ORG_POLICY names."""
    return organisation(text)._replace(bounded=True, file="added.toml")


def local(text: str, *, trusted: bool = True) -> LayerDocument:
    return layer(text, Layer.LOCAL, trusted=trusted)


def patterns(policy: Policy) -> set[str]:
    return {pattern for pattern, _ in policy.restricted}


# ------------------------------------------------------------------------------------------------------------- rules


def test_its_rules_are_tried_before_all_others() -> None:
    own = RULE.format("own") + 'priority = 0\nintent = "review"\npaths = ["src/**"]\n'
    decision = decide(
        world(book(organisation(RULE.format("company") + "priority = 1000000\n"), own)),
        "review it",
        intent="review",
        paths=("src/a.rs",),
    )
    assert decision.matched_rule is not None
    assert (decision.matched_rule.name, decision.matched_rule.layer) == ("company", Layer.ORGANISATION)


def test_so_are_its_classification_rules() -> None:
    company = '[[classification.rules]]\nintent = "plan"\nkeywords = ["ponder"]\npriority = 1000\n'
    own = company.replace("plan", "chat").replace("1000", "0")
    assert decide(world(book(organisation(company), own + DEFAULT.format("m"))), "ponder it").intent.name == "plan"


@pytest.mark.parametrize(
    ("rules", "status", "code"),
    [
        (RULE.format("a"), Status.REFUSED, Code.OVERRIDE_NOT_ALLOWED),
        (RULE.format("a") + "overridable = true\n", Status.ROUTED, None),
        (RULE.format("a") + 'overridable = true\nintent = "review"\n' + RULE.format("b"), Status.REFUSED, "override"),
        (RULE.format("a") + 'intent = "review"\n', Status.ROUTED, None),
    ],
    ids=["not overridable", "overridable", "overridable, and another behind it", "does not match"],
)
def test_a_call_overrides_a_rule_of_it_only_where_that_says_so(rules: str, status: Status, code: object) -> None:
    intent = "review" if code == "override" else "edit"
    decision = decide(world(book(organisation(rules), DEFAULT.format("m"))), "x", model="ollama/other", intent=intent)
    assert (decision.status, decision.override_used) == (status, status is Status.ROUTED)
    assert decision.code == (Code.OVERRIDE_NOT_ALLOWED if code else None)


@pytest.mark.parametrize(("more", "effort"), [("", "low"), ("overridable = true\n", "xhigh")])
def test_the_effort_of_a_rule_of_it_is_replaced_only_where_that_says_so(more: str, effort: str) -> None:
    rules = organisation(RULE.format("a") + 'effort = "low"\n' + more)
    assert decide(world(book(rules, DEFAULT.format("m"))), "x", effort="xhigh").effort == effort


def test_what_overrides_says_holds_for_an_overridable_rule_too() -> None:
    rules = organisation(RULE.format("a") + "overridable = true\n")
    denied = world(book(rules, '[routing]\noverrides = "deny"\n'))
    assert decide(denied, "x", model="ollama/other").code is Code.OVERRIDE_NOT_ALLOWED


def test_a_rule_of_it_binds_like_any_other() -> None:
    text = RULE.format("a") + 'local_only = true\nintent = "review"\n'
    own = '[[routing.rules]]\nname = "o"\nmodel = "openai/gpt-5"\n[privacy.remote]\nmode = "allow"\n'
    decision = decide(world(book(added(text), own)), "review it", intent="review")
    assert (decision.status, decision.code) == (Status.REFUSED, Code.RESTRICTED_CONTENT)


CLASS = '[classes.c]\nmodels = ["ollama/{0}"]\n'
ONLY = '[[routing.rules]]\nname = "r"\nmodel = "ollama/own"\nonly_models = ["class:c"]\n'


@pytest.mark.parametrize(
    ("layers", "allowed"),
    [
        ([layer(ONLY + CLASS.format("own")), local(CLASS.format("more"))], "own"),
        ([layer(ONLY), layer(CLASS.format("preset"), Layer.PRESET), local(CLASS.format("more"))], "preset"),
        ([layer(ONLY + CLASS.format("own")), organisation(CLASS.format("company"))], "company"),
        ([organisation(ONLY + CLASS.format("company")), layer(CLASS.format("own"))], "company"),
        ([added(ONLY + CLASS.format("company")), organisation(CLASS.format("else"))], "company"),
        ([layer(ONLY, Layer.PRESET), local(CLASS.format("mine"))], "mine"),
    ],
)
def test_no_lower_layer_fills_the_class_that_a_binding_rule_names(layers: list[LayerDocument], allowed: str) -> None:
    (binding,) = merge(layers).bindings
    assert binding.rule.only_models == (f"ollama/{allowed}",)


def test_a_binding_rule_of_it_names_no_class_that_others_could_fill() -> None:
    layers = [organisation(ONLY), layer(CLASS.format("own"))]
    (finding,) = faults(layers, merge(layers))
    assert (finding.code, finding.at) == ("invalid_model_ref", "routing.rules[0].only_models[0]")


# ------------------------------------------------------------------------------------------------------------ values


def test_what_it_states_wins_over_every_lower_layer() -> None:
    text = DEFAULT.format("company") + '[classes.c]\nmodels = ["ollama/company"]\n[dispatch]\nmax_retries = 0\n'
    other = text.replace("company", "own").replace("= 0", "= 3") + "idle_s = 5\n"
    policy = merge([organisation(text), layer(other), local(other)])
    assert policy.default is not None
    assert policy.default.model == "ollama/company"
    assert policy.classes["c"].models == ("ollama/company",)
    assert (policy.dispatch.max_retries, policy.dispatch.idle_s) == (0, 5)
    assert policy.provenance["dispatch.max_retries"].layer is Layer.ORGANISATION
    assert policy.provenance["routing.default"].line == 1


def test_it_replaces_what_a_preset_says_and_what_is_built_in() -> None:
    preset = layer('[privacy.remote]\nmode = "deny"\n[models]\nallowed = ["a/*"]\n', Layer.PRESET)
    said = organisation('[privacy.remote]\nmode = "allow"\n[models]\nallowed = ["b/*"]\n')
    policy = merge([preset, said])
    assert (policy.remote_mode, policy.allowed) == (Grant.ALLOW, (("b/*",),))
    assert merge([said]).remote_mode is Grant.ALLOW


@pytest.mark.parametrize("company", ["allow", "ask", "deny"])
@pytest.mark.parametrize("own", ["allow", "ask", "deny"])
def test_the_stricter_of_it_and_the_user_holds(company: str, own: str) -> None:
    text = '[privacy.remote]\nmode = "{0}"\n[tools.permissions]\ngit = "{0}"\n'
    policy = merge([organisation(text.format(company)), layer(text.format(own))])
    strictest = max(company, own, key=("allow", "ask", "deny").index)
    assert (policy.remote_mode, policy.permissions["git"]) == (Grant(strictest), Grant(strictest))


def test_models_that_it_allows_and_those_that_the_user_allows_are_met_both() -> None:
    policy = merge([organisation('[models]\nallowed = ["a/*"]\ndenied = ["x"]\n'), layer('[models]\nallowed = ["b"]')])
    assert (policy.allowed, policy.denied) == ((("a/*",), ("b",)), ("x",))


def test_budgets_of_it_stand_beside_all_others() -> None:
    budget = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "{0}"\n'
    given = [organisation(budget.format(5)), layer(budget.format(50)), layer(budget.format(9), Layer.PRESET)]
    assert sorted(int(b.limit) for b in merge(given).budgets) == [5, 50]


OPUS = "anthropic/claude-opus-4-5"
BUDGET = '[[budgets]]\nscope = "all"\nperiod = "task"\nlimit = "{0}"\n'
LIMITED = '[[routing.rules]]\nname = "company"\nmodel = "{0}"\ncost_limit = "{1}"\n'
TO_OPUS = f'[routing.default]\nmodel = "{OPUS}"\n'
CHEAPER = {
    "free": 'input_price = "0"\ncached_input_price = "0"\noutput_price = "0"\n',
    "plan": 'price_kind = "plan"\n',
    "free plan": 'price_kind = "plan"\ninput_price = "0"\noutput_price = "0"\n',
    "another": 'same_as = "openai/gpt-4o-mini"\n',
    "unknown": 'same_as = "openai/no-such-model"\n',
}


def priced(stated: str) -> str:
    return f'[catalog."{OPUS}"]\n{stated}'


@pytest.mark.parametrize("stated", CHEAPER.values(), ids=CHEAPER)
def test_under_its_limits_nobody_below_makes_a_model_cheaper(stated: str) -> None:
    task = BUDGET.format("0.001")
    budgets = (BudgetLeft("all", "task", "0.001", "0.001"),)
    for company, left, code in (
        (TO_OPUS + task, budgets, Code.BUDGET_EXCEEDED),
        (LIMITED.format(OPUS, "0.001"), (), Code.COST_LIMIT_EXCEEDED),
    ):
        known = book(organisation(company), priced(stated))
        decision = decide(world(known, budgets=left), "plan it")
        assert [rejected.code for rejected in decision.rejected] == [code]
        assert any("`catalog` (1)" in notice for notice in known.policy.notices)


@pytest.mark.parametrize("stated", [CHEAPER["free"], CHEAPER["plan"]])
def test_it_may_make_one_cheaper_itself_and_so_may_anybody_where_it_limits_nothing(stated: str) -> None:
    for known in (
        book(organisation(LIMITED.format(OPUS, "0.001") + priced(stated)), priced('input_price = "900"\n')),
        book(organisation('[models]\nallowed = ["*"]\n'), LIMITED.format(OPUS, "0.001") + priced(stated)),
    ):
        decision = decide(world(known), "plan it")
        assert decision.cost is not None
        assert (decision.model, decision.cost.max) == (OPUS, "0")
    assert known.policy.notices == ()


def test_whoever_states_more_than_the_list_is_believed_under_its_limits_too() -> None:
    own = priced('input_price = "900"\noutput_price = "0"\ncontext_window = 5000\n')
    without, held = (book(organisation(LIMITED.format(OPUS, limit)), own) for limit in ("999", "0.01"))
    assert world(held).market.catalog.digest == world(without).market.catalog.digest
    facts = world(without).market.catalog.facts(ModelRef(*OPUS.split("/")), "anthropic")
    listed = world("").market.catalog.facts(ModelRef(*OPUS.split("/")), "anthropic")
    assert facts.price is not None
    assert listed.price is not None
    assert (facts.price.input, facts.price.output) == (Rate(Decimal(900)), listed.price.output)
    assert (facts.context_window, facts.price_kind) == (5000, "list")
    assert world(book(own)).market.catalog.digest != world(held).market.catalog.digest
    (rejected,) = decide(world(held), "plan it").rejected
    assert rejected.code is Code.COST_LIMIT_EXCEEDED


def test_an_entry_that_states_no_price_is_no_cause_for_a_remark() -> None:
    policy = merge([organisation(BUDGET.format("1")), layer(priced("context_window = 5000\n"))])
    assert policy.notices == ()


@pytest.mark.parametrize("who", ["company", "user"])
def test_to_say_never_holds_whoever_says_it(who: str) -> None:
    text = '[routing]\nhandoff = "{0}"\n'
    words = ("never", "when_unavailable") if who == "company" else ("when_unavailable", "never")
    assert merge([organisation(text.format(words[0])), layer(text.format(words[1]))]).handoff == "never"
    assert merge([organisation(text.format("when_unavailable"))]).handoff == "when_unavailable"


def test_a_host_is_local_where_it_says_so_and_nobody_denies_it() -> None:
    text = '[hosts.h]\nlocality = "{0}"\n'
    assert merge([organisation(text.format("local"))]).host_localities == {"h": Locality.LOCAL}
    for words in (("local", "remote"), ("remote", "local")):
        policy = merge([organisation(text.format(words[0])), layer(text.format(words[1]))])
        assert policy.host_localities == {"h": Locality.REMOTE}


# ------------------------------------------------------------------------------------------------------------- paths


def test_its_patterns_are_added_and_the_user_cannot_lift_them() -> None:
    said = organisation('[privacy]\nrestricted_paths = ["vault/**", "x"]\n[privacy.remote]\nblocked_paths = ["y"]\n')
    assert patterns(merge([said])) == {"vault/**", "x", *DEFAULT_RESTRICTED}
    freeing = '[privacy]\nrestricted_paths = ["x", "z"]\nfree_paths = ["vault/**", "x", "y", "z"]\n'
    policy = merge([said, layer(freeing)])
    assert patterns(policy) == {"vault/**", "x"}
    assert [pattern for pattern, _ in policy.blocked] == ["y"]
    assert all(origin.layer is Layer.ORGANISATION for _, origin in policy.restricted)
    (notice,) = policy.notices
    assert "vault/**" in notice
    assert "organisation" in notice


def test_its_own_free_paths_lift_those_of_everybody() -> None:
    freeing = organisation('[privacy]\nrestricted_paths = ["b"]\nfree_paths = ["a", "b", ".env"]\n')
    stated = '[privacy]\nrestricted_paths = ["a", "c"]\n'
    assert patterns(merge([freeing, layer(stated)])) == {"c"}
    assert patterns(merge([freeing])) == set(DEFAULT_RESTRICTED) - {".env"}
    policy = merge([freeing._replace(bounded=True), layer(stated)])
    assert patterns(policy) == {"a", "b", "c"}


# --------------------------------------------------------------------------------------------------------- providers


def test_a_provider_that_it_declares_is_where_it_says() -> None:
    company = '[providers."openai-compat:x"]\nbase_url = "https://gw.example/v1"\napi_key = "${secret:GW_KEY}"\n'
    own = company.replace("gw.example", "evil.example").replace("GW_KEY", "MY_KEY") + 'locality = "local"\n'
    spec = merge([organisation(company), layer(own)]).providers["openai-compat:x"]
    assert (spec.base_url, spec.key_variable, spec.locality) == ("https://gw.example/v1", "GW_KEY", Locality.REMOTE)


@pytest.mark.parametrize(
    ("company", "own", "expected"),
    [
        # what the user claims of his address does not go over to the organisation's
        (
            'base_url = "https://b.example"',
            f'base_url = "{HTTP}"\nlocality = "local"\nallow_plain_lan = true',
            "remote",
        ),
        ('base_url = "https://b.example"\nlocality = "local"', 'locality = "remote"', "local, and yet remote"),
        ('locality = "remote"', f'base_url = "{HTTP}"\nlocality = "local"\nallow_plain_lan = true', "own and remote"),
        ('models_dir = "/m"', f'base_url = "{HTTP}"\nlocality = "local"\nallow_plain_lan = true', "own"),
        ('locality = "local"', f'base_url = "{HTTP}"\nallow_plain_lan = true', "customary"),
    ],
)
def test_an_address_and_what_is_claimed_of_it_come_from_one_layer(company: str, own: str, expected: str) -> None:
    table = "[providers.ollama]\n"
    spec = merge([organisation(table + company), layer(table + own)]).providers["ollama"]
    places = {
        "remote": ("https://b.example", Locality.REMOTE),
        "local, and yet remote": ("https://b.example", Locality.REMOTE),
        "own and remote": (HTTP, Locality.REMOTE),
        "own": (HTTP, Locality.LOCAL),
        "customary": ("http://127.0.0.1:11434", Locality.LOCAL),
    }
    assert (spec.base_url, spec.locality) == places[expected]


def test_the_catalog_is_the_organisations_where_it_speaks() -> None:
    entry = '[catalog."ollama/m"]\ncontext_window = {0}\n'
    policy = merge([organisation(entry.format(1000)), layer(entry.format(9000))])
    assert policy.catalog["ollama/m"].context_window == 1000


# ------------------------------------------------------------------------------------------------------------- added


def test_an_added_file_narrows_and_does_nothing_else() -> None:
    text = (
        'preset = "balanced"\n'
        + RULE.format("free")
        + RULE.format("bound")
        + "local_only = true\noverridable = true\n"
        + DEFAULT.format("m")
        + '[routing]\nhandoff = "when_unavailable"\noverrides = "within_route"\n'
        + '[classes.c]\nmodels = ["ollama/m"]\n[privacy]\nfree_paths = [".env"]\nrestricted_paths = ["x"]\n'
        + '[privacy.remote]\nmode = "allow"\n[models]\ndenied = ["bad"]\n[hosts.h]\nlocality = "local"\n'
        + '[providers.ollama]\nbase_url = "http://127.0.0.1:9"\n[catalog."a/b"]\ncontext_window = 4096\n'
    )
    policy, nothing = merge([added(text)]), merge([])
    for part in ("rules", "default", "classes", "handoff", "providers", "catalog", "remote_mode", "host_localities"):
        assert getattr(policy, part) == getattr(nothing, part), part
    assert [placed.rule.name for placed in policy.bindings] == ["bound"]
    assert (policy.overrides, policy.denied) == ("within_route", ("bad",))
    assert patterns(policy) == {"x", *DEFAULT_RESTRICTED}
    (notice,) = policy.notices
    assert "SMISTA_ORG_POLICY" in notice
    assert "`routing.rules` (2)" in notice
    assert (policy.confirmed, policy.unconfirmed) == (None, ())


def test_nobody_lifts_what_an_added_file_restricts() -> None:
    policy = merge([added('[privacy]\nrestricted_paths = ["x"]\n'), layer('[privacy]\nfree_paths = ["x", ".env"]\n')])
    assert patterns(policy) == {"x", *DEFAULT_RESTRICTED} - {".env"}


# ------------------------------------------------------------------------------------------------------------ inputs


def test_its_hash_is_an_input_of_every_decision() -> None:
    own, company = DEFAULT.format("m"), organisation("[models]\ndenied = []\n")
    without, with_it = decide(own), decide(world(book(company, own)))
    assert "organisation" not in without.inputs
    assert with_it.inputs["organisation"] == company.digest
    more = decide(world(book(company, added("[models]\ndenied = []\n# more\n"), own)))
    assert len({without.decision_id, with_it.decision_id, more.decision_id}) == 3
    assert more.inputs["organisation"] not in (company.digest, with_it.inputs["organisation"])
    assert len(more.inputs["organisation"]) == 64
