"""Measures path patterns on patterns and paths that are written to make them work hard.

    python scripts/bench_globs.py

For each shape, process time in microseconds to compile a pattern of 4 kB and to ask it for a path of 4 kB, and how much
that grows from 1 kB to 4 kB: of the path alone (with a pattern of 64 bytes), of the pattern alone, and of both at once.
Linear is 4; the exit status is 1 where any of them grows it by more than 6, or where an answer takes more than 5 ms.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import NamedTuple

from smista_mcp.core.globs import GlobSet
from smista_mcp.core.globs.places import turned

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from hostile_shapes import SHAPES, Shape

TINY, SMALL, LARGE = 64, 1_024, 4_096
MOST, LONGEST_S = 6.0, 0.005
_LEAST_S = 0.02
_TIMES = 5


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


class Cost(NamedTuple):
    """Seconds to compile and to ask once."""

    compiling: float
    asking: float


def cost(shape: Shape, pattern_size: int, path_size: int) -> Cost:
    """What one pattern costs on one path."""
    pattern, path = shape.pattern(pattern_size), shape.path(path_size)
    ready = GlobSet([pattern], ignore_case=True)
    ready.hits(path)

    def ask() -> None:
        turned.cache_clear()  # each answer is to a path that was not asked for before
        ready.hits(path)

    return Cost(seconds(lambda: GlobSet([pattern], ignore_case=True).hits("x")), seconds(ask))


def main() -> int:
    """Measures all shapes and prints."""
    worst = slowest = 0.0
    print(f"{'':36} {'compile':>9} {'ask':>9}  growth: compile  path  pattern  both")
    for name, shape in SHAPES.items():
        sizes = ((TINY, SMALL), (TINY, LARGE), (SMALL, SMALL), (SMALL, LARGE), (LARGE, LARGE))
        narrow, wide, small, tall, large = (cost(shape, *pair) for pair in sizes)
        growth = (
            large.compiling / small.compiling,
            wide.asking / narrow.asking,
            large.asking / tall.asking,
            large.asking / small.asking,
        )
        worst = max(worst, *growth)
        slowest = max(slowest, large.asking)
        figures = "".join(f"{figure:8.1f}" for figure in growth)
        print(f"{name:36} {large.compiling * 1e6:9.0f} {large.asking * 1e6:9.1f}         {figures}")
    print(f"worst growth: {worst:.1f} (at most {MOST}); slowest answer: {slowest * 1e3:.1f} ms")
    return 1 if worst > MOST or slowest > LONGEST_S else 0


if __name__ == "__main__":
    sys.exit(main())
