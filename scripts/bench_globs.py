"""Measures path patterns on patterns and paths that are written to make them work hard.

    python scripts/bench_globs.py

For each shape, process time in microseconds to compile a pattern of 4 kB and to ask it for a path of 4 kB, and how much
that grows from 1 kB to 4 kB: of the path alone (with a pattern of 64 bytes), of the pattern alone, and of both at once.
Linear is 4; the exit status is 1 where one alone grows it by more than 6, or where an answer takes more than 100 ms. Of
both at once a long piece behind a star grows with their product, as every search for a piece with `?` in it does.
"""

import sys
from collections.abc import Callable, Mapping
from time import process_time
from typing import NamedTuple

from smista_mcp.core.globs import GlobSet

TINY, SMALL, LARGE = 64, 1_024, 4_096
MOST, LONGEST_S = 6.0, 0.1
_LEAST_S = 0.02
_TIMES = 5


class Shape(NamedTuple):
    """A pattern and a path for a number of bytes each: what is repeated, what stands before it and behind it."""

    piece: str
    path_piece: str
    before: str = ""
    end: str = ""
    path_end: str = ""

    def pattern(self, size: int) -> str:
        """A pattern of so many bytes."""
        return self.before + _filled(self.piece, size - len(self.before), self.end)

    def path(self, size: int) -> str:
        """A path of so many bytes."""
        return _filled(self.path_piece, size, self.path_end)


def _filled(piece: str, size: int, end: str) -> str:
    return piece * max(1, (size - len(end)) // len(piece.encode())) + end


SHAPES: Mapping[str, Shape] = {
    "letters": Shape("a", "a"),
    "a star behind each letter": Shape("a*", "a", end="b"),
    "stars and questions": Shape("*?", "a", end="b"),
    "a long piece between stars": Shape("a", "a", "*", "b*"),
    "segments": Shape("a/", "a/", end="b", path_end="a"),
    "two stars for each segment": Shape("**/a/", "a/", end="b", path_end="a"),
    "a long piece behind two stars": Shape("a/", "a/", "**/", "b", "a"),
    "stars in segments behind two stars": Shape("*a*/", "a/", "**/", "b", "a"),
    "classes": Shape("[!b]*", "a", end="b"),
    "one large class": Shape("a-c", "a", "*[", "]b"),
    "letters beyond ASCII": Shape("ä*", "ä", end="b"),
    "letters of several cases": Shape("\u017f*", "ß", end="b"),
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


class Cost(NamedTuple):
    """Seconds to compile and to ask once."""

    compiling: float
    asking: float


def cost(shape: Shape, pattern_size: int, path_size: int) -> Cost:
    """What one pattern costs on one path."""
    pattern, path = shape.pattern(pattern_size), shape.path(path_size)
    ready = GlobSet([pattern], ignore_case=True)
    ready.hits(path)
    return Cost(seconds(lambda: GlobSet([pattern], ignore_case=True).hits("x")), seconds(lambda: ready.hits(path)))


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
        worst = max(worst, *growth[:-1])
        slowest = max(slowest, large.asking)
        figures = "".join(f"{figure:8.1f}" for figure in growth)
        print(f"{name:36} {large.compiling * 1e6:9.0f} {large.asking * 1e6:9.1f}         {figures}")
    print(f"worst growth of one alone: {worst:.1f} (at most {MOST}); slowest answer: {slowest * 1e3:.1f} ms")
    return 1 if worst > MOST or slowest > LONGEST_S else 0


if __name__ == "__main__":
    sys.exit(main())
