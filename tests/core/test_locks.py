"""Keys that the organisation locks: which keys a pattern means, and what a lower layer may still say of them."""

import pytest
from deciding import layer

from smista_mcp.core.checking import check, faults
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding, Severity
from smista_mcp.core.layering import merge
from smista_mcp.core.locks import Lock, nearest_key, parts_of, stated_keys, unlocked
from smista_mcp.core.restrictions import DEFAULT_RESTRICTED
from smista_mcp.core.sources import BUILTIN, LayerDocument
from smista_mcp.core.values import Grant, Layer, Locality

COMPAT = '[providers."openai-compat:x"]\nbase_url = "https://x.example/v1"\napi_key = "${secret:K}"\n'
EVERYTHING = (
    'preset = "balanced"\n'
    '[[classification.rules]]\nintent = "plan"\nkeywords = ["x"]\n'
    '[[routing.rules]]\nname = "r"\nmodel = "ollama/r"\n'
    '[routing]\noverrides = "allow"\nhandoff = "when_unavailable"\n'
    '[routing.default]\nmodel = "ollama/d"\n'
    '[classes.coding]\nmodels = ["ollama/c"]\n'
    '[models]\nallowed = ["*"]\ndenied = []\n'
    '[privacy]\nrestricted_paths = []\nfree_paths = []\nhost_answers = "return"\n'
    '[privacy.remote]\nmode = "allow"\nblocked_paths = []\n'
    '[tools.permissions]\nfile_read = "allow"\ngit = "allow"\nfile_write = "allow"\n'
    '[dispatch]\ndeadline_s = 5\nfirst_byte_s = 5\nidle_s = 5\nmax_retries = 5\non_uncertain = "stop"\n'
    '[providers.ollama]\nbase_url = "http://127.0.0.1:9"\nlocality = "local"\nallow_plain_lan = true\n'
    '[providers.llamacpp]\nmodels_dir = "/m"\n'
    '[hosts.codex]\nlocality = "local"\n'
    '[catalog."a/b"]\ncontext_window = 4096\n'
)
KEYS = (
    ("preset", "preset"),
    ("classification", "classification.rules"),
    ("routing.rules", "routing.rules"),
    ("routing.overrides", "routing.overrides"),
    ("routing.handoff", "routing.handoff"),
    ("routing.default", "routing.default.model"),
    ("classes.coding", "classes.coding.models"),
    ("classes.*", "classes.coding.models"),
    ("models.allowed", "models.allowed"),
    ("privacy.restricted_paths", "privacy.restricted_paths"),
    ("privacy.free_paths", "privacy.free_paths"),
    ("privacy.host_answers", "privacy.host_answers"),
    ("privacy.remote.mode", "privacy.remote.mode"),
    ("privacy.*.mode", "privacy.remote.mode"),
    ("tools.permissions.git", "tools.permissions.git"),
    ("dispatch.max_retries", "dispatch.max_retries"),
    ("providers.*.base_url", "providers.ollama.base_url"),
    ("providers.llamacpp", "providers.llamacpp.models_dir"),
    ("hosts.*", "hosts.codex.locality"),
    ('catalog."a/b"', 'catalog."a/b".context_window'),
    ("catalog.a/b", 'catalog."a/b".context_window'),
)


def organisation(*locked: str, text: str = "") -> LayerDocument:
    return layer(f"locked = {list(locked)}\n{text}", Layer.ORGANISATION)


def found(layers: list[LayerDocument], code: str = "org_lock_violation") -> list[Finding]:
    return [finding for finding in check(layers, merge(layers)) if finding.code == code]


def told(policy: Policy, words: str) -> list[str]:
    return [notice for notice in policy.notices if words in notice]


# ----------------------------------------------------------------------------------------------------------- patterns


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.b", ("a", "b")),
        ('providers."openai-compat:x".base_url', ("providers", "openai-compat:x", "base_url")),
        ("providers.openai-compat:x", ("providers", "openai-compat:x")),
        ("catalog.'a/b.c'", ("catalog", "a/b.c")),
        (r'classes."a\"b"', ("classes", 'a"b')),
        ("*", ("*",)),
        ("a..b", ()),
        (".a", ()),
        ("a b", ()),
        ('a."b', ()),
        ("routing.rules[0]", ()),
    ],
)
def test_a_pattern_is_a_dotted_key(text: str, parts: tuple[str, ...]) -> None:
    assert parts_of(text) == parts


@pytest.mark.parametrize(
    ("text", "near"),
    [
        *((text, None) for text, _ in KEYS),
        ("privacy", None),
        ("*", None),
        ("test", None),
        ("budgets", None),
        ("dispatch.*", None),
        ("privacy.remote.modes", "privacy.remote.mode"),
        ("privacy.restricted", "privacy.restricted_paths"),
        ("providers.x.base_ulr", "providers.x.base_url"),
        ("budget", "budgets"),
        ("routing.rules.name", "routing.rules"),
        ("routing.rules[0]", "routing.rules"),
        ("privacy.remote.mode.x", "privacy.remote.mode"),
        ("tools.permission", "tools.permissions"),
        ("privacy.remot", "privacy.remote"),
        ("provider.x", "providers.*"),
        ("provider.base_url", "providers.*.base_url"),
        ("provider.ollama.base_url", "providers.ollama.base_url"),
        ("locked", ""),
        ("zzz", ""),
    ],
)
def test_a_pattern_that_no_key_can_meet_is_an_error_with_the_key_most_like_it(text: str, near: str | None) -> None:
    assert nearest_key(Lock(text, parts_of(text), BUILTIN)) == near
    source = organisation("routing.handoff", text)
    wrong = faults([source], merge([source]))
    if near is None:
        assert wrong == ()
    else:
        (finding,) = wrong
        assert (finding.code, finding.at, finding.layer) == ("invalid_enum", "locked[1]", Layer.ORGANISATION)
        assert near in finding.fix


def test_the_keys_that_a_document_states_are_those_that_are_written() -> None:
    stated = set(stated_keys(layer(EVERYTHING).document))
    assert ("privacy", "restricted_paths") in stated
    assert ("catalog", "a/b", "context_window") in stated
    assert not any(key[0] in ("budgets", "test") for key in stated)
    assert set(stated_keys(layer("[privacy]\n[classes]\n").document)) == set()


# -------------------------------------------------------------------------------------------------------------- locks


@pytest.mark.parametrize(("pattern", "key"), KEYS)
def test_a_locked_key_is_frozen_in_every_lower_layer(pattern: str, key: str) -> None:
    layers = [layer(EVERYTHING, place) for place in (Layer.USER, Layer.WORKSPACE, Layer.LOCAL, Layer.CALL)]
    layers.append(layer(EVERYTHING, Layer.PRESET))
    locked = [organisation(pattern), *layers]
    findings = found(locked)
    assert {finding.layer for finding in findings} == {source.layer for source in layers}
    for finding in findings:
        assert finding.line == layers[0].lines.get(finding.at)
        assert finding.severity is (Severity.INFO if finding.layer is Layer.PRESET else Severity.ERROR)
        assert pattern in finding.message
    assert key in {finding.at for finding in findings}
    notices = told(merge(locked), "locked")
    assert len(notices) == 4
    assert all(f"`{pattern}`" in notice for notice in notices)
    kept = [source for source in unlocked(locked) if source.leads and source.layer is not Layer.ORGANISATION]
    assert all(key not in {".".join(one) for one in stated_keys(source.document)} for source in kept)


@pytest.mark.parametrize(
    ("pattern", "frozen"),
    [
        ("privacy.remote.mode", {"privacy.remote.mode"}),
        ("tools.permissions.git", {"tools.permissions.git"}),
        ("routing.handoff", {"routing.handoff"}),
        ("privacy.remote", {"privacy.remote.mode", "privacy.remote.blocked_paths"}),
        ("hosts.*.locality", {"hosts.codex.locality"}),
        ("routing[0]", set[str]()),
    ],
)
def test_no_more_is_frozen_than_is_locked(pattern: str, frozen: set[str]) -> None:
    own = layer(EVERYTHING.replace("[classes.coding]", "[classes.c]"))._replace(skipped=("router",))
    everything = {".".join(key) for key in stated_keys(own.document)}
    company, rest, *bounded = unlocked([organisation(pattern), own])
    assert (company.layer, rest.skipped, len(bounded)) == (Layer.ORGANISATION, ("router",), bool(frozen))
    assert {".".join(key) for key in stated_keys(rest.document)} == everything - frozen
    for one in bounded:
        assert (one.bounded, one.skipped) == (True, ())
        assert {".".join(key) for key in stated_keys(one.document)} == frozen | {"classes.c.models"}


def test_what_is_no_key_locks_nothing() -> None:
    assert not Lock("a..b", parts_of("a..b"), BUILTIN).holds(("a", "b"))
    assert merge([organisation("a..b"), layer('[privacy.remote]\nmode = "allow"\n')]).remote_mode is Grant.ALLOW


def test_without_a_value_of_the_organisation_what_is_built_in_holds() -> None:
    loose = [layer(EVERYTHING, place) for place in (Layer.PRESET, Layer.USER, Layer.WORKSPACE)]
    policy, nothing = merge([organisation("*"), *loose]), merge([])
    for part in ("default", "rules", "classes", "handoff", "dispatch", "catalog", "classification_rules", "overrides"):
        assert getattr(policy, part) == getattr(nothing, part), part
    for part in ("remote_mode", "host_answers", "permissions", "host_localities", "providers"):
        assert getattr(policy, part) == getattr(nothing, part), part
    assert {pattern for pattern, _ in policy.restricted} == set(DEFAULT_RESTRICTED)


def test_the_value_of_the_organisation_holds_where_it_states_one() -> None:
    text = '[privacy.remote]\nmode = "allow"\n[routing.default]\nmodel = "ollama/company"\n'
    company = organisation("privacy.remote.mode", "routing.default", text=text)
    policy = merge([company, layer(EVERYTHING), layer('[privacy.remote]\nmode = "deny"\n', Layer.PRESET)])
    assert policy.remote_mode is Grant.ALLOW
    assert policy.default is not None
    assert policy.default.model == "ollama/company"


def test_what_only_narrows_holds_and_is_reported_too() -> None:
    """A lock never opens what somebody else has closed."""
    strict = layer(
        '[privacy]\nrestricted_paths = ["vault/**"]\nhost_answers = "file"\n[privacy.remote]\nmode = "deny"\n'
        '[models]\ndenied = ["bad"]\n[hosts.h]\nlocality = "remote"\n[routing]\noverrides = "deny"\n'
        '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "1"\n[providers.ollama]\nlocality = "remote"\n'
        '[[routing.rules]]\nname = "stays"\nmodel = "class:c"\nlocal_only = true\nonly_models = ["class:c"]\n'
        '[classes.c]\nmodels = ["ollama/c"]\n'
    )
    loose = '[privacy]\nhost_answers = "return"\n[privacy.remote]\nmode = "allow"\n[hosts.h]\nlocality = "local"\n'
    layers = [organisation("*", text=loose), strict]
    policy = merge(layers)
    assert {pattern for pattern, _ in policy.restricted} == {"vault/**", *DEFAULT_RESTRICTED}
    assert (policy.remote_mode, policy.host_answers, policy.overrides) == (Grant.DENY, "file", "deny")
    assert (policy.denied, len(policy.budgets)) == (("bad",), 1)
    assert policy.host_localities == {"h": Locality.REMOTE}
    assert policy.providers["ollama"].locality is Locality.REMOTE
    assert policy.rules == ()
    assert [placed.rule.only_models for placed in policy.bindings] == [("ollama/c",)]
    assert len(found(layers)) == 10
    assert policy.unconfirmed == ()


def test_a_provider_is_locked_in_one_piece() -> None:
    """What is claimed of an address falls with it, and so does the key that was meant for it."""
    own = '[providers.openai]\nbase_url = "http://127.0.0.1:8000/v1"\nlocality = "local"\napi_key = "${secret:K}"\n'
    layers = [organisation("providers.*.base_url"), layer(own)]
    spec = merge(layers).providers["openai"]
    assert (spec.base_url, spec.locality, spec.key_variable) == (
        "https://api.openai.com/v1",
        Locality.REMOTE,
        "OPENAI_API_KEY",
    )
    (finding,) = found(layers)
    assert (finding.at, finding.line) == ("providers.openai.base_url", 2)


def test_what_a_lock_takes_away_is_no_further_fault() -> None:
    own = COMPAT + '[classes.c]\nmodels = ["openai-compat:x/m"]\n[routing.default]\nmodel = "class:c"\n'
    layers = [organisation("providers.*.base_url", "classes"), layer(own)]
    policy = merge(layers)
    assert faults(layers, policy) == ()
    assert "openai-compat:x" not in policy.providers
    assert [finding.code for finding in check(layers, policy)] == ["org_lock_violation"] * 2


def test_other_names_of_an_unconfirmed_file_are_counted_and_not_repeated() -> None:
    hostile = '[classes."run-this"]\nmodels = ["a/b"]\n[classes.c]\nmodels = ["a/b"]\n[models]\ndenied = ["ollama/*"]\n'
    layers = [organisation("classes.*", "models.denied"), layer(hostile, Layer.WORKSPACE, trusted=False)]
    policy = merge(layers)
    assert not told(policy, "run-this")
    assert len(told(policy, "`classes.*` (2)")) == 1
    assert len(told(policy, "limits which models")) == 1
    assert policy.denied == ("ollama/*",)
    assert policy.unconfirmed == ("`workspace.toml`",)


def test_a_rule_that_still_binds_means_the_classes_of_its_own_file() -> None:
    rule = '[[routing.rules]]\nname = "r"\nmodel = "class:c"\nonly_models = ["class:c"]\n'
    rule += '[classes.c]\nmodels = ["ollama/c"]\n'
    for trusted in (True, False):
        (binding,) = merge([organisation("routing.rules"), layer(rule, Layer.WORKSPACE, trusted=trusted)]).bindings
        assert binding.rule.only_models == ("ollama/c",)


def test_an_added_file_locks_too() -> None:
    layers = [organisation("privacy.remote.mode")._replace(bounded=True), layer('[privacy.remote]\nmode = "allow"\n')]
    assert merge(layers).remote_mode is Grant.ASK
    assert len(found(layers)) == 1


def test_locks_are_shown_with_their_place() -> None:
    policy = merge([organisation("privacy", "classes.c")])
    assert [(text, origin.line) for text, origin in policy.locked] == [("privacy", 1), ("classes.c", 1)]
    assert policy.provenance["locked[1]"].layer is Layer.ORGANISATION


# ------------------------------------------------------------------------------------------------------------- rights


@pytest.mark.parametrize(
    ("company", "own", "at"),
    [
        ('[privacy.remote]\nmode = "ask"\n', '[privacy.remote]\nmode = "allow"\n', "privacy.remote.mode"),
        ('[routing]\nhandoff = "never"\n', '[routing]\nhandoff = "when_unavailable"\n', "routing.handoff"),
        ('[hosts.h]\nlocality = "remote"\n', '[hosts.h]\nlocality = "local"\n', "hosts.h"),
        ('[privacy]\nrestricted_paths = ["x"]\n', '[privacy]\nfree_paths = ["y", "x"]\n', "privacy.free_paths[1]"),
        (COMPAT, COMPAT, 'providers."openai-compat:x".api_key'),
        (COMPAT, COMPAT, 'providers."openai-compat:x".base_url'),
        (COMPAT, '[providers."openai-compat:x"]\nlocality = "remote"\n', None),
        ('[privacy.remote]\nmode = "ask"\n', '[privacy.remote]\nmode = "deny"\n', None),
    ],
)
def test_what_the_user_loosens_is_a_finding(company: str, own: str, at: str | None) -> None:
    layers = [layer(company, Layer.ORGANISATION), layer(own)]
    widening = found(layers, "permission_widening")
    assert at in [finding.at for finding in widening] if at else widening == []
    assert all(finding.layer is Layer.USER and finding.severity is Severity.ERROR for finding in widening)


def test_a_locked_key_is_one_finding_not_two() -> None:
    layers = [
        organisation("privacy.remote.mode", text='[privacy.remote]\nmode = "ask"\n'),
        layer('[privacy.remote]\nmode = "allow"\n[routing.default]\nmodel = "ollama/m"\n'),
    ]
    assert [finding.code for finding in check(layers, merge(layers))] == ["org_lock_violation"]


def test_an_added_file_has_no_right_to_endpoints() -> None:
    layers = [layer(COMPAT, Layer.ORGANISATION)._replace(bounded=True)]
    assert {finding.code for finding in found(layers, "secret_reuse_untrusted_layer")} == {
        "secret_reuse_untrusted_layer"
    }
    assert merge(layers).providers == merge([]).providers


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[models]\n", "[router]\nport = 1\n"])
def test_an_organisation_that_says_nothing_is_an_error(text: str) -> None:
    for bounded in (False, True):
        layers = [layer(text, Layer.ORGANISATION)._replace(bounded=bounded)]
        (finding,) = faults(layers, merge(layers))
        assert (finding.code, finding.severity, finding.at) == ("org_policy_empty", Severity.ERROR, "")
