"""Try the protocol's own conformance suite on the product, over HTTP and over pipes, and list every scenario.

    python scripts/run_conformance.py --harness FILE [--keep DIR]

FILE is a shell script that runs the official suite for the revisions of 2025-11-25 and 2026-07-28 against an address,
and the Inspector and raw lines against a command: `FILE --serve 'COMMAND {port}' --call 'TOOL={json}' -- COMMAND`. Its
lines begin with `ok` or `FAIL`. The server has a policy, a model on loopback, and no token: the suite cannot show one.

Prints the lines as a table, and ends with the status of FILE.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from fake_ollama import FakeOllama  # noqa: E402

POLICY = '[routing.default]\nmodel = "ollama/tiny"\n[providers.ollama]\nbase_url = "{url}"\n'
TASK = {"text": "What is a mutex?"}
GOOD = ("classify", "route", "dispatch", "explain")
BAD = {"explain": {"trace_id": "none"}, "route": {"text": "x", "model": "no such/model at all"}, "classify": {}}
_LINE = re.compile(r"(ok|FAIL) +(.*)")


def main() -> int:
    """Runs it, and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--harness", type=Path, required=True)
    parser.add_argument("--keep", type=Path, help="where raw results stay")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="smista-conformance-") as folder, FakeOllama.serving() as model:
        home = Path(folder)
        (home / "config.toml").write_text(POLICY.format(url=model.base_url), encoding="utf-8")
        program = shlex.join([sys.executable, "-m", "smista_mcp"])
        calls = [word for tool in GOOD for word in ("--call", f"{tool}={json.dumps(TASK)}")]
        errors = [word for tool, said in BAD.items() for word in ("--call-error", f"{tool}={json.dumps(said)}")]
        keep = ["--keep", str(given.keep)] if given.keep else []
        command = ["bash", str(given.harness), "--serve", f"exec {program} serve-http --port {{port}}", *calls, *errors]
        command += [*keep, "--", *shlex.split(program), "serve-stdio"]
        variables = {"SMISTA_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(
            command, cwd=home, env=os.environ | variables, capture_output=True, text=True, check=False
        )
    print("| what | result |\n| --- | --- |")
    for line in done.stdout.splitlines():
        if found := _LINE.fullmatch(line):
            print(f"| {found[2].replace('|', '/')} | {found[1]} |")
        else:
            print(f"\n{line}" if line.startswith("conformance:") else f"| {line} | |")
    print(done.stderr[-2000:], file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
