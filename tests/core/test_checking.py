import tomllib
from collections.abc import Sequence

import pytest

from smista_mcp.core.checking import check, faults
from smista_mcp.core.layering import LayerDocument, merge
from smista_mcp.core.policy import PolicyDocument
from smista_mcp.core.values import Grant, Layer

CODING = '[classes.coding]\nmodels = ["ollama/b"]\n'
DEFAULT = '[routing.default]\nmodel = "class:local"\n'


def source(text: str, place: Layer = Layer.USER, *, trusted: bool = True) -> LayerDocument:
    document = PolicyDocument.model_validate(tomllib.loads(text))
    lines = {"routing.rules[0]": 1, "routing.rules[1]": 11, "routing.rules[1].name": 12, "routing.default.model": 21}
    return LayerDocument(place, document, f"{place}.toml", lines, trusted, digest=text)


def brief(layers: Sequence[LayerDocument]) -> list[tuple[str, str, str]]:
    return [(f.code.value, f.severity.value[0].upper(), f.at) for f in check(layers, merge(layers))]


def checked(text: str) -> list[tuple[str, str, str]]:
    return brief([source(text + DEFAULT)])


def rule(name: str, *lines: str, model: str = "ollama/x", when: str | None = None) -> str:
    """A rule for the skill of its name, or for `when`."""
    condition = f'skill = "{name}"' if when is None else when
    return "\n".join(["[[routing.rules]]", f'name = "{name}"', f'model = "{model}"', condition, *lines, ""])


def test_a_clean_policy_has_no_findings() -> None:
    text = rule(
        "a", 'paths = ["src/**"]', "local_only = true", 'fallbacks = ["class:local"]', 'only_models = ["class:c"]'
    )
    assert checked(text + '[classes.c]\nmodels = ["anthropic/x", "host/y"]\n') == []


# --------------------------------------------------------------------------------------------------------------- names


def test_two_rules_of_one_layer_with_one_name_are_an_error() -> None:
    layers = [source(rule("a") + rule("a", when='skill = "b"') + DEFAULT)]
    (finding,) = check(layers, merge(layers))
    assert (finding.code, finding.severity, finding.at, finding.line) == (
        "duplicate_name",
        "error",
        "routing.rules[1].name",
        12,
    )
    assert (finding.rules, finding.layer, finding.file) == (("a",), Layer.USER, "user.toml")


def test_names_that_differ_only_in_case_are_a_warning() -> None:
    assert checked(rule("Auth") + rule("AUTH")) == [("duplicate_name", "W", "routing.rules[1].name")]


def test_one_name_in_two_layers_is_a_warning() -> None:
    layers = [source(rule("a") + DEFAULT, Layer.PRESET), source(rule("a", when='skill = "b"'))]
    assert brief(layers) == [("duplicate_name", "W", "routing.rules[0].name")]
    assert faults(layers, merge(layers)) == ()


def test_a_host_that_nobody_is_called_by_is_a_warning() -> None:
    text = (
        DEFAULT
        + "[hosts.codex]\ncall_limit_s = 9\n[hosts.unknown]\ncall_limit_s = 9\n[hosts.Codex]\ncall_limit_s = 9\n"
    )
    layers = [source(text + '[hosts."my host"]\nlocality = "local"\n')]
    found = check(layers, merge(layers))
    assert [(one.code, one.severity, one.at) for one in found] == [
        ("invalid_enum", "warning", 'hosts."my host"'),
        ("invalid_enum", "warning", "hosts.Codex"),
    ]
    assert "`codex`" in found[1].fix


# ---------------------------------------------------------------------------------------------------------- references


@pytest.mark.parametrize(
    ("text", "code", "at", "fix"),
    [
        (rule("a", model="antropic/x"), "unknown_provider", "routing.rules[0].model", "`anthropic`"),
        (rule("a", model="Anthropic/x"), "unknown_provider", "routing.rules[0].model", "`anthropic`"),
        (rule("a", 'fallbacks = ["zz/x"]'), "unknown_provider", "routing.rules[0].fallbacks[0]", "providers.zz"),
        (rule("a", 'only_models = ["zz/x"]'), "unknown_provider", "routing.rules[0].only_models[0]", "providers.zz"),
        (rule("a", model="openai-compat:q/x"), "unknown_provider", "routing.rules[0].model", '"openai-compat:q"'),
        (rule("a", model="cli:codex/x"), "unknown_provider", "routing.rules[0].model", ""),
        (rule("a", model="class:codng") + CODING, "invalid_model_ref", "routing.rules[0].model", "`class:coding`"),
        (rule("a", model="class:zz"), "invalid_model_ref", "routing.rules[0].model", "[classes.zz]"),
        ('[classes.c]\nmodels = ["zz/x"]\n', "unknown_provider", "classes.c.models[0]", "providers.zz"),
        ('[classes.c]\nmodels = ["class:local"]\n', "invalid_model_ref", "classes.c.models[0]", "models"),
        ("[providers.mistral]\n", "unknown_provider", "providers.mistral", "openai-compat:NAME"),
        ("[providers.olama]\n", "unknown_provider", "providers.olama", "`ollama`"),
        ('[providers."openai-compat:x"]\n', "invalid_type", 'providers."openai-compat:x"', "base_url"),
        ('[providers.llamacpp]\nbase_url = "http://127.0.0.1:1"\n', "unknown_key", "providers.llamacpp.base_url", ""),
        ('[providers.openai]\nlocality = "local"\n', "invalid_enum", "providers.openai.locality", ""),
        ('[providers.ollama]\nbase_url = "http://10.0.0.1"\n',
         "insecure_base_url", "providers.ollama.base_url", "https"),
        ('[providers.ollama]\nbase_url = "http://10.0.0.1"\nlocality = "local"\n',
         "insecure_base_url", "providers.ollama.base_url", "allow_plain_lan"),
        ('[providers.openai]\nbase_url = "http://proxy.example/v1"\n',
         "insecure_base_url", "providers.openai.base_url", "https"),
    ],
)  # fmt: skip
def test_what_nothing_stands_behind_makes_a_policy_unusable(text: str, code: str, at: str, fix: str) -> None:
    layers = [source(text + DEFAULT)]
    policy = merge(layers)
    found = [finding for finding in check(layers, policy) if finding.at == at]
    assert [(finding.code, finding.severity) for finding in found] == [(code, "error")]
    assert fix in found[0].fix
    assert found[0] in faults(layers, policy)


@pytest.mark.parametrize(
    "text",
    [
        '[providers.ollama]\nbase_url = "http://127.0.0.1:1"\n',
        '[providers.ollama]\nbase_url = "https://box.example"\n',
        '[providers.ollama]\nbase_url = "http://10.0.0.1"\nlocality = "local"\nallow_plain_lan = true\n',
        '[providers."openai-compat:x"]\nbase_url = "http://localhost:8000/v1"\n' + rule("a", model="openai-compat:x/y"),
    ],
)
def test_a_declared_provider_at_a_safe_address_is_in_order(text: str) -> None:
    assert checked(text) == []


def test_what_an_untrusted_layer_wants_is_checked_and_makes_nothing_unusable() -> None:
    layers = [source(DEFAULT), source(rule("a", model="zz/x"), Layer.WORKSPACE, trusted=False)]
    assert brief(layers) == [("unknown_provider", "E", "routing.rules[0].model")]
    assert faults(layers, merge(layers)) == ()


def test_a_class_of_another_layer_is_known() -> None:
    layers = [
        source('[classes.c]\nmodels = ["ollama/x"]\n' + DEFAULT, Layer.PRESET),
        source(rule("a", model="class:c")),
    ]
    assert brief(layers) == []


# -------------------------------------------------------------------------------------------------------------- routes


def test_a_policy_without_default_is_an_error_unless_a_rule_takes_everything() -> None:
    assert brief([source(rule("a", 'intent = "edit"'))]) == [("default_missing", "E", "routing.default")]
    assert brief([source(rule("a", 'effort = "low"', when=""))]) == [("default_missing", "W", "routing.default")]
    waiting = [source(""), source(DEFAULT, Layer.WORKSPACE, trusted=False)]
    assert brief(waiting) == [("default_missing", "E", "routing.default")]
    assert faults(waiting, merge(waiting)) == ()


@pytest.mark.parametrize(
    "model", ["anthropic/x", "ollama/big-cloud", "ollama/big:120b-Cloud", "host/opus", "class:far"]
)
def test_a_rule_that_stays_local_may_not_name_remote_models(model: str) -> None:
    far = '[classes.far]\nmodels = ["anthropic/x", "openai/y"]\n'
    remote = rule("a", "local_only = true", model=model)
    assert checked(remote + far) == [("remote_model_of_local_only", "E", "routing.rules[0].model")]
    fallback = rule("a", "local_only = true", f'fallbacks = ["class:local", "{model}"]')
    assert checked(fallback + far) == [("remote_fallback_of_local_only", "E", "routing.rules[0].fallbacks[1]")]
    assert checked(rule("a", model=model) + far) == []


def test_a_class_with_one_local_model_may_serve_a_rule_that_stays_local() -> None:
    mixed = '[classes.mixed]\nmodels = ["anthropic/x", "ollama/y"]\n'
    assert checked(rule("a", "local_only = true", model="class:mixed") + mixed) == []


def test_a_host_that_the_user_calls_local_may_serve_a_rule_that_stays_local() -> None:
    text = rule("a", "local_only = true", model="host/x") + '[hosts.zed]\nlocality = "local"\n'
    assert checked(text) == []


def test_a_target_that_stands_twice_in_a_list_is_never_reached() -> None:
    text = rule("a", 'fallbacks = ["ollama/x", "ollama/y", "ollama/y"]')
    text += '[classes.c]\nmodels = ["ollama/x", "ollama/x"]\n'
    assert checked(text) == [
        ("unreachable_fallback", "W", "classes.c.models[1]"),
        ("unreachable_fallback", "W", "routing.rules[0].fallbacks[0]"),
        ("unreachable_fallback", "W", "routing.rules[0].fallbacks[2]"),
    ]
    default = '[routing.default]\nmodel = "ollama/x"\nfallbacks = ["ollama/x"]\n'
    assert brief([source(default)]) == [("unreachable_fallback", "W", "routing.default.fallbacks[0]")]


# -------------------------------------------------------------------------------------------------------------- rights


@pytest.mark.parametrize("place", [Layer.PRESET, Layer.WORKSPACE, Layer.LOCAL])
@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        (
            '[providers.ollama]\nbase_url = "https://x.example"\n',
            "secret_reuse_untrusted_layer",
            "providers.ollama.base_url",
        ),
        ('[providers.openai]\napi_key = "${secret:K}"\n', "secret_reuse_untrusted_layer", "providers.openai.api_key"),
        ('[providers.openai]\nlocality = "local"\n', "permission_widening", "providers.openai.locality"),
        ("[providers.ollama]\nallow_plain_lan = true\n", "permission_widening", "providers.ollama.allow_plain_lan"),
        ('[catalog."a/b"]\ncontext_window = 4096\n', "permission_widening", 'catalog."a/b"'),
        ('[privacy]\nfree_paths = [".env"]\n', "permission_widening", "privacy.free_paths"),
        ('[hosts.h]\nlocality = "local"\n', "permission_widening", "hosts.h"),
        ('[secrets]\nallow = ["jwt-0123456789abcdef"]\n', "permission_widening", "secrets.allow"),
        ("[ledger]\nkeep_days = 1\n", "permission_widening", "ledger.keep_days"),
        ('[ledger]\nmask = ["drop token"]\n', "permission_widening", "ledger.mask"),
    ],
)
def test_keys_of_the_users_own_file_are_an_error_in_others(place: Layer, text: str, code: str, at: str) -> None:
    assert brief([source(DEFAULT), source(text, place)]) == [(code, "E", at)]
    assert [finding for finding in brief([source(text + DEFAULT)]) if finding[0] == code] == []


@pytest.mark.parametrize("higher", [Layer.USER, Layer.LOCAL])
def test_a_layer_that_loosens_what_a_higher_authority_set_is_an_error(higher: Layer) -> None:
    strict = source('[privacy.remote]\nmode = "deny"\n' + DEFAULT, higher)
    loose = source('[privacy.remote]\nmode = "ask"\n', Layer.WORKSPACE)
    assert brief([strict, loose]) == [("permission_widening", "E", "privacy.remote.mode")]
    stricter = source('[privacy.remote]\nmode = "ask"\n' + DEFAULT, higher)
    assert brief([stricter, source('[privacy.remote]\nmode = "deny"\n', Layer.WORKSPACE)]) == []


def test_a_looser_value_than_a_presets_is_the_users_right() -> None:
    strict = source('[privacy.remote]\nmode = "deny"\n' + DEFAULT, Layer.PRESET)
    assert brief([strict, source('[privacy.remote]\nmode = "allow"\n')]) == []


@pytest.mark.parametrize("name", ["shell", "network"])
@pytest.mark.parametrize("grant", ["allow", "ask", "deny"])
@pytest.mark.parametrize("place", [Layer.ORGANISATION, Layer.USER, Layer.WORKSPACE, Layer.PRESET])
def test_what_nobody_grants_is_an_error_in_every_layer(place: Layer, grant: str, name: str) -> None:
    layers = [source(DEFAULT), source(f'[tools.permissions]\n{name} = "{grant}"\n', place)]
    assert merge(layers).permissions[name] is Grant.DENY
    wrong = [] if grant == "deny" else [("permission_widening", "E", f"tools.permissions.{name}")]
    assert brief(layers) == wrong


RULE_PERMISSIONS = "routing.rules[0].required_permissions.permissions"


@pytest.mark.parametrize(
    ("place", "above", "below", "found"),
    [
        (Layer.USER, "", "", []),
        (Layer.USER, 'file_read = "deny"', "", ["E"]),
        (Layer.USER, 'file_read = "allow"', "", []),
        (Layer.USER, "", 'file_read = "deny"', ["I"]),
        (Layer.WORKSPACE, 'file_read = "ask"', "", ["E"]),
        (Layer.WORKSPACE, "", 'file_read = "deny"', ["E"]),
        (Layer.PRESET, 'file_read = "deny"', "", ["I"]),
        (Layer.ORGANISATION, 'file_read = "deny"', "", ["I"]),
    ],
)
def test_permissions_of_a_rule_that_are_looser_than_what_holds(
    place: Layer, above: str, below: str, found: list[str]
) -> None:
    """`above` is the user's file, `below` the workspace's; one of them, or another, has the rule."""
    ruled = rule("r", 'required_permissions = { permissions = { file_read = "allow" } }')
    texts = {Layer.USER: DEFAULT, Layer.WORKSPACE: ""}
    texts[place] = ruled + texts.get(place, "")
    for where, said in ((Layer.USER, above), (Layer.WORKSPACE, below)):
        texts[where] += f"[tools.permissions]\n{said}\n" if said else ""
    at = f"{RULE_PERMISSIONS}.file_read"
    assert brief([source(text, where) for where, text in texts.items()]) == [
        ("permission_widening", severity, at) for severity in found
    ]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('file_write = "allow"', ["file_write"]),
        ('file_write = "ask"', []),
        ('shell = "allow", network = "ask"', ["network", "shell"]),
        ('shell = "deny", git = "deny"', []),
    ],
)
def test_permissions_of_a_rule_that_are_looser_than_what_is_built_in(said: str, found: list[str]) -> None:
    ruled = rule("r", f"required_permissions = {{ permissions = {{ {said} }} }}")
    assert [at for _, _, at in checked(ruled)] == [f"{RULE_PERMISSIONS}.{name}" for name in found]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("[providers.ollama]\nallow_plain_lan = true\n", "providers.ollama.allow_plain_lan"),
        ('[catalog."a/b"]\ncontext_window = 4096\n', 'catalog."a/b"'),
        ('[privacy.remote]\nmode = "allow"\n', "privacy.remote.mode"),
        ('[tools.permissions]\nshell = "allow"\n', "tools.permissions.shell"),
    ],
)
def test_a_widening_names_its_key_in_words(text: str, at: str) -> None:
    layers = [source('[privacy.remote]\nmode = "deny"\n' + DEFAULT), source(text, Layer.WORKSPACE)]
    (finding,) = check(layers, merge(layers))
    assert finding.at == at
    assert f"`{at}`" in finding.message
