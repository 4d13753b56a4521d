"""Let real host CLIs, registered by `smista-mcp install` in clean homes, use smista; print what their models saw.

    python scripts/run_hosts.py --harness DIR --cache DIR [--host NAME ...] [--cell NAME ...] [--own-limits]

DIR is a folder with a driver of host CLIs (`run`: where each is installed, how it is pointed at a model), a scripted
model (`fake_llm.py`: four wire formats) and `tee.py`, which writes down what host and server say. For each host: its
own settings as the driver writes them, without any server; `install --yes`, `uninstall --yes` (the files are as
before), `install --yes`; then, in one conversation for each cell:

  tools     `route`, `dispatch`, `explain` of that dispatch
  slow      `dispatch` of work that takes longer than the host waits for a tool, then polls with the job's id
  big       `dispatch` with an answer that no host passes on at once, read to its end by address
  legacy    as `tools`, with MCP_PROTOCOL_NEGOTIATION=legacy for the host
  deaf      as `slow`, but smista is told that the host waits for 900 s: a call without a job (no verdict)

In `slow` and `deaf` the host's limit is lowered to 20 s by its own setting, and in `slow` smista is told so. With
--own-limits nothing is lowered, and the work takes 15 s longer than what hosts.py says of the host. What a user would
say on the command line of a run without a person (that these tools may be called) is said there; the registration is
`install`'s alone. The script `smista-mcp` that it names writes down the conversation and starts this Python's smista.

One row for each host, a verdict for each cell; then what each model saw, shortened. Exit status 0 where all held.
Everything runs in a network namespace with nothing but loopback.
"""

# What is driven here has no types of its own.
# pyright: basic
# ruff: noqa: ANN401, S101
import argparse
import importlib.machinery
import importlib.util
import json
import re
import shlex
import shutil
import site
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from loopback_alone import alone

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from fake_ollama import FakeOllama  # noqa: E402

from smista_mcp.hosts import known_host  # noqa: E402

NAMES = {
    "claude": "claude-code",
    "codex": "codex",
    "gemini": "gemini-cli",
    "opencode": "opencode",
    "copilot": "copilot-cli",
}
ALLOWED = {
    "claude": ["--allowedTools", "mcp__smista"],
    "codex": ["-c", 'mcp_servers.smista.default_tools_approval_mode="approve"'],
    "copilot": ["--allow-tool", "smista"],
}
"""What a person says who lets a run without him call our tools."""
CELLS = ("tools", "slow", "big", "legacy", "deaf")
COLUMNS = ("route", "dispatch", "explain", "slow", "big", "legacy")
LIMIT_S = 20
SLOW_S = 35.0
LONG = "\n\n".join(f"Paragraph {n}: {'words of a review that goes on, ' * 12}end." for n in range(148))
"""About 60,000 characters: more than any of them passes on."""
EXPLAINED = {"text": "What is a mutex?"}
POLICY = '[routing.default]\nmodel = "ollama/tiny"\n[providers.ollama]\nbase_url = "{url}"\n'
SEARCHES = re.compile(r"^(ToolSearch|tool_search|tool_search_tool|mcp_search)\b", re.IGNORECASE)
FINAL = "FINAL-ANSWER"
Plan = Callable[[list[str]], tuple[str, dict[str, Any]] | None]
"""The tool to be called after these results, with its arguments; None where all is done."""


class Delegate(FakeOllama):
    """A model that takes its time, or has much to say, where the prompt asks for it.

    Attributes:
        seconds: how long it takes.
    """

    seconds = SLOW_S

    def write(self, question: str, send: Callable[[object], None]) -> None:
        self.answer = LONG if "at length" in question else "SLOW-DONE" if "slowly" in question else "fine"
        until = time.monotonic() + self.seconds
        while "slowly" in question and time.monotonic() < until:
            send({"model": "tiny", "message": {"role": "assistant", "content": "w "}, "done": False})
            self._over.wait(0.5)
        super().write(question, send)


def loaded(name: str, path: Path) -> ModuleType:
    """A module from a file of any name."""
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def answer_in(seen: str) -> dict[str, Any] | None:
    """Our answer in what a model saw, whatever the host has put around it; None where it is not there whole."""
    for place in (match.start() for match in re.finditer(r"\{", seen)):
        try:
            value, _ = json.JSONDecoder().raw_decode(seen[place:])
        except ValueError:
            continue
        if isinstance(value, dict):
            inner = value.get("output")
            return answer_in(inner) if isinstance(inner, str) else value
    return None


# ------------------------------------------------------------------------------------------------- what a model does


def plan_tools(results: list[str]) -> tuple[str, dict[str, Any]] | None:
    """Each of the three tools once; `explain` for what `dispatch` has recorded."""
    match len(results):
        case 0:
            return "route", EXPLAINED
        case 1:
            return "dispatch", EXPLAINED
        case 2:
            trace = (answer_in(results[-1]) or {}).get("trace_id")
            return "explain", {"trace_id": trace or "none"}
        case _:
            return None


def plan_slow(results: list[str]) -> tuple[str, dict[str, Any]] | None:
    """The work, and its job until it is done."""
    if not results:
        return "dispatch", {"text": "Explain slowly what a mutex is."}
    told = answer_in(results[-1]) or {}
    return ("dispatch", {"job_id": told["job_id"]}) if told.get("status") == "running" and len(results) < 99 else None


def plan_deaf(results: list[str]) -> tuple[str, dict[str, Any]] | None:
    """The work, once."""
    return plan_slow(results) if not results else None


def plan_big(results: list[str]) -> tuple[str, dict[str, Any]] | None:
    """The work, then its answer to the end, as `next` says."""
    if not results:
        return "dispatch", {"text": "Explain at length what a mutex is."}
    uri = following(answer_in(results[-1]) or {})
    return ("explain", {"uri": uri}) if uri and len(results) < 99 else None


def following(told: dict[str, Any]) -> str | None:
    """The address at which an answer goes on."""
    if told.get("resource"):
        return told["resource"].get("next")
    phases = told.get("phases") or [{}]
    return (phases[0].get("rest") or {}).get("answer")


PLANS: dict[str, Plan] = {
    "tools": plan_tools,
    "legacy": plan_tools,
    "slow": plan_slow,
    "deaf": plan_deaf,
    "big": plan_big,
}


class Model:
    """The host's own model: it plays a plan, and keeps what it saw."""

    def __init__(self, harness: Path, cell: str, log: Path) -> None:
        fake = loaded("fake_llm", harness / "fake_llm.py")
        self.seen: list[str] = []
        self.searched = False
        self._plan = PLANS[cell]
        setattr(fake, "decide", self._decide)  # noqa: B010
        fake.Handler.script, fake.Handler.log_path = {}, str(log)
        self._server = fake.ThreadingHTTPServer(("127.0.0.1", 0), fake.Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

    def _decide(self, _: object, tools: list[dict[str, Any]], results: list[str], searches: int) -> dict[str, Any]:
        if not tools:
            return {"text": "ok"}
        if len(results) >= len(self.seen):
            self.seen = list(results)
        step = self._plan(results)
        if step is None:
            return {"text": f"{FINAL} {results[-1][:200]}"}
        wanted = re.compile(rf"smista[-_./]+{step[0]}$")
        for tool in tools:
            full = f"{tool['namespace']}/{tool['name']}" if tool.get("namespace") else tool["name"]
            if wanted.search(full):
                return {**tool, "args": step[1], "full": full}
        for tool in tools:
            if SEARCHES.search(tool["name"]) and not searches:
                self.searched = True
                return {**tool, "args": {"query": "smista"}, "full": tool["name"], "search": True}
        return {"text": f"NO-MATCHING-TOOL {step[0]}"}


# ------------------------------------------------------------------------------------------------------- one host


class Home:
    """A clean home with one host in it, and smista registered there."""

    def __init__(self, harness: ModuleType, options: argparse.Namespace, name: str, root: Path) -> None:
        self.name, self.options, self.root = name, options, root
        for folder in ("home", "work", "tmp"):
            (root / folder).mkdir(parents=True)
        subprocess.run(["git", "init", "-q", str(root / "work")], check=True)
        self.harness = harness
        self.said = root / "mcp.jsonl"
        self.python = self._environment()

    def _environment(self) -> Path:
        """A Python of its own that has this one's packages, and whose `smista-mcp` writes down what is said."""
        folder = self.root / "smista"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        theirs = [path for path in site.getsitepackages() if Path(path).is_dir()]
        (packages / "these.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in theirs))
        tee = shlex.join([sys.executable, str(self.options.harness / "tee.py"), str(self.said), sys.executable])
        script = folder / "bin/smista-mcp"
        script.write_text(f'#!/bin/sh\nexec {tee} -m smista_mcp "$@"\n')
        script.chmod(0o755)
        return folder / "bin/python"

    def host(self, port: int, variables: list[str]) -> Any:
        """The driver's host; it registers nothing."""
        known = {"server_name": "smista", "registration": "plain", "inside": True, "host_env": variables}
        prompt = "Ask smista how to route this task, then say what it answered."
        settings = SimpleNamespace(cache=self.options.cache, prompt=prompt, extra=[], **known)
        return self.harness.HOSTS[self.name](self.name, settings, self.root, port, ["true"], {})

    def smista(self, host: Any, *words: str) -> subprocess.CompletedProcess[str]:
        """One command of smista's, as this host's user would run it."""
        command = [str(self.python), "-m", "smista_mcp", *words]
        return subprocess.run(
            command, cwd=self.root / "work", env=host.env(), capture_output=True, text=True, check=False, timeout=120
        )

    def files(self) -> dict[str, bytes]:
        """All files of the home but copies that `install` keeps."""
        found = (path for path in (self.root / "home").rglob("*") if path.is_file() and "smista" not in path.name)
        return {str(path): path.read_bytes() for path in found if ".local/state/smista" not in str(path)}

    def lowered(self) -> None:
        """The limit of a call, in the host's own file; Claude Code has a variable for it."""
        for path in (self.root / "home").rglob("*"):
            if path.name not in ("config.toml", "settings.json", "opencode.json", "opencode.jsonc", "mcp-config.json"):
                continue
            text = path.read_text(encoding="utf-8")
            text = text.replace("tool_timeout_sec = 900", f"tool_timeout_sec = {LIMIT_S}")
            text = text.replace('"timeout": 900000', f'"timeout": {LIMIT_S * 1000}')
            if self.name == "gemini":
                text = text.replace('"trust": true', f'"trust": true,\n      "timeout": {LIMIT_S * 1000}')
            path.write_text(text, encoding="utf-8")


def policy(url: str, name: str, cell: str, *, own_limits: bool) -> str:
    """Everything goes to the model on loopback."""
    text = POLICY.format(url=url)
    if cell == "deaf":
        return f"{text}[hosts.{NAMES[name]}]\ncall_limit_s = 900\n"
    return f"{text}[hosts.{NAMES[name]}]\ncall_limit_s = {LIMIT_S}\n" if cell == "slow" and not own_limits else text


def drive(
    harness: ModuleType, options: argparse.Namespace, delegate: Delegate, name: str, cell: str, root: Path
) -> dict[str, Any]:
    """One conversation, from the registration to the last word."""
    home = Home(harness, options, name, root)
    model = Model(options.harness, cell, root / "llm.jsonl")
    low = cell in ("slow", "deaf") and not options.own_limits
    variables = ["MCP_PROTOCOL_NEGOTIATION=legacy"] if cell == "legacy" else []
    variables += [f"MCP_TOOL_TIMEOUT={LIMIT_S * 1000}"] if low and name == "claude" else []
    host = home.host(model.port, variables)
    host.setup()
    config = root / "home/.config/smista/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(policy(delegate.base_url, name, cell, own_limits=options.own_limits))
    before = home.files()
    report: dict[str, Any] = {"host": name, "cell": cell}
    for verb in ("install", "uninstall", "install"):
        done = home.smista(host, verb, NAMES[name], "--yes")
        (root / f"{verb}.out").write_text(done.stdout + done.stderr)
        if done.returncode:
            return {**report, "error": f"{verb}: exit {done.returncode}: {done.stdout}{done.stderr}"[:600]}
        if verb == "uninstall":
            report["undone"] = home.files() == before or sorted(home.files().items() ^ before.items())[:2]
    if low:
        home.lowered()
    delegate.seconds = SLOW_S if not options.own_limits else known_host(NAMES[name]).call_limit_s + 15
    command = host.ask()
    command[host.extra_at : host.extra_at] = ALLOWED.get(name, [])
    status, began = harness.execute(command, host, delegate.seconds + 120, root / "ask.out")
    model.stop()
    talk = [json.loads(line) for line in home.said.read_text().splitlines()] if home.said.exists() else []
    said = [entry["msg"] for entry in talk if entry["dir"] == "c2s" and isinstance(entry["msg"], dict)]
    return report | {
        "status": status,
        "seconds": round(time.time() - began, 1),
        "protocol": protocol(talk),
        "client": client(said),
        "calls": [one["params"]["name"] for one in said if one.get("method") == "tools/call"],
        "cancelled": given_up(talk),
        "searched": model.searched,
        "final": FINAL in (root / "ask.out").read_text(errors="replace"),
        "seen": model.seen,
    }


def protocol(talk: list[dict[str, Any]]) -> str | None:
    """The revision that was agreed on: what the call of a tool says, else what the handshake ended with."""
    agreed = None
    for entry in talk:
        message = entry["msg"] if isinstance(entry["msg"], dict) else {}
        params, result = message.get("params") or {}, message.get("result")
        meta = params.get("_meta") or {}
        if message.get("method") == "tools/call" and "io.modelcontextprotocol/protocolVersion" in meta and not agreed:
            agreed = meta["io.modelcontextprotocol/protocolVersion"]
        if entry["dir"] == "s2c" and isinstance(result, dict) and "protocolVersion" in result:
            agreed = result["protocolVersion"]
    return agreed


def given_up(talk: list[dict[str, Any]]) -> int:
    """Calls that the host has cancelled before they were answered; one of the hosts cancels every call afterwards."""
    answered: set[object] = set()
    count = 0
    for entry in talk:
        message = entry["msg"] if isinstance(entry["msg"], dict) else {}
        if entry["dir"] == "s2c" and "result" in message:
            answered.add(message.get("id"))
        elif message.get("method") == "notifications/cancelled":
            count += (message.get("params") or {}).get("requestId") not in answered
    return count


def client(said: list[dict[str, Any]]) -> str | None:
    """The name that a host gave itself."""
    for message in said:
        params = message.get("params") or {}
        info = params.get("clientInfo") or (params.get("_meta") or {}).get("io.modelcontextprotocol/clientInfo")
        if info:
            return f"{info['name']}/{info['version']}"
    return None


# ------------------------------------------------------------------------------------------------------- verdicts


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    """For each column that a conversation fills: empty where it held, else what did not."""
    cell, seen = report["cell"], report.get("seen", [])
    told = [answer_in(one) or {} for one in seen]
    if report.get("error"):
        columns = ("route", "dispatch", "explain") if cell == "tools" else (cell,)
        return {column: str(report["error"]) for column in columns}
    ended = "" if report["final"] and report["status"] == 0 else f"the host did not end well ({report['status']})"
    ended = ended or ("" if report["undone"] is True else "uninstall did not give the files back")
    ended = ended or ("our tools had to be searched for" if report["searched"] else "")
    if cell in ("tools", "legacy"):
        told += [{}] * (3 - len(told))
        routed = [one.get("status") for one in told[0].get("decisions") or []] == ["routed"]
        done = told[1].get("status") == "completed" and told[1]["phases"][0]["answer"] == "fine"
        stories = told[2].get("phases") or [{}]
        explained = bool(stories[0].get("rules") is not None and stories[0].get("attempts"))
        found = {"route": routed, "dispatch": done, "explain": explained}
        words = {key: "" if ok else "the answer did not reach the model" for key, ok in found.items()}
        if cell == "tools":
            return {key: word or ended for key, word in words.items()}
        old = report["host"] != "claude" or report["protocol"] < "2026"
        return {"legacy": "; ".join(filter(None, words.values())) or ended or ("" if old else "it was not legacy")}
    if cell == "slow":
        statuses = [one.get("status") for one in told]
        right = statuses[:-1] and set(statuses[:-1]) == {"running"} and statuses[-1] == "completed"
        right = right and told[-1]["phases"][0]["answer"].endswith("SLOW-DONE") and not report["cancelled"]
        return {"slow": ended if right else f"it went {statuses}, {report['cancelled']} cancelled"}
    if cell == "big":
        first = (told or [{}])[0]
        begun = re.search(r'\\?"status\\?":', (seen or [""])[0])
        early = begun is not None and begun.start() < 1000 and first.get("status") == "completed"
        text = "".join(
            (one["resource"]["text"] if one.get("resource") else (one.get("phases") or [{}])[0].get("answer") or "")
            for one in told
        )
        return {"big": ended if early and text == LONG else f"{len(text)} of {len(LONG)} characters, early: {early}"}
    return {}


def shown(report: dict[str, Any], width: int) -> list[str]:
    """What a model saw, shortened."""
    head = f"--- {report['host']}, {report['cell']}: {report.get('client')}, {report.get('protocol')}"
    lines = [f"{head}, calls {' '.join(report.get('calls', []))}, {report.get('seconds')} s"]
    seen = report.get("seen", [])
    kept = seen if len(seen) <= 4 else [*seen[:2], seen[-1]]
    for one in kept:
        text = " ".join(one.split())
        cut = text if len(text) <= width else f"{text[: width * 2 // 3]} [...] {text[-width // 3 :]}"
        lines.append(f"    {len(one)} characters: {cut}")
    if len(seen) > len(kept):
        lines.insert(3, f"    ... {len(seen) - len(kept)} more")
    return lines


def table(found: dict[str, dict[str, str]]) -> bool:
    """Prints the table; whether every cell held."""
    print(f"{'host':14}" + "".join(f"{column:10}" for column in COLUMNS))
    for name, cells in found.items():
        words = ["-" if column not in cells else "FAIL" if cells[column] else "PASS" for column in COLUMNS]
        print(f"{NAMES[name]:14}" + "".join(f"{word:10}" for word in words))
    failed = [(name, column, why) for name, cells in found.items() for column, why in cells.items() if why]
    for name, column, why in failed:
        print(f"    {NAMES[name]} {column}: {why}")
    return not failed


def main() -> int:
    """Runs every cell asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", type=Path, required=True)
    parser.add_argument("--cache", required=True, help="where the driver has installed the CLIs")
    parser.add_argument("--host", action="append", choices=list(NAMES))
    parser.add_argument("--cell", action="append", choices=CELLS)
    parser.add_argument("--own-limits", action="store_true", help="leave the hosts' own limits of a call")
    parser.add_argument("--width", type=int, default=600, help="characters of what a model saw")
    parser.add_argument("--keep", type=Path, help="where homes and logs stay")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.harness = options.harness.resolve()
    if not options.inside:
        return alone(__file__)
    sys.dont_write_bytecode = True
    harness = loaded("hosts_run", options.harness / "run")
    harness.loopback_up()
    root = options.keep.resolve() if options.keep else Path(tempfile.mkdtemp(prefix="smista-hosts-"))
    found: dict[str, dict[str, str]] = {}
    said: list[str] = []
    with Delegate.serving() as delegate:
        for name in options.host or NAMES:
            for cell in options.cell or CELLS[:-1]:
                report = drive(harness, options, delegate, name, cell, root / name / cell)
                found.setdefault(name, {}).update(verdicts(report))
                lines = shown(report, options.width)
                print(lines[0], file=sys.stderr, flush=True)
                said += lines
    held = table(found)
    print(*said, sep="\n")
    if held and not options.keep:
        shutil.rmtree(root, ignore_errors=True)
    else:
        print(f"kept: {root}", file=sys.stderr)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
