"""Records many decisions, and lets another Python decide them again from what was recorded.

    python scripts/replay_recorded.py [--decisions 1000] [--python FILE]

The decisions come from several policies (presets, one that asks before anything leaves, one that came with the
repository, one that allows almost nothing), with overrides, budgets partly spent, restricted files, diffs, attachments,
secrets, approvals. The process that decides again has another hash seed, locale and time zone, and finds no model
server, no key and another policy: all that it decides by is in the ledger. Printed is how many come out the same, byte
for byte; the exit status is 1 where one does not.
"""

import argparse
import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from determinism import DIFF, HOSTS, POLICY, SKILLS, locales, model_server, tasks, write_workspace

from smista_mcp.app import App, Caller, open_app
from smista_mcp.app.preparing import prepare
from smista_mcp.app.replaying import replay
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent, Locality
from smista_mcp.ledger import AttemptStart, Ledger, NewTrace
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

ROOT = Path(__file__).parents[1]
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")
TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
ASKS = POLICY.replace('mode = "allow"', 'mode = "ask"')
NARROW = '[models]\nallowed = ["ollama/*"]\n[routing.default]\nmodel = "anthropic/claude-opus"\neffort = "low"\n'
FOREIGN = '[privacy]\nrestricted_paths = ["docs/**"]\n[models]\ndenied = ["ollama/*"]\n'
PRESETS = ("balanced", "embedded", "local-first", "quality", "team")


class Options(argparse.Namespace):
    """What the command line says."""

    decisions: int
    python: str
    again: tuple[Path, Path] | None


def varied(count: int) -> Iterator[Task]:
    """Tasks, some of which hold what must not leave."""
    for number, task in enumerate(tasks(count)):
        match number % 23:
            case 7:
                yield task.model_copy(update={"paths": (".env", "src/shop.py")})
            case 11:
                yield task.model_copy(update={"text": f"{task.text}; why is {TOKEN} refused?"})
            case 13:
                held = Attachment(path="secrets/notes.md", content="a note " * 90)
                yield task.model_copy(update={"attachments": (held,), "diff": DIFF})
            case 17:
                yield Task(text=f"write the commit message ({number})")
            case _:
                yield task


def opened(home: Path, workspace: Path, preset: str | None = None) -> App:
    """The product as a new process would open it; with the keys of two vendors where they are in the environment."""
    variables = {name: os.environ[name] for name in ("PATH", *KEYS) if name in os.environ}
    environment = Environment.read({"SMISTA_HOME": str(home), "HOME": str(home), **variables})
    return open_app(Settings(environment=environment, workspace=workspace, preset=preset))


def record(home: Path, workspace: Path, count: int, ollama: str) -> int:
    """Decides until so many decisions are on record, under one policy after the other; how many there are."""
    os.environ.update(dict.fromkeys(KEYS, "none"))
    own, foreign = home / "config.toml", workspace / ".smista/config.toml"
    foreign.parent.mkdir(exist_ok=True)
    texts = [(POLICY, None), (ASKS, None), (NARROW, None), ("", None), *(("", preset) for preset in PRESETS)]
    recorded = 0
    for turn, (text, preset) in enumerate(itertools.cycle(texts)):
        own.write_text(text.replace("{ollama}", ollama) or "# nothing yet\n", encoding="utf-8")
        foreign.write_text(FOREIGN if turn % 3 == 2 else "", encoding="utf-8")
        app = opened(home, workspace, preset)
        each = min(20, count // (2 * len(texts)) + 1)
        chosen = itertools.islice(varied((turn + 1) * each), turn * each, None)
        for task, host in zip(chosen, itertools.cycle(HOSTS), strict=False):
            recorded += len(_routed(app, task, Caller(host), approve=recorded % 3 == 0))
            _spend(app.world.open_ledger(), recorded)
            if recorded >= count:
                return recorded
    return recorded


def _routed(app: App, task: Task, caller: Caller, *, approve: bool) -> Sequence[object]:
    found = prepare(app.world, task, caller)
    if found.asked is None or not approve:
        return found.routed
    book, now = app.world.open_ledger().approvals, datetime.now(UTC)
    workspace = app.world.workspace_digest()
    asked = book.request(found.asked.key, found.asked.request, workspace=workspace, host="codex", now=now)
    book.grant(asked, "terminal", now)
    return (*found.routed, *prepare(app.world, task, caller).routed)


def _spend(ledger: Ledger, number: int) -> None:
    """Now and then a little of the budgets, so that what is left differs."""
    if number % 7 == 0:
        receipt = Receipt(body_bytes=1, body_sha256="00" * 32)
        start = AttemptStart(
            *(0, Intent.EDIT, "openai/gpt-luna", "openai", Locality.REMOTE, datetime.now(UTC), receipt),
            reserved=Decimal("0.12"),
        )
        ledger.write(ledger.attempt(NewTrace(os.urandom(16).hex(), "ab" * 32, start.started_at), start, ()))


def again(home: Path, workspace: Path) -> int:
    """Decides everything that is on record again; prints what came out, and gives the exit status."""
    app = opened(home, workspace)
    ledger = app.world.open_ledger()
    calls = dict.fromkeys(row.call_id for row in reversed(ledger.recent(1_000_000)))
    digest, found, told = hashlib.sha256(), Counter[str](), Counter[str]()
    for call in calls:
        rows = ledger.call(call)
        answer = replay(app.world, ledger, rows, today=False)
        for row, phase in zip(rows, answer.phases, strict=True):
            found["same" if phase.same else "other"] += 1
            told[f"{row.decision.status}"] += 1
            digest.update(phase.replayed_id.encode())
            if not phase.same:
                print(f"{row.decision_id[:12]}: {[one.name for one in phase.changed]} {phase.fields}", file=sys.stderr)
    version = ".".join(map(str, sys.version_info[:3]))
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(told.items()))
    print(f"Python {version}: {found['same']} the same, {found['other']} other; {kinds}; {digest.hexdigest()[:16]}")
    return 1 if found["other"] else 0


def main(arguments: Sequence[str]) -> int:
    """Records, and has a child decide again; or is that child."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that decides again")
    parser.add_argument("--again", nargs=2, type=Path, metavar=("HOME", "WORKSPACE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments, Options())
    if options.again:
        return again(*options.again)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, model_server() as ollama:
        home, workspace = Path(folder, "home"), Path(folder, "work")
        workspace.mkdir()
        for name, text in SKILLS.items():
            file = home / ".claude/skills" / name / "SKILL.md"
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
        write_workspace(workspace)
        count = record(home, workspace, options.decisions, ollama)
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"Python {version}: {count} decisions recorded in {time.monotonic() - began:.0f} s", flush=True)
        (home / "config.toml").write_text('[routing.default]\nmodel = "ollama/none"\n', encoding="utf-8")
        began = time.monotonic()
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "LC_ALL": locales()[1]}
        command = [options.python, __file__, "--again", str(home), str(workspace)]
        done = subprocess.run(command, env={**env, "TZ": "Pacific/Chatham"}, check=False)
        print(f"decided again in {time.monotonic() - began:.0f} s")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
