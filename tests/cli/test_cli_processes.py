"""What a command loads, and how the servers that it starts behave as processes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import PATIENCE_S, CommandLine
from distributions import install

HEAVY = ("mcp", "mcp_types", "httpx", "httpx2", "anyio", "asyncio", "tomlkit", "starlette", "uvicorn", "opentelemetry")
NEEDLESS = (
    "email",  # what looks for plugins of pydantic loads it
    "importlib.metadata",
    "encodings.idna",  # for names of machines; local servers have numbers
    "subprocess",  # outside of any repository there is no git to ask
    "smista_mcp.context.diff",
    "smista_mcp.loading.positions",
    "smista_mcp.loading.plugins",
    "smista_mcp.core.explanation",
    "smista_mcp.providers.sender",
    "smista_mcp.dispatch",
)
"""What a `route` has no use for that is given no diff, in a folder that is in no repository."""
LOADED = """\
import sys
from smista_mcp.cli import main
status = main(sys.argv[1:])
print("loaded:", *sorted(sys.modules), file=sys.stderr)
sys.exit(status)
"""
GREETING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", "plan it"),
        ("route", "review the auth middleware", "--preset", "balanced"),
        ("route", "x", "--json"),
        ("explain", "review it", "--preset", "local-first"),
        ("policy", "check"),
        ("policy", "test", "--preset", "team"),
        ("policy", "diff", "balanced", "team"),
        ("policy", "show"),
        ("--version",),
    ],
    ids=str,
)
def test_a_verb_that_only_decides_loads_no_protocol_no_client_and_no_event_loop(
    arguments: tuple[str, ...], shell: CommandLine
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=shell.folder,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    loaded = done.stderr.partition("loaded: ")[2].split()
    assert "smista_mcp" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_a_route_loads_nothing_that_only_other_tasks_need(shell: CommandLine, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LOADED, "route", "review the auth middleware", "--preset", "local-first", "--json"],
        cwd=bare,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert json.loads(done.stdout)["decisions"][0]["intent"]["name"] == "review"
    loaded = done.stderr.partition("loaded: ")[2].split()
    assert "smista_mcp.providers.probe" in loaded
    assert [name for name in NEEDLESS if name in loaded] == []


@pytest.mark.parametrize("unless", [{}, {"PYDANTIC_DISABLE_PLUGINS": ""}], ids=["by itself", "unless wanted"])
def test_no_plugin_of_another_package_sees_a_task(unless: dict[str, str], shell: CommandLine, tmp_path: Path) -> None:
    site, seen = tmp_path / "site", tmp_path / "seen"
    plugin = f"open({str(seen)!r}, 'w').close()\n\nclass P:\n    def new_schema_validator(self, *_, **__):\n"
    plugin += "        return None, None, None\n\nplugin = P()\n"
    install(site, {"nosy.py": plugin}, name="nosy")
    (site / "nosy-1.0.dist-info" / "entry_points.txt").write_text("[pydantic]\nnosy = nosy:plugin\n")
    told = shell.run("route", "review it", "--json", variables={"PYTHONPATH": str(site), **unless})
    assert told.json["decisions"]
    assert seen.exists() == bool(unless)


def test_a_dispatch_of_which_nobody_wants_spans_loads_nothing_for_them(shell: CommandLine) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, "dispatch", "explain it", "--preset", "local-first", "--json"],
        cwd=shell.folder,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert json.loads(done.stdout)["phases"]
    loaded = done.stderr.partition("loaded: ")[2].split()
    assert ("anyio" in loaded, "opentelemetry" in loaded) == (True, False)


def test_a_version_costs_no_policy(shell: CommandLine) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, "--version"],
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "pydantic" not in done.stderr.split()


def test_a_host_is_served_over_standard_streams_until_it_closes_them(shell: CommandLine) -> None:
    with shell.started("serve-stdio", "--json", "--preset", "balanced") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(GREETING).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "smista-mcp"
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (0, b"")
    assert b"Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_over_http_says_where_it_is_and_ends_by_signal(number: signal.Signals, shell: CommandLine) -> None:
    with shell.started("serve-http", "--port", "0") as process:
        assert process.stderr
        assert b"http://127.0.0.1:" in process.stderr.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (128 + number, b"")
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("serve-stdio", "--json", "--workspace", "none"), 2),
        (("serve-stdio", "--json", "--nope"), 2),
        (("serve-http", "--host", "0.0.0.0"), 2),
        (("serve-http", "--port", "99999"), 2),
    ],
    ids=str,
)
def test_a_server_that_cannot_start_leaves_standard_output_alone(
    arguments: tuple[str, ...], status: int, shell: CommandLine
) -> None:
    told = shell.run(*arguments)
    assert (told.status, told.out) == (status, "")
    assert told.err.startswith("smista-mcp: ")


def test_the_module_and_the_package_start_the_same(shell: CommandLine) -> None:
    script = Path(sys.executable).with_name("smista-mcp")
    command = (
        [str(script)] if script.exists() else [sys.executable, "-c", "from smista_mcp.cli import main; exit(main())"]
    )
    done = subprocess.run([*command, "--version"], env=shell.environment(), capture_output=True, text=True, check=True)
    assert done.stdout == shell.run("--version").out
