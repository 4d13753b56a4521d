"""Measures the reader of intents on short prompts and on long texts, if wished beside another package's classifier.

    python scripts/bench_reader.py [--against MODULE:FUNCTION] [--prompts FILE]

Short: process time in microseconds for one of 36 prompts (or of those in a file of lines with `prompt`). Long: texts
of 100,000 characters of several shapes, and how much each grows from there to 400,000 (linear is 4 or less).
`--against` names a function of one text in a package that is installed, measured in the same run on the same texts. The
exit status is 1 where a text grows by more than 6.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from time import process_time

from smista_mcp.core.classification import Reader

MOST = 6.0
LONG = 100_000
_LEAST_S = 0.05
_TIMES = 5
SHORT = (
    "fix the login", "can you explain how the retry logic in src/net/retry.py works?", "add tests for the parser",
    "Plan the new login flow, then implement it in src/auth/login.rs with tests and update the docs",
    "it crashes when the list is empty", "rename `fetch_all` to `load_all` everywhere", "why is this slow?",
    "review my changes and commit them", "no, don't touch the config, just tell me what you found",
) * 4  # fmt: skip
SHAPES = {
    "prose": "The parser reads a token and if it fails, please fix it and add tests, but do not touch the docs. ",
    "code": "```\nfor (int i = 0; i < n; i++) { review(plan[i]); }\n```\nfix this\n",
    "log": '2026-03-14 12:00:00 ERROR worker.py failed: cannot review the plan\n  File "a.py", line 3, in test\n',
    "word": "and",
    "foreign": "修复登录，然后添加测试。por favor corrige el error y agrega pruebas. ",
}


def seconds(work: Callable[[], object]) -> float:
    """The least process time of one run of some."""
    best = float("inf")
    for _ in range(_TIMES):
        runs = 0
        start = process_time()
        while (spent := process_time() - start) < _LEAST_S:
            work()
            runs += 1
        best = min(best, spent / runs)
    return best


def each(read: Callable[[str], object], prompts: Sequence[str]) -> float:
    """Seconds a prompt."""

    def work() -> None:
        for prompt in prompts:
            read(prompt)

    return seconds(work) / len(prompts)


def main() -> int:
    """Prints one line for each shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="MODULE:FUNCTION")
    parser.add_argument("--prompts", type=Path, metavar="FILE")
    options = parser.parse_args()
    other: Callable[[str], object] | None = None
    if options.against:
        module, _, name = options.against.partition(":")
        other = getattr(import_module(module), name)
    read = Reader().read
    prompts: Sequence[str] = SHORT
    if options.prompts:
        lines = options.prompts.read_text(encoding="utf-8").splitlines()
        prompts = [json.loads(line)["prompt"] for line in lines if line.strip()]
    print(f"{'':10} {'microseconds':>12} {'growth':>7} {'other':>12} {'ratio':>7}")
    _line("short", each(read, prompts), None, each(other, prompts) if other else None)
    bad = 0
    for shape, piece in SHAPES.items():
        small, large = (piece * (size // len(piece)) for size in (LONG, 4 * LONG))
        time = seconds(lambda text=small: read(text))
        growth = seconds(lambda text=large: read(text)) / time
        bad += growth > MOST
        _line(shape, time, growth, seconds(lambda text=small: other(text)) if other else None)
    return 1 if bad else 0


def _line(name: str, time: float, growth: float | None, beside: float | None) -> None:
    grown = "" if growth is None else f"{growth:.1f}"
    compared = "" if beside is None else f"{beside * 1e6:12.1f} {time / beside:7.2f}"
    print(f"{name:10} {time * 1e6:12.1f} {grown:>7} {compared}")


if __name__ == "__main__":
    sys.exit(main())
