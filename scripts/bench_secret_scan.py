"""Measures the secret scan: short texts, a megabyte of source, and texts written to make it work hard.

    python scripts/bench_secret_scan.py [FOLDER OF SOURCE]

Prints microseconds of a short text and, for each long one, milliseconds of process time for 1/4 MB and for 1 MB.
"""

import sys
import sysconfig
import timeit
from pathlib import Path
from time import process_time

from smista_mcp.core.secretscan import scan
from smista_mcp.core.secretscan.assignments import NAMES
from smista_mcp.core.secretscan.scanner import NEARBY_RULES, RULES

_MEGABYTE = 1_000_000
_FILLERS = ("", "aB3", " ", '"', "\n")


def source(folder: Path) -> str:
    """A megabyte of source below a folder."""
    parts: list[str] = []
    size = 0
    for file in sorted(folder.rglob("*.py")):
        parts.append(file.read_text(encoding="utf-8", errors="replace"))
        size += len(parts[-1])
        if size >= _MEGABYTE:
            break
    return "".join(parts)[:_MEGABYTE]


def milliseconds(text: str, times: int = 3) -> float:
    """The best process time of some scans."""
    best = 1e9
    for _ in range(times):
        start = process_time()
        scan(text)
        best = min(best, process_time() - start)
    return best * 1000


def main() -> None:
    """Measures and prints."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(sysconfig.get_path("stdlib"))
    for text in ("summarize the readme", "explain src/auth/middleware.rs and why the session token expires early " * 2):
        best = min(timeit.repeat(lambda text=text: scan(text), number=1000, repeat=5))
        print(f"{len(text)} characters: {best * 1000:.1f} us")
    code = source(folder)
    print(f"source of {len(code)} characters: {milliseconds(code):.0f} ms")
    anchors = [anchor for rule in RULES for anchor in rule.anchors]
    words = [word for rule in NEARBY_RULES for word in rule.words]
    shapes = (
        "password=",
        'password="',
        "://a:",
        "://",
        "-----BEGIN PRIVATE KEY-----",
        "PRIVATE KEY",
        "cookie sid=",
        "%3A%2F%2F",
    )
    pieces = (*anchors, *words, *NAMES, *shapes, "authorization: bearer ", "a1B2c3D4", "a\n", '"', "'a'+", "curl -u a:")
    first = {unit: milliseconds(unit * (50_000 // len(unit)), 1) for p in pieces for f in _FILLERS if (unit := p + f)}
    for unit in sorted(first, key=lambda unit: first[unit], reverse=True)[:10]:
        small, large = (milliseconds(unit * (size // len(unit))) for size in (_MEGABYTE // 4, _MEGABYTE))
        print(f"{unit!r:44} 1/4 MB {small:7.0f} ms   1 MB {large:7.0f} ms   x{large / max(small, 0.01):.1f}")


if __name__ == "__main__":
    main()
