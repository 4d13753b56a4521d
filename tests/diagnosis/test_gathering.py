"""What is gathered from real files, servers and processes, and what is said of it."""

import json
import sys
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from fake_cli import fake_cli
from workbench import Bench

from smista_mcp.app.diagnosing.entries import WANTED, Surroundings, hosts_seen
from smista_mcp.app.diagnosing.examination import ledger_seen
from smista_mcp.app.diagnosing.machine import clock, git, running
from smista_mcp.app.diagnosing.policy import policy_looked
from smista_mcp.app.diagnosing.providers import embedded_seen, key_variables, providers_seen
from smista_mcp.app.diagnosing.starting import measured, own_server
from smista_mcp.core.diagnosis.ledgers import LedgerFacts, judge_ledger
from smista_mcp.core.diagnosis.policies import judge_policy
from smista_mcp.core.diagnosis.program import judge_clock, judge_git, judge_running
from smista_mcp.core.diagnosis.registered import HostSeen, StartSeen, judge_host, judge_start
from smista_mcp.core.diagnosis.remarks import Level, Remark
from smista_mcp.core.diagnosis.servers import judge_embedded, judge_providers
from smista_mcp.hostfiles import tomltext
from smista_mcp.hostfiles.places import HOST_FILES, HostFile, resolved, roots

each_host = pytest.mark.parametrize("row", HOST_FILES, ids=lambda row: row.host)
ANSWER = 'import sys; sys.stdin.readline(); print(\'{"jsonrpc": "2.0", "id": 1}\', flush=True); sys.stdin.read()'
LOCAL = '[routing.default]\nmodel = "ollama/{model}"\n[providers.ollama]\nbase_url = "{url}"\n'


def told(remarks: Iterable[Remark]) -> list[tuple[str, Level]]:
    return [(one.check, one.level) for one in remarks if one.level is not Level.OK]


# ------------------------------------------------------------------------------------------------------------ start


def test_our_own_server_answers_and_says_nothing_else(bench: Bench) -> None:
    seen = measured({"PATH": "/usr/bin:/bin", "SMISTA_HOME": str(bench.home), "SECRET": "x"}, limit_s=40.0)
    assert (len(seen.seconds), seen.failure, seen.noise) == (2, "", "")
    assert own_server()[-1] == "serve-stdio"


@pytest.mark.parametrize(
    ("program", "found"),
    [
        (ANSWER, []),
        (f"print('welcome!')\n{ANSWER}", ["output"]),
        ("print('{}', flush=True)\nimport time; time.sleep(60)", ["output", "answer"]),
        ("import sys; sys.exit('no home folder')", ["answer"]),
        ("import time; time.sleep(60)", ["answer"]),
    ],
)
def test_what_keeps_a_host_from_a_server(program: str, found: list[str]) -> None:
    limit = 1.5 if "sleep" in program else 40.0
    seen = measured({"PATH": "/usr/bin"}, [sys.executable, "-S", "-c", program], limit_s=limit)
    assert told(judge_start(seen, {})) == [(check, Level.WRONG) for check in found]
    assert ("no home folder" in seen.said) is ("exit" in program)


def test_a_command_that_is_not_there_is_told() -> None:
    assert told(judge_start(measured({}, ["/nowhere/smista-mcp"]), {})) == [("answer", Level.WRONG)]


# ------------------------------------------------------------------------------------------------------------ hosts


def _around(bench: Bench, **variables: str) -> Surroundings:
    return Surroundings(bench.home, bench.workspace, {"PATH": "/usr/bin:/bin", **variables})


def _registered(bench: Bench, row: HostFile, entry: Mapping[str, object]) -> Path:
    """Writes an entry as `install` does it."""
    file = resolved(row.user.files[-1], roots(bench.home, {}, "linux", bench.workspace))
    file.parent.mkdir(parents=True, exist_ok=True)
    if row.form == "toml":
        file.write_text(tomltext.table(row.keys, entry), encoding="utf-8")
    else:
        value: object = entry
        for key in reversed(row.keys):
            value = {key: value}
        file.write_text(json.dumps(value), encoding="utf-8")
    return file


def _seen(bench: Bench, row: HostFile, **variables: str) -> HostSeen:
    (found,) = [one for one in hosts_seen(_around(bench, **variables)) if one.host == row.host]
    return found


@each_host
def test_nothing_is_wrong_with_what_install_writes(row: HostFile, bench: Bench) -> None:
    _registered(bench, row, dict(row.entry(own_server(), ("ANTHROPIC_API_KEY",))))
    seen = _seen(bench, row)
    (entry,) = seen.entries
    assert (entry.runs, entry.bare, entry.enabled) == ("ours", False, True)
    held = [("keys", Level.NOTE)] if "ANTHROPIC_API_KEY" in row.withheld else []  # which no entry can change
    assert told(judge_host(seen, StartSeen((0.1,)), ("ANTHROPIC_API_KEY",))) == held
    assert told(judge_host(seen, StartSeen((0.1,)), ())) == []
    late = [check for check, _ in told(judge_host(seen, StartSeen((1.5,)), ()))]
    assert late == []


@each_host
def test_every_limit_that_install_writes_is_looked_for(row: HostFile) -> None:
    said = set(row.entry(["x"], ())) - {"type", "command", "args", "env", "enabled", "source"}
    assert {one.key for one in WANTED.get(row.host, ())} == said


@each_host
def test_a_bare_entry_lacks_the_limits_and_a_file_that_is_broken_is_told(row: HostFile, bench: Bench) -> None:
    words = ["smista-mcp", "serve-stdio"]
    entry = {"command": words} if row.host == "opencode" else {"command": words[0], "args": words[1:]}
    file = _registered(bench, row, entry)
    folder = bench.home / "bin"
    folder.mkdir()
    (folder / "smista-mcp").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "smista-mcp").chmod(0o700)
    found = told(judge_host(_seen(bench, row, PATH=str(folder)), StartSeen((0.1,)), ()))
    limits = [("limits", Level.NOTE)] * len(WANTED.get(row.host, ()))
    assert found == [("command", Level.NOTE), ("path", Level.NOTE), *limits]
    assert told(judge_host(_seen(bench, row), StartSeen((0.1,)), ()))[0] == ("command", Level.WRONG)
    file.write_text("{" if row.form != "toml" else "[", encoding="utf-8")
    assert told(judge_host(_seen(bench, row), StartSeen((0.1,)), ())) == [("file", Level.WRONG)]


def test_an_empty_home_has_nothing_to_tell(bench: Bench) -> None:
    seen = hosts_seen(_around(bench))
    assert [one.host for one in seen] == [row.host for row in HOST_FILES]
    assert not any(one.entries or one.broken or one.installed for one in seen)


def test_a_host_is_found_by_its_command_and_by_its_folder(bench: Bench) -> None:
    program = fake_cli(bench.home / "bin", "pass")
    (bench.home / ".cursor").mkdir()
    seen = {one.host: one.installed for one in hosts_seen(_around(bench, PATH=str(program.parent)))}
    assert {host for host, there in seen.items() if there} == {"codex", "cursor"}


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        ("/nowhere/smista-mcp", "missing"),
        ("./smista-mcp", "relative"),
        ("smista-mcp-of-nobody", "missing"),
        ("/usr/bin/env", "other"),
        ("/usr/bin", "no_program"),
        (own_server()[0], "ours"),
    ],
)
def test_what_a_command_is(command: str, runs: str, bench: Bench) -> None:
    row = HOST_FILES[0]
    _registered(bench, row, {"command": command, "args": ["serve-stdio"]})
    assert [one.runs for one in _seen(bench, row).entries] == [runs]


def test_entries_are_found_wherever_a_host_reads_them(bench: Bench) -> None:
    entry = {"command": own_server()[0], "args": ["serve-stdio"]}
    other = {"command": "npx", "args": ["other"]}
    web = {"type": "http", "url": "http://127.0.0.1:7331/mcp"}
    claude = {
        "mcpServers": {"mine": entry, "other": other, "odd": 3},
        "projects": {str(bench.workspace): {"mcpServers": {"smista": web}}, "/else": {"mcpServers": {"smista": web}}},
    }
    (bench.home / ".claude.json").write_text(json.dumps(claude), encoding="utf-8")
    bench.write(".mcp.json", json.dumps({"mcpServers": {"smista": entry}}))
    bench.write("opencode.json", json.dumps({"mcp": {"servers": {"smista": {"command": [own_server()[0]]}}}}))
    seen = {one.host: one.entries for one in hosts_seen(_around(bench))}
    assert [(one.entry, one.command is None) for one in seen["claude-code"]] == [
        ("mine", False),
        ("smista", True),
        ("smista", False),
    ]
    assert [one.arguments for one in seen["opencode"]] == [()]


@pytest.mark.parametrize(("grace", "limit"), [(None, 1.0), (20_000, 20.0), (0, None), ('"x"', 1.0), ("true", 1.0)])
def test_codex_waits_as_long_as_its_user_says(grace: object, limit: float | None, bench: Bench) -> None:
    row = next(one for one in HOST_FILES if one.host == "codex")
    file = _registered(bench, row, {"command": own_server()[0], "args": ["serve-stdio"], "tool_timeout_sec": 900})
    if grace is not None:
        file.write_text(
            f"mcp_optional_startup_grace_ms = {grace}\n{file.read_text(encoding='utf-8')}", encoding="utf-8"
        )
    seen = _seen(bench, row)
    assert seen.start_limit_s == limit
    level = Level.WRONG if limit == 1.0 else Level.NOTE
    assert told(judge_host(seen, StartSeen((3.0,)), ())) == [("limits", level)]


def test_a_value_that_may_be_a_key_is_not_kept(bench: Bench) -> None:
    row = HOST_FILES[0]
    _registered(
        bench,
        row,
        {"command": "x", "env": {"OPENAI_API_KEY": "hush", "request": "hush"}, "headers": {"Authorization": "hush"}},
    )
    (entry,) = _seen(bench, row).entries
    assert "hush" not in repr(entry)
    assert entry.variables == {"OPENAI_API_KEY", "request"}


def test_a_server_with_another_home_is_told(bench: Bench) -> None:
    row = HOST_FILES[0]
    entry = {"command": own_server()[0], "args": ["serve-stdio"], "env": {"SMISTA_HOME": str(bench.home)}}
    _registered(bench, row, entry)
    around = _around(bench)
    for home, elsewhere in ((None, True), (bench.home, False), (bench.workspace, True)):
        found = {one.host: one for one in hosts_seen(around._replace(smista_home=home))}
        assert [one.elsewhere for one in found[row.host].entries] == [elsewhere]


# ------------------------------------------------------------------------------------------- policy and providers


def test_a_broken_policy_is_told_with_its_line(bench: Bench) -> None:
    looked = policy_looked(bench.app("[[routing.rules]]\nnam = 3\n").world)
    assert looked.policy is None
    found = [one for one in judge_policy(looked.seen) if one.level is Level.WRONG]
    assert found
    assert any("config.toml" in one.text and ":2" in one.text and "unknown_key" in one.text for one in found)


def test_an_organisation_file_that_cannot_be_taken_is_all_that_is_told(bench: Bench) -> None:
    app = bench.app("", SMISTA_ORG_POLICY=str(bench.home / "none.toml"))
    assert told(judge_policy(policy_looked(app.world).seen)) == [("organisation", Level.WRONG)]


def test_what_nobody_has_confirmed_is_told(bench: Bench) -> None:
    bench.write(".smista/config.toml", '[routing]\nhandoff = "never"\n')
    world = bench.app('[routing.default]\nmodel = "ollama/x"\n').world
    assert ("trust", Level.NOTE) in told(judge_policy(policy_looked(world).seen))


def test_a_server_that_answers_and_has_the_model_is_fine(bench: Bench, ollama: str) -> None:
    policy = LOCAL.format(model="qwen3", url=ollama)
    world = bench.app(policy).world
    seen = providers_seen(world, world.book().policy)
    assert [(one.name, one.reachable, one.models, one.declared) for one in seen] == [("ollama", True, 2, True)]
    assert told(judge_providers(seen, handoff=False)) == []
    assert not (bench.state / "ledger.db").exists()


def test_a_model_that_a_server_lacks_and_a_server_that_is_down_are_told(bench: Bench, ollama: str) -> None:
    world = bench.app(LOCAL.format(model="nonesuch", url=ollama)).world
    seen = providers_seen(world, world.book().policy)
    assert told(judge_providers(seen, handoff=False)) == [("model", Level.WRONG)]
    world = bench.app(LOCAL.format(model="qwen3", url="http://127.0.0.1:9")).world
    seen = providers_seen(world, world.book().policy)
    assert told(judge_providers(seen, handoff=False)) == [("reach", Level.WRONG), ("none", Level.WRONG)]


def test_a_key_is_told_to_be_missing_or_set_and_never_shown(bench: Bench) -> None:
    policy = '[privacy.remote]\nmode = "deny"\n[routing.default]\nmodel = "anthropic/claude-sonnet"\n'
    world = bench.app(policy).world
    assert key_variables(world.book().policy) == ("ANTHROPIC_API_KEY",)
    lacking = providers_seen(world, world.book().policy)
    assert [check for check, _ in told(judge_providers(lacking, handoff=False))] == ["key", "none"]
    world = bench.app(policy, ANTHROPIC_API_KEY="hush-hush").world
    there = providers_seen(world, world.book().policy)
    assert told(judge_providers(there, handoff=False)) == []
    assert "hush-hush" not in repr(there)


def test_a_remote_server_that_is_down_is_told_unless_nothing_may_go_there(bench: Bench) -> None:
    policy = (
        '[routing.default]\nmodel = "openai-compat:far/x"\n'
        '[providers."openai-compat:far"]\nbase_url = "https://no-such-host.invalid/v1"\n'
    )
    for mode, found in (("allow", ["reach", "none"]), ("deny", [])):
        world = bench.app(f'{policy}[privacy.remote]\nmode = "{mode}"\n').world
        seen = providers_seen(world, world.book().policy)
        assert [check for check, _ in told(judge_providers(seen, handoff=False))] == found


def test_the_embedded_model_is_looked_for(bench: Bench) -> None:
    world = bench.app(preset="embedded").world
    policy = world.book().policy
    assert told([judge_embedded(embedded_seen(world, policy))]) == [("embedded", Level.NOTE)]
    assert told([judge_embedded(embedded_seen(world, None))]) == []


# ----------------------------------------------------------------------------------------------------------- ledger


def test_a_state_folder_that_may_have_come_along_is_not_looked_into(bench: Bench) -> None:
    world = bench.app(SMISTA_HOME=str(bench.workspace / "own")).world
    assert told(judge_ledger(ledger_seen(world))) == [("state_folder", Level.WRONG)]
    assert told(judge_ledger(ledger_seen(bench.app().world))) == []


# ---------------------------------------------------------------------------------------------------------- program


def test_this_very_installation_fits() -> None:
    assert told(judge_running(running())) == []
    assert told([judge_git(git({"PATH": "/usr/bin:/bin"}))]) == []
    assert told([judge_git(git({"PATH": "/nowhere"}))]) == [("git", Level.NOTE)]


def test_a_git_that_hangs_or_babbles_is_told(tmp_path: Path) -> None:
    program = tmp_path / "git"
    for body in ("echo none", "exit 3"):
        program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        program.chmod(0o700)
        assert told([judge_git(git({"PATH": f"{tmp_path}:/bin"}))]) == [("git", Level.NOTE)]


def test_a_clock_is_held_against_real_files(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("", encoding="utf-8")
    now = file.stat().st_mtime
    none = LedgerFacts(str(tmp_path))
    files = (("the policy", file), ("nothing", tmp_path / "none"))
    assert told([judge_clock(clock(now, none, files))]) == []
    assert told([judge_clock(clock(now - 4000, none, files))]) == [("clock", Level.WRONG)]
    assert told([judge_clock(clock(now, none._replace(latest=now + 4000), files))]) == [("clock", Level.WRONG)]
    assert told([judge_clock(clock(0.0, none, ()))]) == [("clock", Level.WRONG)]


def test_an_entry_of_another_name_in_a_project_is_told_from_ours(bench: Bench) -> None:
    file = bench.workspace / ".codex/config.toml"
    file.parent.mkdir()
    program = json.dumps(own_server()[0])
    rest = 'args = ["serve-stdio"]\n'
    file.write_text(f"[mcp_servers.mine]\ncommand = {program}\n{rest}[mcp_servers.smista]\ncommand = {program}\n{rest}")
    row = next(row for row in HOST_FILES if row.host == "codex")
    entries = {one.entry: one for one in _seen(bench, row).entries}
    assert [(entries[name].project, entries[name].strange) for name in ("mine", "smista")] == [
        (True, True),
        (True, False),
    ]


def test_a_web_server_that_knows_nothing_is_no_ollama(bench: Bench) -> None:
    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that it has there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        Thread(target=server.serve_forever).start()
        try:
            world = bench.app(LOCAL.format(model="qwen3", url=f"http://127.0.0.1:{server.server_port}")).world
            seen = providers_seen(world, world.book().policy)
        finally:
            server.shutdown()
    assert [(one.name, one.reachable, one.usable) for one in seen] == [("ollama", True, False)]
    assert ("reach", Level.WRONG) in told(judge_providers(seen, handoff=False))
