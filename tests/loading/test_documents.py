import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.findings import Finding, Severity
from smista_mcp.core.values import Layer
from smista_mcp.errors import PolicyInvalid
from smista_mcp.loading.documents import MAX_FINDINGS, parse
from smista_mcp.loading.files import Unreadable

KEY = "sk-" + "made-up-0123456789abcdefgh"
"""What looks like a key, and is put together here so that no scanner takes this file for a leak."""


def findings(text: str | bytes) -> tuple[Finding, ...]:
    return parse(text.encode() if isinstance(text, str) else text, Layer.USER, "p.toml").findings


def brief(text: str | bytes) -> list[tuple[str, str, int | None]]:
    return [(finding.code.value, finding.at, finding.line) for finding in findings(text)]


def rule(*lines: str) -> str:
    return "\n".join(["[[routing.rules]]", 'name = "r"', 'model = "ollama/x"', *lines])


def test_a_document_in_order_has_no_findings() -> None:
    parsed = parse(rule('paths = ["src/**"]').encode(), Layer.USER, "p.toml")
    assert parsed.findings == ()
    assert parsed.document is not None
    assert parsed.document.routing.rules[0].paths == ("src/**",)
    assert parsed.lines["routing.rules[0].paths"] == 4
    assert len(parsed.digest) == 64


@pytest.mark.parametrize("data", [b"", b"\n", b"# only a comment", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_empty_document(data: bytes) -> None:
    parsed = parse(data, Layer.USER, "p.toml")
    assert parsed.findings == ()
    assert parsed.document is not None


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    data = b"\xef\xbb\xbf" + rule("bad = 1").replace("\n", "\r\n").encode()
    assert brief(data) == [("unknown_key", "routing.rules[0].bad", 4)]


@pytest.mark.parametrize(
    ("text", "code", "at", "line"),
    [
        ("preset = 3", "invalid_type", "preset", 1),
        ("\nprest = 3", "unknown_key", "prest", 2),
        ("routing = 3", "invalid_type", "routing", 1),
        ("[routing.rules]\nname = 1", "invalid_type", "routing.rules", 1),
        ("routing.rules = [3]", "invalid_type", "routing.rules[0]", 1),
        ("[[privacy]]", "invalid_type", "privacy", 1),
        (rule("modl = 1"), "unknown_key", "routing.rules[0].modl", 4),
        (rule('intent = ["edit",\n"reviw"]'), "unknown_intent", "routing.rules[0].intent[1]", 5),
        (rule('intent = "reviw"'), "unknown_intent", "routing.rules[0].intent", 4),
        (rule("intent = 5"), "invalid_type", "routing.rules[0].intent", 4),
        (rule("intent = []"), "invalid_type", "routing.rules[0].intent", 4),
        (rule('priority = "high"'), "invalid_priority", "routing.rules[0].priority", 4),
        (rule("priority = -1"), "invalid_priority", "routing.rules[0].priority", 4),
        (rule("priority = 1.0"), "invalid_priority", "routing.rules[0].priority", 4),
        (rule("priority = true"), "invalid_priority", "routing.rules[0].priority", 4),
        (rule("priority = 1000001"), "invalid_priority", "routing.rules[0].priority", 4),
        (rule("priority = 0x" + "f" * 9000), "invalid_priority", "routing.rules[0].priority", 4),
        (rule("cost_limit = 0.5"), "invalid_cost_limit", "routing.rules[0].cost_limit", 4),
        (rule('cost_limit = "-1"'), "invalid_cost_limit", "routing.rules[0].cost_limit", 4),
        (rule('cost_limit = "NaN"'), "invalid_cost_limit", "routing.rules[0].cost_limit", 4),
        (rule('cost_limit = "٣"'), "invalid_cost_limit", "routing.rules[0].cost_limit", 4),
        (rule('paths = ["a",\n "{b,c}"]'), "invalid_glob", "routing.rules[0].paths[1]", 5),
        (rule("paths = []"), "invalid_glob", "routing.rules[0].paths", 4),
        (rule('paths = ["""a\nb"""]'), "invalid_glob", "routing.rules[0].paths[0]", 4),
        (rule('paths = ["a\\tb"]'), "invalid_glob", "routing.rules[0].paths[0]", 4),
        (rule('paths = ["a\\u2028b"]'), "invalid_glob", "routing.rules[0].paths[0]", 4),
        (rule('paths = ["a\\u202eb"]'), "invalid_glob", "routing.rules[0].paths[0]", 4),
        ('[[routing.rules]]\nmodel = "ollama/x"\nname = """a\nb"""', "invalid_type", "routing.rules[0].name", 3),
        ('[models]\ndenied = ["a\\nb"]', "invalid_type", "models.denied[0]", 2),
        ('[[budgets]]\nperiod = "day"\nlimit = "1"\nscope = "model:a\\nb"', "invalid_type", "budgets[0].scope", 4),
        ('[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "1"\n' * 101, "invalid_type", "budgets", 1),
        ("[models]\ndenied = [" + '"a",' * 1001 + "]", "invalid_type", "models.denied", 2),
        ("[models]\nallowed = [" + '"a",' * 1001 + "]", "invalid_type", "models.allowed", 2),
        (rule("fallbacks = [" + '"ollama/a",' * 1001 + "]"), "invalid_model_ref", "routing.rules[0].fallbacks", 4),
        ('[[test]]\nname = "t"\ntask = { text = " \\u2003\\n" }\nexpect = {}', "invalid_type", "test[0].task.text", 3),
        (rule('paths = ["/etc"]'), "invalid_glob", "routing.rules[0].paths[0]", 4),
        (rule('paths = "src/**"'), "invalid_type", "routing.rules[0].paths", 4),
        (rule('effort = "hgih"'), "invalid_enum", "routing.rules[0].effort", 4),
        (rule('local_only = "yes"'), "invalid_type", "routing.rules[0].local_only", 4),
        (rule("deadline_s = 0"), "invalid_type", "routing.rules[0].deadline_s", 4),
        (rule("deadline_s = nan"), "invalid_type", "routing.rules[0].deadline_s", 4),
        (rule("min_paths = 0"), "invalid_type", "routing.rules[0].min_paths", 4),
        (
            rule("requires_capabilities = { wings = true }"),
            "unknown_key",
            "routing.rules[0].requires_capabilities.wings",
            4,
        ),
        (rule('fallbacks = ["sonnet"]'), "invalid_model_ref", "routing.rules[0].fallbacks[0]", 4),
        ('[[routing.rules]]\nname = "r"', "invalid_type", "routing.rules[0]", 1),
        ('[[routing.rules]]\nname = "a\\nb"\nmodel = "a/b"', "invalid_type", "routing.rules[0].name", 2),
        ('[[routing.rules]]\nname = "  "\nmodel = "a/b"', "invalid_type", "routing.rules[0].name", 2),
        ('[routing.default]\nmodel = "class:"', "invalid_model_ref", "routing.default.model", 2),
        ("[routing.default]\nmodel = ''", "invalid_model_ref", "routing.default.model", 2),
        ('[classes."a b"]\nmodels = ["a/b"]', "invalid_model_ref", 'classes."a b"', 1),
        ("[classes.x]\nmodels = []", "invalid_model_ref", "classes.x.models", 2),
        ('[catalog."class:x"]\n', "invalid_model_ref", 'catalog."class:x"', 1),
        ('[catalog."a/b"]\ncontext_window = 1', "invalid_type", 'catalog."a/b".context_window', 2),
        ('[[budgets]]\nscope = "intent:fly"\nperiod = "day"\nlimit = "1"', "unknown_intent", "budgets[0].scope", 2),
        ('[[budgets]]\nscope = "everything"\nperiod = "day"\nlimit = "1"', "invalid_enum", "budgets[0].scope", 2),
        ('[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = 1', "invalid_cost_limit", "budgets[0].limit", 4),
        ('[providers.openai]\napi_key = "$OPENAI_API_KEY"', "invalid_secret_ref", "providers.openai.api_key", 2),
        ('[providers.openai]\napi_key = "OPENAI_API_KEY"', "invalid_secret_ref", "providers.openai.api_key", 2),
        (f'[providers.openai]\napi_key = "{KEY}"', "inline_secret", "providers.openai.api_key", 2),
        ('[providers.openai]\npassword = "x"', "inline_secret", "providers.openai.password", 2),
        ('[providers.ollama]\nbase_url = "http://u:p@h:1/"', "inline_secret", "providers.ollama.base_url", 2),
        ('[providers.ollama]\nbase_url = "http://h/?key=1"', "inline_secret", "providers.ollama.base_url", 2),
        ('[providers.ollama]\nbase_url = "ftp://h/"', "invalid_type", "providers.ollama.base_url", 2),
        ('[providers.ollama]\nbase_url = "unix:///run/o.sock"', "invalid_type", "providers.ollama.base_url", 2),
        (f"[models]\ndenied = ['x',\n'*{KEY}*']", "inline_secret", "models.denied[1]", 3),
        ('[privacy]\nhost_answers = "print"', "invalid_enum", "privacy.host_answers", 2),
        ('[privacy.remote]\nblocked_paths = ["!x"]', "invalid_glob", "privacy.remote.blocked_paths[0]", 2),
        ("[tools.permissions]\nfile_reed = 'ask'", "unknown_key", "tools.permissions.file_reed", 2),
        ('[models]\nrestricted_paths = ["x"]', "unknown_key", "models.restricted_paths", 2),
        ('[hosts.codex]\nlocality = "near"', "invalid_enum", "hosts.codex.locality", 2),
        ('[[test]]\nname = "t"\ntask = { text = "" }\nexpect = {}', "invalid_type", "test[0].task.text", 3),
        ('[models]\ndenied = ["a\\u001b[31m"]', "invalid_type", "models.denied[0]", 2),
        ('[providers."a\\nb"]\nbase_url = "http://127.0.0.1:1"', "invalid_type", 'providers."a\\nb".base_url', 2),
        (rule("effort = 5"), "invalid_type", "routing.rules[0].effort", 4),
        (rule(f'skill = "{"x" * 401}"'), "invalid_type", "routing.rules[0].skill", 4),
        ("[dispatch]\nmax_retries = 6", "invalid_type", "dispatch.max_retries", 2),
        ('[models]\ndenied = ["a\\u0000"]', "invalid_type", "models.denied[0]", 2),
    ],
)
def test_each_misfit_has_a_code_a_key_and_a_line(text: str, code: str, at: str, line: int) -> None:
    assert (code, at, line) in brief(text)
    for finding in findings(text):
        assert finding.severity is Severity.ERROR
        assert finding.layer is Layer.USER
        assert finding.file == "p.toml"
        assert finding.message.startswith(f"`{at}`") or finding.at != at
        assert finding.fix


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ledger.content", '[ledger]\ncontent = "bodies"'),
    ],
)
def test_a_key_of_a_later_version_is_an_error_that_says_so(key: str, text: str) -> None:
    (finding,) = findings(text)
    assert finding.code == "unknown_key"
    assert finding.at.endswith(key)
    assert "version" in finding.message


@pytest.mark.parametrize(
    ("at", "line", "text"),
    [
        ("routing.rules[0].overridable", 4, rule("overridable = false")),
        ("locked", 1, "locked = []"),
        ("locked", 1, 'locked = ["privacy"]'),
    ],
)
def test_what_the_organisation_alone_can_say_is_an_error_elsewhere(at: str, line: int, text: str) -> None:
    for layer in (Layer.PRESET, Layer.USER, Layer.WORKSPACE, Layer.LOCAL):
        (finding,) = parse(text.encode(), layer, "p.toml").findings
        assert (finding.code, finding.at, finding.line, finding.severity) == ("unknown_key", at, line, Severity.ERROR)
        assert finding.fix.startswith("remove it")
    assert parse(text.encode(), Layer.ORGANISATION, "p.toml").findings == ()


@pytest.mark.parametrize(
    ("written", "meant"), [("modell", "model"), ("fallback", "fallbacks"), ("Priority", "priority")]
)
def test_the_nearest_known_key_is_offered(written: str, meant: str) -> None:
    (finding,) = findings(rule(f"{written} = 1"))
    assert f"`{meant}`" in finding.fix


def test_every_problem_of_a_file_is_found_in_one_pass_and_in_its_order() -> None:
    text = "a = 1\n" + rule("b = 1", "priority = -1", 'effort = "x"') + '\n[models]\nallowed = "x"\n'
    assert [(code, line) for code, _, line in brief(text)] == [
        ("unknown_key", 1),
        ("unknown_key", 5),
        ("invalid_priority", 6),
        ("invalid_enum", 7),
        ("invalid_type", 9),
    ]
    assert findings(text)[2].rules == ("r",)


def test_tables_of_smista_ai_are_skipped_with_one_warning() -> None:
    text = "[router]\nx = 1\n[privacy.local]\ny = 1\n[local_preferences]\nlocal_only = true\n" + rule()
    parsed = parse(text.encode(), Layer.USER, "p.toml")
    (finding,) = parsed.findings
    assert (finding.code, finding.severity, finding.line) == ("unknown_key", Severity.WARNING, 1)
    assert parsed.document is not None
    assert parsed.skipped == ("router", "privacy.local", "local_preferences")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a = 1\nb =\n", 2),
        (b"[x\n", 1),
        (b"a = 1\na = 2\n", 2),
        (b"a = 1\n\n[b]\nc = 'open", 4),
        (b"a = 1\n\x00b = 2", 2),
        (b"a = 1\nb = '\xff'", 2),
        (b"\xff\xfea\x00", 1),
        (b'a = "\\ud800"', 1),
        (b"a = " + b"9" * 5000, None),
        (b"a = " + b"[" * 100_000, None),
        (b"a = " + b"{b=" * 100_000, None),
        (b"\nx = 1\n" + b"a." * 40 + b"a = 1", 3),
        (b"[" + b'"a" . ' * 40 + b"a]", 1),
    ],
)
def test_what_is_no_toml_is_one_parse_error(data: bytes, line: int | None) -> None:
    parsed = parse(data, Layer.WORKSPACE, "p.toml")
    assert parsed.document is None
    assert [(f.code, f.line, f.layer) for f in parsed.findings] == [("parse_error", line, Layer.WORKSPACE)]


def test_an_encoding_error_names_the_byte() -> None:
    (finding,) = findings(b"a = 1\nb = '\xff'")
    assert "byte 11" in finding.message


def test_a_file_that_cannot_be_read_is_a_parse_error() -> None:
    (finding,) = parse(Unreadable("is a folder", "put a file there"), Layer.LOCAL, "p.toml").findings
    assert (finding.code, finding.line, finding.file) == ("parse_error", None, "p.toml")


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "data",
    [
        b"a." * 1_000_000 + b"a = 1",
        b"x = {" + b"a." * 1_000_000 + b"a = 1}",
        b"providers = {" + b"a." * 1_000_000 + b"a = 1}",
        b"".join(b"k%d = 1\n" % n for n in range(200_000)),
        b"[[routing.rules]]\n" * 100_000,
    ],
    ids=["long key", "deep table", "deep provider", "many keys", "many rules"],
)
def test_a_hostile_file_is_refused_in_bounded_time_and_space(data: bytes) -> None:
    found = findings(data)  # work that grows faster than the file would not end within the test's time-out
    assert 0 < len(found) <= MAX_FINDINGS


@pytest.mark.parametrize(
    "text",
    [
        f'[providers.openai]\napi_key = "{KEY}"',
        f'[routing.default]\nmodel = "{KEY}"',
        f'preset = 1\n"{KEY}" = 1',
        f'[routing.default]\nmodel = "http://user:{KEY}@host/x y"',
        '[providers.ollama]\nbase_url = "http://user:pass-word@127.0.0.1/"',
        f"[privacy]\nrestricted_paths = ['{{{KEY},b}}']",
        f'[privacy]\nhost_answers = "{KEY}"',
        f"{KEY} = 1\n{KEY} = 2",
    ],
)
def test_no_finding_repeats_a_secret(text: str) -> None:
    found = findings(text)
    assert found
    printed = "".join(finding.model_dump_json() for finding in found)
    assert "made-up" not in printed
    assert "pass-word" not in printed
    assert "made-up" not in str(PolicyInvalid.of(found))


def test_a_made_up_key_may_stand_in_the_task_of_a_test() -> None:
    assert findings(f'[[test]]\nname = "t"\ntask = {{ text = "use {KEY}" }}\nexpect = {{}}') == ()


def test_no_finding_carries_what_a_terminal_would_obey() -> None:
    found = findings('"a\\u001b[31m" = 1\n[privacy]\nhost_answers = "b\\u0007"\nrestricted_paths = ["\\u009b{}"]')
    assert len(found) >= 4
    assert not any(char in "\x1b\x07\x9b" for finding in found for char in finding.message + finding.at + finding.fix)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_make_it_fail(data: bytes) -> None:
    parsed = parse(data, Layer.USER, "p.toml")
    assert (parsed.document is None) == any(f.severity is Severity.ERROR for f in parsed.findings)


_NAMED = ["preset", "routing", "rules", "name", "model", "paths", "intent", "privacy", "remote", "mode", "providers"]
_KEYS = st.sampled_from([*_NAMED, "ollama", "base_url", "classes", "models", "allowed", "test", "task", "budgets", "x"])
_VALUES: st.SearchStrategy[object] = st.recursive(
    st.one_of(
        st.integers(-2, 2), st.booleans(), st.floats(), st.sampled_from(["", "a/b", "edit", "class:x", "{a}", "\x7f"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=3))
def test_any_shape_of_document_is_judged_and_every_finding_has_a_line(values: dict[str, object]) -> None:
    parsed = parse(_toml(values).encode(), Layer.USER, "p.toml")
    assert (parsed.document is None) == bool(parsed.findings)
    assert all(finding.line for finding in parsed.findings)


def _toml(values: dict[str, object]) -> str:
    return "\n".join(f"{key} = {_written(value)}" for key, value in values.items())


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + value.replace("\x7f", "\\u007f") + '"'
        case int() | float():
            return repr(value)
        case list():
            return f"[{', '.join(map(_written, value))}]"  # pyright: ignore[reportUnknownArgumentType]
        case dict():
            return "{" + ", ".join(f"{key} = {_written(inner)}" for key, inner in value.items()) + "}"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            raise TypeError


def test_the_error_of_a_policy_shows_the_first_problem_and_counts_the_others() -> None:
    error = PolicyInvalid.of(findings("a = 1\nb = 2\nc = 3"))
    assert len(error.problems) == 3
    assert str(error).startswith("policy_invalid: p.toml:1: `a`")
    assert "2 more" in str(error)
    assert "known here" in error.fix
