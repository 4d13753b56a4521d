"""Let clients that nobody here wrote use the server, over pipes and over HTTP, and print what each could do.

    python scripts/run_clients.py [--folder DIR] [--only WORD]

Installs the official Python client of 1.x, the TypeScript clients of 1.x and 2.x and the MCP Inspector (with a node of
its own where the one at hand is too old) into DIR, or into a folder that goes with the run; the Python client of 2.x is
the one that the product itself runs on. Needs node, npm, pip and a package index.

Each lists tools, resources, templates and prompts, calls `route`, has a long answer read on by address until all of it
is there, reads the same as a resource, fills in a prompt, asks for completions, hears of progress and cancels a call:
the model behind must be hung up on within two seconds. The Inspector's command line has no way to cancel but to end it,
which over HTTP is a lost connection: the work goes on then, and is not tried here.

One line for each client, way and era; exit status 0 where all of them could do all.
"""

# What clients print has no types of its own.
# pyright: basic
# ruff: noqa: ANN401, S101
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from fake_ollama import FakeOllama  # noqa: E402

CLIENTS = Path(__file__).parent / "clients"
PACKAGES = {"sdk": "1.32.2", "client": "2.4.0", "inspector": "2.12.0"}
LONG = "\n\n".join(f"Paragraph {n}: {'words of a review that goes on, ' * 12}end." for n in range(90))
POLICY = '[routing.default]\nmodel = "ollama/tiny"\n[providers.ollama]\nbase_url = "{url}"\n'
WANTED: dict[str, object] = {
    "tools": ["classify", "route", "explain", "dispatch"],
    "resources": ["smista://policy", "smista://traces", "smista://usage"],
    "templates": [
        *("smista://trace/{id}", "smista://answer/{job_id}"),
        *("smista://answer/{job_id}/{phase}", "smista://patch/{job_id}/{phase}"),
    ],
    "prompts": ["delegate", "review-with", "route-report"],
    "call": "routed",
    "long": len(LONG),
    "read": True,
    "prompt": "user",
    "complete": ["ollama/tiny"],
}
STEPS = (*WANTED, "progress", "cancel")
PATIENCE_S = 120.0
HANG_UP_S = 2.0


class Model(FakeOllama):
    """A model whose answers are long where the prompt says so."""

    def write(self, question: str, send: Callable[[object], None]) -> None:
        self.answer = LONG if "review: long" in question else "fine"
        super().write(question, send)


class Way(NamedTuple):
    """A client, how it reaches the server and which era it speaks."""

    name: str
    program: Sequence[str]
    transport: str
    era: str


def installed(folder: Path) -> dict[str, str]:
    """Installs what is not there yet; the programs by name."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "py1" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "py1")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "mcp>=1.30,<2"], check=True)
    names = [f"@modelcontextprotocol/{name}@{version}" for name, version in PACKAGES.items()]
    if not (folder / "node_modules/@modelcontextprotocol/inspector").exists():
        package = folder / "package.json"
        package.write_text("{}", encoding="utf-8")
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *names, "node@22"]
        subprocess.run(command, cwd=folder, check=True)
    shutil.copy(CLIENTS / "typescript.mjs", folder / "typescript.mjs")  # it finds packages beside itself
    own = folder / "node_modules/node/bin/node"
    return {"python": str(python), "node": str(own) if own.exists() else "node"}


def version(python: str) -> str:
    """Of the library, as that Python has it."""
    code = "from importlib.metadata import version; print(version('mcp'))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def ways(programs: dict[str, str], folder: Path) -> list[Way]:
    """Everything that is tried."""
    older, newer, script = (str(CLIENTS / "older_python.py"), str(CLIENTS / "newer_python.py"), "typescript.mjs")
    found: list[Way] = []
    for transport in ("stdio", "http"):
        found.append(Way(f"python {version(programs['python'])}", [programs["python"], older], transport, "legacy"))
        found += [
            Way(f"python {version(sys.executable)}", [sys.executable, newer], transport, era)
            for era in ("legacy", "modern")
        ]
        found += [
            Way(f"typescript {name} {PACKAGES[name]}", [programs["node"], str(folder / script)], transport, name)
            for name in ("sdk", "client")
        ]
        found += [
            Way(f"inspector {PACKAGES['inspector']}", [programs["node"], str(_inspector(folder))], transport, era)
            for era in ("legacy", "modern")
        ]
    return found


def _inspector(folder: Path) -> Path:
    return folder / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"


@contextmanager
def http_server(command: Sequence[str], environ: dict[str, str]) -> Generator[str]:
    """A server over HTTP; gives its address."""
    called = [*command, "serve-http", "--port", "0"]
    with subprocess.Popen(called, env=environ, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            line = next(line for line in server.stderr if "listening on" in line)
            yield line.split("listening on ")[1].strip()
        finally:
            server.terminate()
            server.stderr.close()


def tried(way: Way, target: list[str], model: Model, environ: dict[str, str]) -> dict[str, str]:
    """What came of each step: empty where it is as wanted."""
    if way.name.startswith("inspector"):
        return inspected(way, target, model, environ)
    model.asked.clear()
    model.left.clear()
    found: dict[str, str] = {}
    errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  closed with the process
    command = [*way.program, json.dumps(target), way.era]
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for line in client.stdout:
            said = json.loads(line)
            step, value = said["step"], said["value"]
            found[step] = "" if step not in WANTED or value == WANTED[step] else f"{value}"[:60]
            if step == "cancel":
                found[step] = "" if model.left.wait(HANG_UP_S) else "the model was not hung up on"
                with suppress(BrokenPipeError):
                    client.stdin.write("\n")
                    client.stdin.flush()
        client.wait(PATIENCE_S)
    if set(found) != set(STEPS):
        errors.seek(0)
        found["error"] = errors.read()[-600:]
    return found


def inspected(way: Way, target: list[str], model: Model, environ: dict[str, str]) -> dict[str, str]:
    """The same by the Inspector's command line, one process a step."""
    where = ["--transport", "http", "--server-url", target[0]] if way.transport == "http" else target
    base = [*way.program, "--cli", "--format", "json", "--protocol-era", way.era]

    def ask(method: str, *more: str) -> Any:
        command = [*base, "--method", method, *more, "-q", *where]
        done = subprocess.run(  # noqa: PLW1510  its exit status is looked at
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S
        )
        if done.returncode:
            raise RuntimeError(f"{method}: exit {done.returncode}: {done.stderr[-200:]}")
        return json.loads(done.stdout)["result"]

    def structured(name: str, given: dict[str, object]) -> dict[str, Any]:
        return ask("tools/call", "--tool-name", name, "--tool-args-json", json.dumps(given))["structuredContent"]

    found: dict[str, str] = {}

    def note(step: str, value: object) -> None:
        found[step] = "" if value == WANTED[step] else f"{value}"[:60]

    try:
        note("tools", [one["name"] for one in ask("tools/list")["tools"]])
        note("resources", [one["uri"] for one in ask("resources/list")["resources"]])
        note("templates", [one["uriTemplate"] for one in ask("resources/templates/list")["resourceTemplates"]])
        note("prompts", [one["name"] for one in ask("prompts/list")["prompts"]])
        note("call", structured("route", {"text": "Explain what a mutex is."})["decisions"][0]["status"])
        done = structured("dispatch", {"text": "review: long"})
        text, uri = done["phases"][0]["answer"], (done["phases"][0]["rest"] or {}).get("answer")
        while uri:
            portion = structured("explain", {"uri": uri})["resource"]
            text, uri = text + portion["text"], portion["next"]
        note("long", len(text))
        whole = ask("resources/read", "--uri", f"smista://answer/{done['job_id']}/0")
        note("read", whole["contents"][0]["text"] == text)
        said = ask("prompts/get", "--prompt-name", "delegate", "--prompt-args", "task=t")
        note("prompt", said["messages"][0]["role"])
        found["complete"] = found["progress"] = "-"  # its command line has neither
        found["cancel"] = ended(base, where, model, environ) if way.transport == "stdio" else "-"
    except (RuntimeError, KeyError, TypeError, ValueError, subprocess.TimeoutExpired) as error:
        found["error"] = str(error)
    return found


def ended(base: list[str], where: list[str], model: Model, environ: dict[str, str]) -> str:
    """Whether a call is given up when the Inspector is ended in the middle of it."""
    model.asked.clear()
    model.left.clear()
    given = ["--method", "tools/call", "--tool-name", "dispatch", "--tool-args-json", '{"text": "review: hold"}']
    with subprocess.Popen(
        [*base, *given, "-q", *where],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as client:
        if not model.asked.wait(PATIENCE_S):
            client.kill()
            return "the model was never asked"
        os.killpg(client.pid, signal.SIGTERM)  # its launcher has a child
        told = "" if model.left.wait(HANG_UP_S * 3) else "the model was not hung up on"
        with suppress(ProcessLookupError):
            os.killpg(client.pid, signal.SIGKILL)
    return told


def table(rows: Sequence[tuple[Way, dict[str, str], float]]) -> bool:
    """Prints the table; whether every step came out as wanted."""
    print(f"{'client':26}{'way':7}{'era':8}" + "".join(f"{step:11}" for step in STEPS) + "seconds")
    sound = True
    for way, found, took in rows:
        era = {"sdk": "legacy", "client": "own"}.get(way.era, way.era)
        marks = ["ok" if found.get(step) == "" else found.get(step, "missing") for step in STEPS]
        shown = [mark if mark in ("ok", "-", "missing") else "WRONG" for mark in marks]
        print(f"{way.name:26}{way.transport:7}{era:8}" + "".join(f"{mark:11}" for mark in shown) + f"{took:.1f}")
        wrong = {step: told for step, told in found.items() if told not in ("", "-")}
        if wrong or "missing" in shown:
            sound = False
            print(f"    {wrong}")
    return sound


def main() -> int:
    """Tries all, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where clients are installed, and stay")
    parser.add_argument("--only", default="", help="part of the names of the clients that are tried")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="smista-clients-") as temporary, Model.serving() as model:
        folder = options.folder or Path(temporary) / "clients"
        programs = installed(folder)
        home, work = Path(temporary) / "home", Path(temporary) / "work"
        home.mkdir()
        work.mkdir()
        (home / "config.toml").write_text(POLICY.format(url=model.base_url), encoding="utf-8")
        environ = {**os.environ, "SMISTA_HOME": str(home), "NODE_NO_WARNINGS": "1"}
        environ["MCP_CATALOG_PATH"] = f"{temporary}/catalog.json"
        environ["MCP_CLIENT_CONFIG_PATH"] = f"{temporary}/client.json"
        launcher = Path(temporary) / "server"  # one word, so that no client has to pass arguments on
        program = f'#!/bin/sh\nSMISTA_HOME="{home}" exec "{sys.executable}" -m smista_mcp "$@" --workspace "{work}"\n'
        launcher.write_text(program, encoding="utf-8")
        launcher.chmod(0o755)
        stdio = Path(temporary) / "stdio"
        stdio.write_text(f'#!/bin/sh\nexec "{launcher}" serve-stdio\n', encoding="utf-8")
        stdio.chmod(0o755)
        rows: list[tuple[Way, dict[str, str], float]] = []
        with http_server([str(launcher)], environ) as url:
            for way in ways(programs, folder):
                if options.only not in way.name:
                    continue
                began = time.monotonic()
                found = tried(way, [str(stdio)] if way.transport == "stdio" else [url], model, environ)
                rows.append((way, found, time.monotonic() - began))
        return 0 if table(rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
