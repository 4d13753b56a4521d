from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.core.effective import KEEP_DAYS, Origin, Policy
from smista_mcp.core.layering import LayerDocument, merge
from smista_mcp.core.policy import PolicyDocument
from smista_mcp.core.restrictions import DEFAULT_RESTRICTED, SCALES
from smista_mcp.core.values import Grant, Layer, Locality

BUILTIN = Origin(Layer.BUILTIN)


def layer(place: Layer, document: Mapping[str, object], *, trusted: bool = True) -> LayerDocument:
    return LayerDocument(
        layer=place,
        document=PolicyDocument.model_validate(document),
        file=f"{place}.toml",
        trusted=trusted,
        digest=repr(sorted(document.items())),
    )


def user(document: Mapping[str, object]) -> LayerDocument:
    return layer(Layer.USER, document)


def preset(document: Mapping[str, object]) -> LayerDocument:
    return layer(Layer.PRESET, document)


def repository(document: Mapping[str, object]) -> LayerDocument:
    return layer(Layer.WORKSPACE, document, trusted=False)


def patterns(policy: Policy) -> set[str]:
    return {pattern for pattern, _ in policy.restricted}


# ------------------------------------------------------------------------------------------------------- defaults


def test_without_any_layer_everything_has_its_documented_default() -> None:
    policy = merge([])
    assert (policy.rules, policy.default, policy.classes, policy.catalog) == ((), None, {}, {})
    assert (policy.overrides, policy.handoff, policy.host_answers) == ("allow", "never", "file")
    assert policy.remote_mode is Grant.ASK
    assert policy.permissions == {
        "file_read": Grant.ALLOW,
        "git": Grant.ALLOW,
        "file_write": Grant.ASK,
        "shell": Grant.DENY,
        "network": Grant.DENY,
    }
    assert policy.restricted == tuple((pattern, BUILTIN) for pattern in DEFAULT_RESTRICTED)
    assert (policy.dispatch.deadline_s, policy.dispatch.max_retries, policy.dispatch.on_uncertain) == (
        600,
        1,
        "continue",
    )
    assert policy.provenance["privacy.remote.mode"] == BUILTIN
    assert policy.notices == ()


def test_the_builtin_providers_have_their_customary_addresses_and_keys() -> None:
    found = {
        name: (spec.base_url, spec.key_variable, spec.key_required, spec.locality.value)
        for name, spec in merge([]).providers.items()
    }
    assert found == {
        "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY", True, "remote"),
        "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY", True, "remote"),
        "gemini": ("https://generativelanguage.googleapis.com", "GEMINI_API_KEY", True, "remote"),
        "ollama": ("http://127.0.0.1:11434", None, False, "local"),
        "llamacpp": (None, None, False, "local"),
    }


# ------------------------------------------------------------------------------------------------------ precedence


def test_preferences_come_from_the_layer_that_is_last() -> None:
    def said(model: str) -> dict[str, object]:
        return {
            "routing": {"default": {"model": model}},
            "classes": {"c": {"models": [model]}, model[2:]: {"models": [model]}},
        }

    layers = [
        preset(said("a/p")),
        user(said("a/u")),
        layer(Layer.WORKSPACE, said("a/w")),
        layer(Layer.LOCAL, said("a/l")),
    ]
    for length, last in ((1, "a/p"), (2, "a/u"), (3, "a/w"), (4, "a/l")):
        policy = merge(layers[:length])
        assert policy.default is not None
        assert (policy.default.model, policy.classes["c"].models) == (last, (last,))
        assert len(policy.classes) == length + 1


def test_dispatch_limits_are_joined_key_by_key() -> None:
    policy = merge([preset({"dispatch": {"deadline_s": 5, "idle_s": 6}}), user({"dispatch": {"idle_s": 7.5}})])
    assert (policy.dispatch.deadline_s, policy.dispatch.idle_s, policy.dispatch.first_byte_s) == (5, 7.5, 60)
    assert policy.provenance["dispatch.idle_s"].layer is Layer.USER
    assert policy.provenance["dispatch.first_byte_s"] == BUILTIN


def test_rules_of_all_layers_stand_side_by_side_in_order() -> None:
    def ruled(*names: str) -> dict[str, object]:
        return {"routing": {"rules": [{"name": name, "model": "a/b"} for name in names]}}

    policy = merge([layer(Layer.WORKSPACE, ruled("w")), user(ruled("u1", "u2")), preset(ruled("u1"))])
    assert [(p.rule.name, p.origin.layer, p.order) for p in policy.rules] == [
        ("u1", Layer.PRESET, 0),
        ("u1", Layer.USER, 1),
        ("u2", Layer.USER, 2),
        ("w", Layer.WORKSPACE, 3),
    ]


def test_classification_rules_are_tried_by_priority_then_by_the_last_layer_then_as_written() -> None:
    def ruled(*keywords: tuple[str, int]) -> dict[str, object]:
        rules = [{"intent": "edit", "keywords": [word], "priority": priority} for word, priority in keywords]
        return {"classification": {"rules": rules}}

    policy = merge(
        [preset(ruled(("p", 5), ("first", 1))), user(ruled(("u", 5), ("v", 5))), repository(ruled(("no", 0)))]
    )
    assert [rule.keywords[0] for rule in policy.classification_rules] == ["first", "u", "v", "p"]


def test_places_are_told_with_layer_file_and_line() -> None:
    lines = {"routing.rules[0]": 3, "privacy.remote.mode": 9, "classes.c": 12, 'catalog."a/b"': 14}
    document = {
        "routing": {"rules": [{"name": "r", "model": "a/b"}]},
        "privacy": {"remote": {"mode": "deny"}},
        "classes": {"c": {"models": ["a/b"]}},
        "catalog": {"a/b": {"context_window": 4096}},
        "models": {"denied": ["x"]},
    }
    source = LayerDocument(Layer.USER, PolicyDocument.model_validate(document), "u.toml", lines, digest="d")
    policy = merge([source])
    assert policy.rules[0].origin == Origin(Layer.USER, "u.toml", "routing.rules[0]", lines)
    assert policy.rules[0].origin.line == 3
    assert policy.provenance["routing.rules[0]"] == policy.rules[0].origin
    assert policy.provenance["privacy.remote.mode"].line == 9
    assert policy.provenance["classes.c"].line == 12
    assert policy.provenance['catalog."a/b"'].line == 14
    assert policy.provenance["models.denied[0]"] == Origin(Layer.USER, "u.toml", "models.denied[0]", lines)
    assert policy.provenance["models.denied[0]"].line is None


# ------------------------------------------------------------------------------------------------------- authority


def test_lists_of_prohibitions_are_united() -> None:
    def said(name: str) -> dict[str, object]:
        return {
            "privacy": {"restricted_paths": [name, "both"], "remote": {"blocked_paths": [name]}},
            "models": {"denied": [name]},
        }

    policy = merge([preset(said("p")), user(said("u")), repository(said("w"))])
    assert patterns(policy) == {"p", "u", "w", "both"}
    assert [(pattern, origin.layer) for pattern, origin in policy.blocked] == [
        ("u", Layer.USER),
        ("w", Layer.WORKSPACE),
        ("p", Layer.PRESET),
    ]
    assert set(policy.denied) == {"p", "u", "w"}


@pytest.mark.parametrize("restricted", [[], ["vault/**"]])
def test_the_builtin_patterns_give_way_to_the_users_word_alone(restricted: list[str]) -> None:
    said = {"privacy": {"restricted_paths": restricted}}
    assert patterns(merge([user(said)])) == set(restricted)
    assert patterns(merge([repository(said)])) == {*restricted, *DEFAULT_RESTRICTED}
    assert patterns(merge([layer(Layer.LOCAL, said)])) == {*restricted, *DEFAULT_RESTRICTED}
    assert patterns(merge([preset(said)])) == {*restricted, *DEFAULT_RESTRICTED}
    assert patterns(merge([layer(Layer.USER, said, trusted=False)])) == {*restricted, *DEFAULT_RESTRICTED}


def test_free_paths_of_the_user_lift_patterns_and_those_of_others_do_not() -> None:
    free = {"privacy": {"free_paths": ["a", ".env", "b"]}}
    stated = {"privacy": {"restricted_paths": ["a", "c"], "remote": {"blocked_paths": ["b"]}}}
    policy = merge([user(free), repository(stated)])
    assert patterns(policy) == {"c", *DEFAULT_RESTRICTED} - {".env"}
    assert policy.blocked == ()
    for other in (repository(free), layer(Layer.LOCAL, free), preset(free), layer(Layer.USER, free, trusted=False)):
        assert patterns(merge([other])) == set(DEFAULT_RESTRICTED)


def test_a_free_path_that_frees_nothing_is_noticed() -> None:
    assert any("free_paths" in notice for notice in merge([user({"privacy": {"free_paths": ["x"]}})]).notices)
    assert merge([user({"privacy": {"free_paths": [".env"]}})]).notices == ()


def test_only_the_user_says_what_is_no_secret() -> None:
    allow = {"secrets": {"allow": ["github_token-0123456789abcdef"]}}
    assert merge([user(allow)]).secrets_allowed == {"github_token-0123456789abcdef"}
    assert merge([user(allow)]).provenance["secrets.allow[0]"].layer is Layer.USER
    for other in (repository(allow), layer(Layer.LOCAL, allow), preset(allow), layer(Layer.USER, allow, trusted=False)):
        policy = merge([other])
        assert policy.secrets_allowed == frozenset()
        assert any("secrets.allow" in notice for notice in policy.notices)


def test_only_user_and_organisation_say_how_long_the_record_is_kept() -> None:
    days = {"ledger": {"keep_days": 30}}
    assert merge([user({})]).keep_days == KEEP_DAYS
    assert merge([user(days)]).keep_days == 30
    assert merge([user(days), layer(Layer.ORGANISATION, {"ledger": {"keep_days": 900}})]).keep_days == 900
    for other in (repository(days), layer(Layer.LOCAL, days), preset(days), layer(Layer.USER, days, trusted=False)):
        assert merge([other]).keep_days == KEEP_DAYS
        assert any("ledger.keep_days" in notice for notice in merge([other]).notices)


def test_only_user_and_organisation_say_what_an_export_leaves_out() -> None:
    mask = {"ledger": {"mask": ["hash **.path"]}}
    both = merge([user(mask), layer(Layer.ORGANISATION, {"ledger": {"mask": ["drop token"]}})])
    assert (set(both.mask), both.provenance["ledger.mask[0]"].layer) == ({"hash **.path", "drop token"}, Layer.USER)
    for other in (repository(mask), layer(Layer.LOCAL, mask), preset(mask), layer(Layer.USER, mask, trusted=False)):
        assert merge([other]).mask == ()
        assert any("ledger.mask" in notice for notice in merge([other]).notices)


@pytest.mark.parametrize(("loose", "strict"), [("allow", "ask"), ("ask", "deny"), ("allow", "deny")], ids=str)
def test_the_strictest_value_that_a_layer_states_holds(loose: str, strict: str) -> None:
    def mode(value: str) -> dict[str, object]:
        return {"privacy": {"remote": {"mode": value}}, "tools": {"permissions": {"git": value}}}

    for first, second in ((loose, strict), (strict, loose)):
        policy = merge([user(mode(first)), layer(Layer.LOCAL, mode(second))])
        assert (policy.remote_mode, policy.permissions["git"]) == (Grant(strict), Grant(strict))


def test_the_users_word_replaces_a_presets_and_the_default_also_where_it_is_looser() -> None:
    strict = {"privacy": {"remote": {"mode": "deny"}, "host_answers": "file"}, "routing": {"overrides": "deny"}}
    loose = {"privacy": {"remote": {"mode": "allow"}, "host_answers": "return"}, "routing": {"overrides": "allow"}}
    policy = merge([preset(strict), user(loose)])
    assert (policy.remote_mode, policy.host_answers, policy.overrides) == (Grant.ALLOW, "return", "allow")
    policy = merge([preset(strict), repository(loose)])
    assert (policy.remote_mode, policy.host_answers, policy.overrides) == (Grant.DENY, "file", "deny")
    policy = merge([layer(Layer.WORKSPACE, loose)])
    assert (policy.remote_mode, policy.host_answers) == (Grant.ASK, "file")


def test_shell_and_network_are_denied_whatever_is_written() -> None:
    granted = {"tools": {"permissions": {"shell": "allow", "network": "ask"}}}
    permissions = merge([preset(granted), user(granted), repository(granted)]).permissions
    assert (permissions["shell"], permissions["network"]) == (Grant.DENY, Grant.DENY)


def test_lists_of_allowed_models_are_kept_each_and_the_users_replaces_the_presets() -> None:
    def allowed(*names: str) -> dict[str, object]:
        return {"models": {"allowed": list(names)}}

    assert merge([preset(allowed("p")), repository(allowed("w"))]).allowed == (("w",), ("p",))
    assert merge([preset(allowed("p")), user(allowed("u")), repository(allowed())]).allowed == (("u",), ())
    assert merge([preset({})]).allowed == ()


def test_budgets_are_all_kept_and_the_users_replaces_the_presets_of_its_kind() -> None:
    def budget(limit: str, period: str = "day") -> dict[str, object]:
        return {"budgets": [{"scope": "all", "period": period, "limit": limit}]}

    policy = merge([preset(budget("1")), preset(budget("2", "month")), user(budget("9")), repository(budget("50"))])
    assert sorted(b.limit for b in policy.budgets) == [Decimal(2), Decimal(9), Decimal(50)]


def test_only_the_user_calls_a_host_local_and_anyone_may_deny_it() -> None:
    local, remote = {"hosts": {"h": {"locality": "local"}}}, {"hosts": {"h": {"locality": "remote"}}}
    assert merge([user(local)]).host_localities == {"h": Locality.LOCAL}
    assert merge([layer(Layer.WORKSPACE, local)]).host_localities == {}
    assert merge([user(local), repository(remote)]).host_localities == {"h": Locality.REMOTE}


def test_how_long_a_host_waits_is_said_by_the_layer_that_comes_last_and_by_none_that_nobody_confirmed() -> None:
    def waits(seconds: float) -> dict[str, object]:
        return {"hosts": {"h": {"call_limit_s": seconds}}}

    policy = merge([user(waits(300)), layer(Layer.WORKSPACE, waits(60))])
    assert (policy.call_limits, policy.host_localities) == ({"h": 60}, {})
    assert policy.provenance["hosts.h.call_limit_s"].layer is Layer.WORKSPACE
    held = merge([user(waits(300)), repository(waits(60))])
    assert held.call_limits == {"h": 300}
    assert any("call_limit_s" in notice for notice in held.notices)
    locked = layer(Layer.ORGANISATION, {"locked": ["hosts.*.call_limit_s"], **waits(90)})
    assert merge([user(waits(300)), locked]).call_limits == {"h": 90}


def test_which_model_a_host_runs_on_is_said_in_the_same_way() -> None:
    def runs(model: str) -> dict[str, object]:
        return {"hosts": {"h": {"model": model}}}

    policy = merge([user(runs("anthropic/claude-opus")), layer(Layer.WORKSPACE, runs("anthropic/claude-sonnet"))])
    assert (policy.host_models, policy.call_limits) == ({"h": "anthropic/claude-sonnet"}, {})
    assert policy.provenance["hosts.h.model"].layer is Layer.WORKSPACE
    held = merge([user(runs("anthropic/claude-opus")), repository(runs("ollama/free"))])
    assert held.host_models == {"h": "anthropic/claude-opus"}
    assert any("hosts.*.model" in notice for notice in held.notices)


# --------------------------------------------------------------------------------------------------------- untrusted


def test_an_untrusted_layer_narrows_and_the_rest_waits_with_a_notice() -> None:
    document = {
        "preset": "balanced",
        "routing": {
            "rules": [{"name": "free", "model": "a/b"}, {"name": "bound", "model": "a/b", "local_only": True}],
            "default": {"model": "a/b"},
            "handoff": "when_unavailable",
            "overrides": "within_route",
        },
        "classes": {"c": {"models": ["a/b"]}},
        "classification": {"rules": [{"intent": "edit", "keywords": ["x"]}]},
        "dispatch": {"max_retries": 0},
        "providers": {"ollama": {"base_url": "http://127.0.0.1:9"}},
        "catalog": {"a/b": {"context_window": 4096}},
        "test": [{"name": "t", "task": {"text": "x"}, "expect": {}}],
    }
    policy = merge([repository(document)])
    nothing = merge([])
    for part in ("rules", "default", "classes", "classification_rules", "dispatch", "providers", "catalog", "handoff"):
        assert getattr(policy, part) == getattr(nothing, part), part
    assert [placed.rule.name for placed in policy.bindings] == ["bound"]
    assert policy.overrides == "within_route"
    assert [placed.test.name for placed in policy.tests] == ["t"]
    waiting, foreign = policy.notices
    for key in ("preset", "routing.rules", "routing.default", "routing.handoff", "classes", "dispatch"):
        assert f"`{key}`" in waiting
    assert "smista-mcp trust" in waiting
    assert "`providers`" in foreign
    assert "`catalog`" in foreign


def test_to_say_never_narrows() -> None:
    willing = user({"routing": {"handoff": "when_unavailable"}})
    assert merge([willing]).handoff == "when_unavailable"
    assert merge([willing, repository({"routing": {"handoff": "never"}})]).handoff == "never"


def test_a_layer_that_only_narrows_waits_for_nothing() -> None:
    document = {"privacy": {"restricted_paths": ["x"]}, "routing": {"overrides": "deny"}}
    assert merge([repository(document)]).notices == ()


def test_a_binding_rule_of_an_untrusted_layer_brings_its_own_classes() -> None:
    document = {
        "routing": {"rules": [{"name": "r", "model": "a/b", "only_models": ["class:own", "class:other", "x/y"]}]},
        "classes": {"own": {"models": ["a/b", "x/y"]}},
    }
    (binding,) = merge([repository(document)]).bindings
    assert binding.rule.only_models == ("a/b", "x/y", "class:other")


# --------------------------------------------------------------------------------------------------------- providers


@pytest.mark.parametrize(
    ("name", "said", "locality"),
    [
        ("ollama", {"base_url": "http://localhost:1"}, "local"),
        ("ollama", {"base_url": "http://[::1]:1"}, "local"),
        ("ollama", {"base_url": "http://127.9.9.9:1", "locality": "remote"}, "remote"),
        ("ollama", {"base_url": "http://192.168.1.5:11434"}, "remote"),
        ("ollama", {"base_url": "http://127.0.0.1.evil.example:1"}, "remote"),
        ("ollama", {"base_url": "http://127.1:11434"}, "remote"),
        ("ollama", {"base_url": "http://0.0.0.0:11434"}, "remote"),
        ("ollama", {"base_url": "http://[::ffff:127.0.0.1]:11434"}, "remote"),
        ("ollama", {"base_url": "http://192.168.1.5:1", "locality": "local"}, "remote"),
        ("ollama", {"base_url": "http://192.168.1.5:1", "locality": "local", "allow_plain_lan": True}, "local"),
        ("ollama", {"base_url": "http://192.168.1.5:1", "allow_plain_lan": True}, "remote"),
        ("ollama", {"base_url": "https://box.lan", "locality": "local"}, "local"),
        ("ollama", {"base_url": "https://ollama.com", "locality": "local"}, "remote"),
        ("openai-compat:x", {"base_url": "http://127.0.0.1:8000/v1"}, "remote"),
        ("openai-compat:x", {"base_url": "http://127.0.0.1:8000/v1", "locality": "local"}, "local"),
        ("openai", {"locality": "local"}, "remote"),
        ("openai", {"base_url": "http://127.0.0.1:8000/v1", "locality": "local"}, "local"),
        ("llamacpp", {}, "local"),
        ("llamacpp", {"locality": "remote"}, "remote"),
    ],
)
def test_a_provider_is_local_only_where_that_is_certain(name: str, said: Mapping[str, object], locality: str) -> None:
    assert merge([user({"providers": {name: said}})]).providers[name].locality == locality
    others = [layer(Layer.WORKSPACE, {"providers": {name: said}}), preset({"providers": {name: said}})]
    assert merge(others).providers == merge([]).providers


def test_a_declared_provider_has_its_kind_key_and_folder() -> None:
    said = {"base_url": "https://h.example/v1/", "api_key": "${secret:MY_KEY}"}
    policy = merge([user({"providers": {"openai-compat:x": said, "llamacpp": {"models_dir": "/m"}}})])
    spec = policy.providers["openai-compat:x"]
    assert (spec.kind, spec.base_url, spec.key_variable, spec.key_required) == (
        "openai-compat",
        "https://h.example/v1",
        "MY_KEY",
        True,
    )
    assert policy.providers["llamacpp"].models_dir == "/m"


@pytest.mark.parametrize(
    "name", ["mistral", "openai-compat", "openai-compat:", "cli:codex", "openai-compat:no-address"]
)
def test_a_provider_that_cannot_serve_is_none(name: str) -> None:
    assert name not in merge([user({"providers": {name: {}}})]).providers


# -------------------------------------------------------------------------------------------------------------- laws

_GRANTS = st.sampled_from(["allow", "ask", "deny"])
_NAMES = st.lists(st.sampled_from([".env", "*.pem", "a/**", "b", "c"]), max_size=3, unique=True)
_MODELS = st.lists(st.sampled_from(["a/b", "c/d", "*"]), max_size=2, unique=True)


def _table(**optional: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=optional)


_RULE = st.fixed_dictionaries(
    {"name": st.sampled_from(["r1", "r2", "r3"]), "model": st.sampled_from(["a/b", "ollama/x"])},
    optional={"local_only": st.booleans(), "only_models": st.just(["a/b"]), "paths": _NAMES.filter(bool)},
)
_DOCUMENTS = _table(
    privacy=_table(
        restricted_paths=_NAMES,
        free_paths=_NAMES,
        host_answers=st.sampled_from(["file", "ask", "return"]),
        remote=_table(mode=_GRANTS, blocked_paths=_NAMES),
    ),
    routing=_table(
        rules=st.lists(_RULE, max_size=2, unique_by=lambda rule: str(rule["name"])),
        default=st.just({"model": "a/b"}),
        overrides=st.sampled_from(["allow", "within_route", "deny"]),
        handoff=st.sampled_from(["never", "when_unavailable"]),
    ),
    models=_table(allowed=_MODELS, denied=_MODELS),
    tools=_table(permissions=_table(file_read=_GRANTS, git=_GRANTS, file_write=_GRANTS, shell=_GRANTS)),
    budgets=st.lists(
        st.fixed_dictionaries(
            {
                "scope": st.sampled_from(["all", "project"]),
                "period": st.just("day"),
                "limit": st.sampled_from(["1", "2"]),
            }
        ),
        max_size=2,
    ),
    hosts=_table(h=_table(locality=st.sampled_from(["local", "remote"])).filter(bool)),
    classes=_table(c=st.just({"models": ["a/b"]})),
    catalog=st.sampled_from([{}, {"a/b": {"context_window": 4096}}]),
    dispatch=_table(max_retries=st.integers(0, 3)),
    providers=_table(ollama=_table(base_url=st.sampled_from(["http://127.0.0.1:1", "https://x.example"]))),
)
_PLACES = st.sampled_from([Layer.PRESET, Layer.USER, Layer.WORKSPACE, Layer.LOCAL, Layer.CALL])


@st.composite
def _layer_sets(draw: st.DrawFn) -> list[LayerDocument]:
    places = draw(st.lists(_PLACES, unique=True, max_size=4))
    return [layer(place, draw(_DOCUMENTS), trusted=place is Layer.PRESET or draw(st.booleans())) for place in places]


def _restrictions(policy: Policy) -> set[tuple[str, object]]:
    """Everything that a policy forbids, as a set that may only grow."""
    scales = {
        "overrides": policy.overrides,
        "mode": policy.remote_mode,
        "host_answers": policy.host_answers,
        **policy.permissions,
    }
    ranks = {scale.path[-1]: scale.values for scale in SCALES}
    return {
        *(("restricted", pattern) for pattern, _ in policy.restricted),
        *(("blocked", pattern) for pattern, _ in policy.blocked),
        *(("denied", pattern) for pattern in policy.denied),
        *(("allowed", names) for names in policy.allowed),
        *(("binding", placed.rule.model_dump_json()) for placed in policy.bindings),
        *(("budget", budget.model_dump_json()) for budget in policy.budgets),
        *((name, rank) for name, value in scales.items() for rank in range(ranks[name].index(value) + 1)),
        *(("remote host", name) for name in ("h",) if policy.host_localities.get(name) is not Locality.LOCAL),
        *(("remote", name) for name, spec in policy.providers.items() if spec.locality is Locality.REMOTE),
    }


def _is_own(source: LayerDocument) -> bool:
    return source.layer is Layer.PRESET or (source.layer is Layer.USER and source.trusted)


@settings(max_examples=300)
@given(_layer_sets())
def test_a_layer_that_is_not_the_users_own_only_ever_adds_restrictions(layers: list[LayerDocument]) -> None:
    for added in layers:
        if not _is_own(added):
            rest = [source for source in layers if source is not added]
            assert _restrictions(merge(rest)) <= _restrictions(merge(layers))


@settings(max_examples=300)
@given(_layer_sets())
def test_an_untrusted_layer_changes_nothing_but_restrictions_and_tests(layers: list[LayerDocument]) -> None:
    trusted, everything = merge([source for source in layers if source.trusted]), merge(layers)
    assert [placed.rule for placed in everything.rules] == [placed.rule for placed in trusted.rules]
    for part in ("default", "classes", "catalog", "providers", "dispatch", "classification_rules"):
        assert getattr(everything, part) == getattr(trusted, part), part
    assert everything.handoff in (trusted.handoff, "never")


@settings(max_examples=300)
@given(_layer_sets())
def test_no_layer_lifts_what_one_of_higher_authority_forbids(layers: list[LayerDocument]) -> None:
    """Over every layer: its own restrictions hold in the end, but for what the user frees and a preset's values."""
    everything = _restrictions(merge(layers))
    freed = {p for source in layers if _is_own(source) for p in source.document.privacy.free_paths}
    for source in layers:
        if source.layer is Layer.PRESET:
            continue
        stated = _stated(source) - {(kind, p) for kind in ("restricted", "blocked") for p in freed}
        assert stated <= everything


def _stated(source: LayerDocument) -> set[tuple[str, object]]:
    document = source.document
    values = {scale.path[-1]: (scale, scale.read(document)) for scale in SCALES}
    return {
        *(("restricted", pattern) for pattern in document.privacy.restricted_paths or ()),
        *(("blocked", pattern) for pattern in document.privacy.remote.blocked_paths),
        *(("denied", pattern) for pattern in document.models.denied),
        *(("allowed", names) for names in (document.models.allowed,) if names is not None),
        *(("budget", budget.model_dump_json()) for budget in document.budgets),
        *(
            (name, rank)
            for name, (scale, value) in values.items()
            if value is not None
            for rank in range(scale.values.index(value) + 1)
        ),
    }


@settings(max_examples=100)
@given(_layer_sets())
def test_the_order_of_the_layers_given_does_not_matter(layers: list[LayerDocument]) -> None:
    expected = merge(layers)
    assert all(merge(order) == expected for order in permutations(layers))


@settings(max_examples=100)
@given(_layer_sets())
def test_a_layer_given_twice_counts_once(layers: list[LayerDocument]) -> None:
    assert merge([*layers, *layers]) == merge(layers)


@given(_layer_sets())
def test_every_effective_value_has_a_place(layers: Sequence[LayerDocument]) -> None:
    policy = merge(layers)
    known = policy.provenance
    assert {f"classes.{name}" for name in policy.classes} <= known.keys()
    assert {f"providers.{name}" for name in policy.providers} <= known.keys()
    assert {f"tools.permissions.{name}" for name in policy.permissions} <= known.keys()
    assert {f"models.denied[{index}]" for index in range(len(policy.denied))} <= known.keys()
    assert {f"budgets[{index}]" for index in range(len(policy.budgets))} <= known.keys()
    assert {f"routing.rules[{placed.order}]" for placed in policy.rules} <= known.keys()


@given(_layer_sets())
def test_the_revision_names_the_documents_and_their_trust(layers: Sequence[LayerDocument]) -> None:
    revision = merge(layers).revision
    assert len(revision) == 64
    renamed = [LayerDocument(s.layer, s.document, "elsewhere.toml", {}, s.trusted, s.digest) for s in layers]
    assert merge(renamed).revision == revision
    if layers:
        assert merge(layers[1:]).revision != revision
        turned = [LayerDocument(s.layer, s.document, s.file, {}, not s.trusted, s.digest) for s in layers]
        assert merge(turned).revision != revision
