from pathlib import Path

import pytest
from command_line import CommandLine, Here

KEYS = ["code", "severity", "rules", "at", "layer", "line", "message", "fix", "witness"]
BROKEN = """\
foo = 1

[[routing.rules]]
name = "a"
priority = -3
model = "ollama/tiny"
"""
RULES = """\
preset = "embedded"

[[routing.rules]]
name = "anything"
model = "ollama/tiny"

[[routing.rules]]
name = "commits first"
priority = 5
intent = ["commit", "summarize"]
model = "ollama/tiny"
cost_limit = "0.50"

[models]
allowed = ["ollama/*", "llamacpp/*", "host/*"]
denied = ["*secret*"]

[providers."openai-compat:mine"]
base_url = "http://127.0.0.1:8000/v1"
api_key = "${secret:MINE}"

[[budgets]]
scope = "all"
period = "day"
limit = "10.00"
"""
TESTED = """
[[test]]
name = "as expected"
task = { text = "review it" }
expect = { rule = "anything" }
"""
WRONG = """
[[test]]
name = "not so"
task = { text = "review it" }
expect = { rule = "commits first", locality = "remote" }
"""


@pytest.fixture
def own(home: Path) -> Path:
    return home / "config.toml"


def test_findings_have_the_fixed_shape(here: Here, own: Path) -> None:
    own.write_text(BROKEN, encoding="utf-8")
    told = here("policy", "check", "--json")
    assert (told.status, told.json["ok"]) == (1, False)
    assert [list(finding) for finding in told.json["findings"]] == [KEYS, KEYS]
    assert [(f["code"], f["at"], f["layer"], f["line"]) for f in told.json["findings"]] == [
        ("unknown_key", "foo", "user", 1),
        ("invalid_priority", "routing.rules[0].priority", "user", 5),
    ]


def test_findings_for_people_begin_with_the_place(here: Here, own: Path) -> None:
    own.write_text(BROKEN, encoding="utf-8")
    told = here("policy", "check")
    assert told.status == 1
    assert told.out.startswith(f"{own}:1: error unknown_key: ")
    assert told.out.endswith("2 errors\n")


def test_without_findings_all_is_well(here: Here, own: Path) -> None:
    own.write_text(RULES, encoding="utf-8")
    assert here("policy", "check").out == "no findings\n"
    assert here("policy", "check", "--json").json == {"ok": True, "findings": []}


def test_warnings_are_no_failure(here: Here, own: Path) -> None:
    repeated = 'model = "ollama/tiny"\nfallbacks = ["ollama/tiny"]'
    own.write_text(RULES.replace('model = "ollama/tiny"', repeated), encoding="utf-8")
    told = here("policy", "check", "--json")
    assert (told.status, told.json["ok"]) == (0, True)
    assert {finding["severity"] for finding in told.json["findings"]} == {"warning"}


def test_named_files_are_checked_by_themselves(here: Here, own: Path, tmp_path: Path) -> None:
    own.write_text("nonsense", encoding="utf-8")
    (tmp_path / "u.toml").write_text('[routing.default]\nmodel = "ollama/tiny"\n', encoding="utf-8")
    (tmp_path / "w.toml").write_text('[providers.ollama]\nbase_url = "http://127.0.0.1:1"\n', encoding="utf-8")
    user, both = ("--user", str(tmp_path / "u.toml")), ("--workspace-policy", str(tmp_path / "w.toml"))
    assert here("policy", "check", *user).status == 0
    trusted = here("policy", "check", *user, *both, "--json").json["findings"]
    untrusted = here("policy", "check", *user, *both, "--untrusted", "--json").json["findings"]
    assert "workspace" in {finding["layer"] for finding in trusted + untrusted}
    assert here("policy", "check", "--user", str(tmp_path / "none.toml")).status == 1


@pytest.mark.parametrize(
    "arguments", [("--untrusted",), ("--user", "f", "--preset", "balanced"), ("--user", "f", "--policy", "g")]
)
def test_what_cannot_be_checked_together_is_wrong_usage(arguments: tuple[str, ...], here: Here) -> None:
    assert here("policy", "check", *arguments).status == 2


def test_the_tests_of_a_policy_run_and_count_what_they_cover(here: Here, own: Path) -> None:
    own.write_text(RULES.replace('preset = "embedded"\n', "") + TESTED, encoding="utf-8")
    told = here("policy", "test")
    assert told.status == 0
    assert told.out == "ok    as expected\n1 test, 0 failed\n1 of 2 rules never wins in a test: commits first\n"


def test_a_failed_test_says_what_was_expected_and_found(here: Here, own: Path) -> None:
    own.write_text(RULES.replace('preset = "embedded"\n', "") + TESTED + WRONG, encoding="utf-8")
    told = here("policy", "test")
    assert told.status == 1
    assert f"FAIL  not so [user {own}:" in told.out
    assert "      - rule = commits first\n      + rule = anything\n" in told.out
    failed = here("policy", "test", "--json").json
    assert (failed["passed"], [result["passed"] for result in failed["results"]]) == (False, [True, False])


def test_a_policy_without_tests_says_so(here: Here, own: Path) -> None:
    own.write_text('[routing.default]\nmodel = "ollama/tiny"\n', encoding="utf-8")
    told = here("policy", "test")
    assert told.status == 0
    assert told.out.startswith("there are no tests; ")


@pytest.mark.parametrize("preset", ["embedded", "local-first", "balanced", "quality", "team"])
def test_the_shipped_presets_pass_their_own_tests(preset: str, here: Here) -> None:
    assert here("policy", "test", "--preset", preset).status == 0


def test_every_value_is_shown_with_its_layer_and_line(here: Here, own: Path) -> None:
    own.write_text(RULES, encoding="utf-8")
    told = here("policy", "show", "--json").json
    assert told["presets"] == ["embedded"]
    by_key = {value["key"]: value for value in told["values"]}
    assert by_key["routing.handoff"]["layer"] == "preset"
    assert by_key["routing.overrides"] == {
        "key": "routing.overrides",
        "value": "allow",
        "layer": "builtin",
        "file": None,
        "line": None,
    }
    mine = by_key['providers."openai-compat:mine"']
    assert (mine["value"]["key_variable"], mine["layer"], mine["line"]) == ("MINE", "user", 18)
    assert by_key["models.allowed[0]"]["value"] == ["ollama/*", "llamacpp/*", "host/*"]
    assert by_key["budgets[0]"]["value"] == {"scope": "all", "period": "day", "limit": "10.00", "zone": "UTC"}
    assert by_key["privacy.restricted_paths[0]"]["value"] == ".env"


def test_rules_are_shown_in_the_order_in_which_they_are_tried(here: Here, own: Path) -> None:
    own.write_text(RULES, encoding="utf-8")
    names = [rule["name"] for rule in here("policy", "show", "--json").json["rules"]]
    assert (names[0], names[-1]) == ("commits first", "anything")
    shown = here("policy", "show").out
    assert shown.index("commits first") < shown.index("anything")
    assert 'cost_limit "0.50"' in shown


def test_rules_of_an_untrusted_file_are_shown_as_what_they_are(here: Here, own: Path, workspace: Path) -> None:
    own.write_text(RULES, encoding="utf-8")
    (workspace / ".smista").mkdir()
    (workspace / ".smista/config.toml").write_text(
        '[[routing.rules]]\nname = "bound"\nlocal_only = true\nmodel = "ollama/tiny"\n', encoding="utf-8"
    )
    told = here("policy", "show", "--json").json
    assert [rule["name"] for rule in told["rules_that_only_bind"]] == ["bound"]
    assert "bound" not in {rule["name"] for rule in told["rules"]}
    assert told["notices"]
    assert "which only bind" in here("policy", "show").out


def test_without_rules_there_is_none_to_try(here: Here, own: Path) -> None:
    own.write_text('[routing.default]\nmodel = "ollama/tiny"\n', encoding="utf-8")
    assert here("policy", "show").out.endswith("tried\n  none\n")


COMPANY = """\
locked = ["privacy.remote.mode", "providers.*.base_url"]

[[routing.rules]]
name = "company reviews"
intent = "review"
model = "ollama/tiny"
overridable = true

[privacy.remote]
mode = "ask"
"""
LOOSE = """\
[routing.default]
model = "ollama/tiny"

[privacy.remote]
mode = "allow"

[providers.ollama]
base_url = "http://127.0.0.1:1"
"""


@pytest.fixture
def company(tmp_path: Path) -> Path:
    file = tmp_path / "company.toml"
    file.write_text(COMPANY, encoding="utf-8")
    file.chmod(0o644)
    return file


def test_an_organisations_file_is_checked_with_those_that_it_binds(here: Here, company: Path, tmp_path: Path) -> None:
    (tmp_path / "u.toml").write_text(LOOSE, encoding="utf-8")
    told = here("policy", "check", "--org", str(company), "--user", str(tmp_path / "u.toml"), "--json")
    assert told.status == 1
    assert [(f["code"], f["at"], f["layer"], f["line"]) for f in told.json["findings"]] == [
        ("org_lock_violation", "privacy.remote.mode", "user", 5),
        ("org_lock_violation", "providers.ollama.base_url", "user", 8),
    ]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "org_policy_empty", None),
        ("# to come\n", "org_policy_empty", None),
        ('locked = [\n  "privacy",\n  "privacy.remote.mod",\n]\n', "invalid_enum", 3),
        ("[models", "parse_error", 1),
    ],
)
def test_what_is_wrong_in_an_organisations_file_has_a_code_and_a_line(
    here: Here, company: Path, text: str, code: str, line: int | None
) -> None:
    company.write_text(text, encoding="utf-8")
    told = here("policy", "check", "--org", str(company), "--json").json["findings"]
    assert [(f["code"], f["layer"], f["line"]) for f in told] == [(code, "organisation", line)]


def test_an_organisations_file_by_itself_needs_no_default(here: Here, company: Path) -> None:
    assert here("policy", "check", "--org", str(company)).out == "no findings\n"


def test_an_organisations_file_that_is_not_there_is_a_finding(here: Here, tmp_path: Path) -> None:
    told = here("policy", "check", "--org", str(tmp_path / "none.toml"), "--json")
    assert (told.status, [f["code"] for f in told.json["findings"]]) == (1, ["parse_error"])


def test_what_the_organisation_says_is_shown_with_its_place(
    here: Here, own: Path, company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write_text(LOOSE, encoding="utf-8")
    monkeypatch.setenv("SMISTA_ORG_POLICY", str(company))
    told = here("policy", "show", "--json").json
    by_key = {value["key"]: (value["value"], value["layer"], value["file"], value["line"]) for value in told["values"]}
    assert by_key["privacy.remote.mode"] == ("ask", "organisation", str(company), 10)
    assert by_key["locked[1]"] == ("providers.*.base_url", "organisation", str(company), 1)
    assert by_key["providers.ollama"][0]["base_url"] == "http://127.0.0.1:11434"
    assert any("SMISTA_ORG_POLICY" in notice for notice in told["notices"])
    shown = here("policy", "show").out
    assert f"[organisation {company}:10]" in shown


BESIDE = '[[test]]\nname = "{0}"\ntask = {{ text = "review it" }}\nexpect = {{ rule = "{1}" }}\n'


def test_test_files_beside_the_policy_and_of_the_workspace_are_run(here: Here, own: Path, workspace: Path) -> None:
    own.write_text(RULES.replace('preset = "embedded"\n', "") + TESTED, encoding="utf-8")
    own.with_name("config.test.toml").write_text(BESIDE.format("beside", "anything"), encoding="utf-8")
    (workspace / ".smista").mkdir()
    (workspace / ".smista/team.test.toml").write_text(BESIDE.format("theirs", "commits first"), encoding="utf-8")
    told = here("policy", "test", "--json")
    assert told.status == 1
    assert [(r["name"], r["layer"], r["file"], r["line"], r["passed"]) for r in told.json["results"]] == [
        ("as expected", "user", str(own), 26, True),
        ("beside", "user", str(own.with_name("config.test.toml")), 1, True),
        ("theirs", "workspace", ".smista/team.test.toml", 1, False),
    ]
    assert here("route", "review it", "--json").json["decisions"][0]["matched_rule"]["name"] == "anything"


def test_named_test_files_are_run_alone(here: Here, own: Path, tmp_path: Path) -> None:
    own.write_text(RULES.replace('preset = "embedded"\n', "") + WRONG, encoding="utf-8")
    file = tmp_path / "some.test.toml"
    file.write_text(BESIDE.format("alone", "anything"), encoding="utf-8")
    told = here("policy", "test", str(file))
    assert (told.status, told.out.splitlines()[:2]) == (0, ["ok    alone", "1 test, 0 failed"])


def test_a_test_file_that_is_more_than_that_fails_the_run(here: Here, own: Path, tmp_path: Path) -> None:
    own.write_text(RULES, encoding="utf-8")
    file = tmp_path / "some.test.toml"
    file.write_text(BESIDE.format("alone", "anything") + "[models]\ndenied = []\n", encoding="utf-8")
    told = here("policy", "test", str(file))
    assert told.status == 1
    assert told.out.startswith(f"{file}:5: error unknown_key: ")
    failed = here("policy", "test", str(file), "--json").json
    assert (failed["passed"], [finding["line"] for finding in failed["findings"]]) == (False, [5])


def test_a_test_of_an_unknown_rule_names_the_nearest(here: Here, own: Path) -> None:
    text = RULES.replace('preset = "embedded"\n', "") + BESIDE.format("x", "comits first")
    own.write_text(text, encoding="utf-8")
    told = here("policy", "test")
    assert told.status == 1
    assert "did you mean `commits first`?" in told.out
    assert "      because: " in told.out


def test_a_name_used_twice_is_told_beside_the_results(here: Here, own: Path) -> None:
    own.write_text(RULES.replace('preset = "embedded"\n', "") + TESTED * 2, encoding="utf-8")
    told = here("policy", "test")
    assert told.status == 0
    assert f"2 tests are called `as expected`: {own}:26, {own}:31" in told.err


def test_own_rules_that_overrule_a_preset_do_not_fail_its_tests(here: Here, own: Path) -> None:
    own.write_text(RULES, encoding="utf-8")
    told = here("policy", "test", "--json")
    assert told.status == 0
    assert {result["layer"] for result in told.json["results"] if result["overruled"]} == {"preset"}
    assert "your own files decide otherwise" in here("policy", "test").out


@pytest.mark.parametrize(
    ("text", "code"), [("broken =", "parse_error"), ("[models]\ndenied = []\n" + WRONG, "unknown_key")]
)
def test_a_check_tells_what_keeps_a_test_file_beside_the_policy_from_being_run(
    text: str, code: str, here: Here, own: Path, workspace: Path
) -> None:
    own.write_text(RULES, encoding="utf-8")
    before = here("policy", "check", "--json").json["findings"]
    (workspace / ".smista").mkdir()
    (workspace / ".smista/bad.test.toml").write_text(text, encoding="utf-8")
    told = here("policy", "check", "--json")
    (found,) = (finding for finding in told.json["findings"] if finding not in before)
    assert (told.status, found["code"], found["layer"]) == (1, code, "workspace")
    assert found["message"].startswith(".smista/bad.test.toml: ")
    assert ".smista/bad.test.toml:1: error" in here("policy", "check").out
    assert "bad.test.toml" not in here("policy", "check", "--user", str(own)).out


def test_a_check_runs_no_case_of_a_test_file(here: Here, own: Path) -> None:
    own.write_text(RULES, encoding="utf-8")
    before = here("policy", "check", "--json")
    own.with_name("bad.test.toml").write_text(WRONG, encoding="utf-8")
    assert here("policy", "check", "--json").json == before.json


def test_people_see_a_file_of_their_home_with_a_tilde_and_programs_as_it_is(shell: CommandLine) -> None:
    own = shell.home / "config.toml"
    own.write_text(RULES + WRONG, encoding="utf-8")
    at_home = {"HOME": str(shell.home), "USERPROFILE": str(shell.home)}
    for command in ("show", "test"):
        told = shell.run("policy", command, variables=at_home).out
        assert f"[user {Path('~/config.toml')}:" in told
        assert str(own) not in told
        assert str(own) in shell.run("policy", command, "--json", variables=at_home).out
    own.write_text(BROKEN, encoding="utf-8")
    assert shell.run("policy", "check", variables=at_home).out.startswith(f"{Path('~/config.toml')}:1: error")
    elsewhere = {"HOME": f"{shell.home}s", "USERPROFILE": f"{shell.home}s"}
    assert shell.run("policy", "check", variables=elsewhere).out.startswith(f"{own}:1: error")
    assert str(own) in shell.run("policy", "check", "--format", "github", variables=at_home).out
