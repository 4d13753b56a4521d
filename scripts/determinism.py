"""Decides the same tasks in many child processes and compares what comes out, byte for byte.

    python scripts/determinism.py [--tasks 200] [--seeds 20]

Each child has its own hash seed, locale and time zone; all share one home (and so one key), one workspace and one model
server on loopback. Printed is the SHA-256 over the JSON of all answers, once for each that is found; the exit status is
1 where there is more than one.
"""

import argparse
import contextlib
import hashlib
import itertools
import json
import locale
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from smista_mcp.app import Caller, open_app
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Effort, Intent
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

ROOT = Path(__file__).parents[1]
FARTHEST_LOCALES = ("tr_TR.UTF-8", "de_DE.UTF-8", "C.UTF-8")
"""The first that this machine has stands beside C: Turkish folds the letter i in its own way."""
TIME_ZONES = ("UTC", "Pacific/Chatham")
HOSTS = ("claude-code", "codex-mcp-client", None)
POLICY = """
[[routing.rules]]
name = "plans"
priority = 10
intent = "plan"
model = "anthropic/claude-opus"
fallbacks = ["openai/gpt-sol"]
effort = "high"

[[routing.rules]]
name = "money stays"
priority = 20
paths = ["src/pay/**"]
model = "ollama/qwen"
local_only = true

[[routing.rules]]
name = "reviews of the login"
priority = 20
intent = ["review", "analyze"]
paths = ["src/auth/**"]
model = "class:strong"
cost_limit = "0.40"

[[routing.rules]]
name = "many files"
priority = 30
min_paths = 2
languages = ["python"]
model = "class:cheap"
requires_capabilities = { tools = true }

[classes.strong]
models = ["anthropic/claude-opus", "openai/gpt-5.5-thinking", "ollama/qwen"]

[classes.cheap]
models = ["openai/gpt-luna", "anthropic/claude-haiku", "gemini/gemini-flash-lite"]
order = "cheapest"

[routing]
handoff = "when_unavailable"

[routing.default]
model = "class:cheap"
fallbacks = ["class:local"]

[models]
denied = ["*gpt-4*"]

[privacy]
restricted_paths = [".env", "secrets/**", "*.pem"]

[privacy.remote]
mode = "allow"

[[budgets]]
scope = "all"
period = "day"
limit = "5.00"

[providers.ollama]
base_url = "{ollama}"
"""
FILES = {
    "README.md": "# A shop\n\nIt sells things.\n",
    "AGENTS.md": "Small functions. Tests for everything.\n",
    ".env": "TOKEN=none\n",
    "secrets/plan.txt": "the plan\n",
    "src/auth/login.py": "def login(name: str) -> bool:\n    return bool(name)\n",
    "src/auth/session.py": "LIFETIME = 30\n",
    "src/pay/invoice.py": "def total(prices: list[int]) -> int:\n    return sum(prices)\n",
    "src/pay/tax.py": "RATE = 7\n",
    "src/shop.py": "from src.pay.tax import RATE\n",
    "docs/städte.md": "Zürich, İstanbul\n",
}
SKILLS = {
    "release": "---\nname: release\nallowed-tools: Read Grep\n---\n1. Read the diff.\n2. Write the notes.\n",
    "unused": "---\nname: unused\n---\nNothing.\n",
}
VERBS = (
    *("explain", "review", "refactor", "add tests for", "write documentation for", "plan a rewrite of", "summarize"),
    *("fix the bug in", "rename the constant in", "format", "find out why it is slow:", "translate the words in"),
)
OBJECTS = (
    *("src/auth/login.py", "the login", "src/pay/invoice.py and src/pay/tax.py", "secrets/plan.txt", "@README.md"),
    *("everything below src/auth", "the tax rate", "docs/städte.md", "the changes", "src/shop.py:1-1"),
)
ENDINGS = (
    *("", ", then write the docs", ", but do not touch .env", "; keep it small", " and say why in one sentence"),
    *(", add tests and write a changelog entry", " as quickly as you can"),
)
DIFF = "--- a/src/shop.py\n+++ b/src/shop.py\n@@ -1 +1 @@\n-from src.pay.tax import RATE\n+RATE = 8\n"


class Options(argparse.Namespace):
    """What the command line says."""

    tasks: int
    seeds: int
    decide: tuple[Path, Path] | None


def tasks(count: int) -> Iterator[Task]:
    """Tasks in a fixed order, all different."""
    for number in range(count):
        verb, thing, ending = VERBS[number % 12], OBJECTS[number // 12 % 10], ENDINGS[number * 3 % 7]
        yield Task(
            text=f"{verb} {thing}{ending}" if number % 4 else f"{thing}: {verb} it{ending} ({number})",
            intent=(None, None, None, None, Intent.REVIEW, None, Intent.EDIT)[number % 7],
            skill="release" if number % 19 == 3 else None,
            paths=("src/auth/login.py", "src/shop.py")[: number % 3] if number % 5 == 2 else (),
            diff=DIFF if number % 11 == 4 else None,
            attachments=(Attachment(path="notes.md", content="a note " * 50),) if number % 13 == 5 else (),
            model=("ollama/qwen", "openai/gpt-4o", "nobody/m")[number % 3] if number % 17 == 6 else None,
            effort=Effort.HIGH if number % 6 == 1 else None,
        )


def decide(home: Path, workspace: Path, count: int) -> str:
    """The SHA-256 of all answers."""
    locale.setlocale(locale.LC_ALL, "")
    variables = {name: os.environ[name] for name in ("PATH", "LC_ALL", "TZ")}
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY"), "none")
    environment = Environment.read({"SMISTA_HOME": str(home), "HOME": str(home), **variables, **keys})
    app = open_app(Settings(environment=environment, workspace=workspace))
    digest = hashlib.sha256()
    for task, host in zip(tasks(count), itertools.cycle(HOSTS), strict=False):
        digest.update(app.route(task, Caller(host)).model_dump_json(by_alias=True).encode())
    return digest.hexdigest()


def write_workspace(workspace: Path) -> None:
    """A repository with a change that is not committed yet."""
    for name, text in FILES.items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(text, encoding="utf-8")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(workspace)]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *command], check=True)
    (workspace / "src/pay/tax.py").write_text("RATE = 8\n", encoding="utf-8")
    (workspace / "src/shop.py").write_text("from src.pay.tax import RATE as rate\n", encoding="utf-8")


class _Ollama(BaseHTTPRequestHandler):
    """Lists two models."""

    def do_GET(self) -> None:
        self._send({"models": [{"name": "qwen:7b"}, {"name": "llama:8b"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send({"model_info": {"x.context_length": 16384}, "capabilities": ["completion", "tools"]})

    def _send(self, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that the base class has
        """Says nothing."""


@contextlib.contextmanager
def model_server() -> Generator[str]:
    """The address of a server for as long as the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ollama) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def locales() -> tuple[str, str]:
    """Two locales that this machine has."""
    kept = locale.setlocale(locale.LC_ALL)
    for name in FARTHEST_LOCALES:
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, name)
            locale.setlocale(locale.LC_ALL, kept)
            return "C", name
    return "C", "POSIX"


def child(home: Path, workspace: Path, count: int, surroundings: tuple[int, str, str]) -> str:
    """What one process finds."""
    seed, lang, zone = surroundings
    command = [sys.executable, __file__, "--tasks", str(count), "--decide", str(home), str(workspace)]
    env = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": str(seed), "LC_ALL": lang, "TZ": zone, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True, encoding="utf-8")
    return done.stdout.strip()


def main(arguments: Sequence[str]) -> int:
    """Runs everything, or is one of the children."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--decide", nargs=2, type=Path, metavar=("HOME", "WORKSPACE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments, Options())
    if options.decide:
        home, workspace = options.decide
        print(decide(home, workspace, options.tasks))
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, model_server() as ollama:
        home, workspace = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        workspace.mkdir()
        for name, text in SKILLS.items():
            file = home / ".claude/skills" / name / "SKILL.md"
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
        (home / "config.toml").write_text(POLICY.replace("{ollama}", ollama), encoding="utf-8")
        write_workspace(workspace)
        surroundings = list(itertools.product(range(options.seeds), locales(), TIME_ZONES))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = Counter(pool.map(partial(child, home, workspace, options.tasks), surroundings))
    for digest, times in found.most_common():
        print(f"{digest}  {times} processes")
    figures = f"{options.tasks} tasks, {options.seeds} hash seeds"
    print(
        f"{figures}, locales {' '.join(locales())}, time zones {' '.join(TIME_ZONES)}: "
        f"{len(found)} distinct SHA-256 in {time.monotonic() - began:.0f} s"
    )
    return 0 if len(found) == 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
