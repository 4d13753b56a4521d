"""Small programs that behave like a headless Codex, well and badly: real files, run as real processes."""

import json
import sys
import textwrap
from pathlib import Path

ANSWER = "it adds one"
_HEAD = """\
#!{python} -I
import json, os, pathlib, subprocess, sys, time
HERE = pathlib.Path({log!r})
def say(**what): print(json.dumps(what), flush=True)
def answer(text={answer!r}):
    say(type="item.completed", item=dict(type="agent_message", text=text))
    say(type="turn.completed", usage=dict(input_tokens=12, cached_input_tokens=2, output_tokens=5))
asked = sys.stdin.read()
note = dict(argv=sys.argv[1:], env=dict(os.environ), cwd=os.getcwd(), asked=asked)
note.update(inside=os.listdir("."), pid=os.getpid())
(HERE / "heard.json").write_text(json.dumps(note))
say(type="thread.started", thread_id="t")
"""


def fake_cli(folder: Path, body: str, *, name: str = "codex", version: str | None = "0.169.0") -> Path:
    """An executable file in `folder/bin`, with a package beside it that says the version; what it heard is noted."""
    there = folder / "bin"
    there.mkdir(parents=True, exist_ok=True)
    if version is not None:
        (folder / "package.json").write_text(json.dumps({"name": f"@vendor/{name}", "version": version}))
    path = there / name
    head = _HEAD.format(python=sys.executable, log=str(folder), answer=ANSWER)
    path.write_text(head + textwrap.dedent(body))
    path.chmod(0o755)
    return path


def heard(folder: Path) -> dict[str, object]:
    """What the program was given."""
    return json.loads((folder / "heard.json").read_text())
