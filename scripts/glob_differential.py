"""Compares path patterns with git on random hostile pairs of a pattern and a path.

    python scripts/glob_differential.py [--patterns 55000] [--paths 20] [--seed 1] [--steps]

Each pattern stands alone in the `.gitignore` of a directory of its own, and `git check-ignore` is asked for files and
directories below, with and without `core.ignorecase`. Printed are the pairs where git matches and a pattern that
forbids does not (the leaking side, which must be empty), those where it is the other way round, and the differences
of a pattern that matches with case; each by what explains it. The exit status is 1 where something leaks, or differs
without an explanation.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from smista_mcp.core.globs import GlobSet, refusal, sets
from smista_mcp.core.globs.dialect import CharClass, Wild, parse

BATCH = 5000
"""Patterns of one repository."""
LETTERS = "aabbcAB.-_! "
ODD = [
    *"\n\r\t\v\f\x01\x7f\"'#~$%&+,:;=@^`|{}()<>]!0179zZxkKsSiI",
    *"éÉß\u00e0\u017f\u212a\u0130\u0131\u00b5\u03a3\u03c2\u03c3中🔑\u0301\u2028\ufeff",
]
RAW = ["\udc80", "\udcff", "\udcc3", "\udca9", "\udcf5"]
"""Bytes that are no UTF-8; paths may hold them, patterns come from TOML and may not."""
DEEP = ["**", "**", "a", "b", "a*", "*b", "?"]
WILD = ["*", "*", "**", "?", "?", "**/", "/**/", "/**", "**/**/", "***", "*?", "??"]
ESCAPES = ["\\*", "\\?", "\\[", "\\a", "\\\\", "\\!", "\\ ", "\\/", "\\]", "\\é", "\\"]
MEMBERS = [
    *"abcAZ019-!^]./*? ",
    "a-c",
    "A-Z",
    "z-a",
    "!-~",
    "\\]",
    "\\-",
    "\\\\",
    "a-\\c",
    "[",
    "[:alpha:]",
    "[:upper:]",
    "[:lower:]",
    "[:space:]",
    "[:punct:]",
    "[:cntrl:]",
    "[:nope:]",
    "[:a]:]",
    "[:]",
    "[:",
    "é",
    "à-ü",
    "é-a",
    "a-é",
    "🔑",
    "\n",
    "\u00e0-\u00fc-z-a",
    "\u00e0-\u00fc-[:alpha:]",
    "\u00e9-",
    "-",
    "-",
]
ENDS = ["/", "/", " ", "  ", "\\ ", "\\", "/**", "/*", "**", "//", "\\/"]


class Pair(NamedTuple):
    """A path, and which patterns and gits match it."""

    pattern: str
    path: str
    git: bool
    git_without_case: bool
    exact: bool
    forbids: bool


def pattern_of(rng: random.Random) -> str:
    """A pattern of one to eight pieces; some are nothing but many segments."""
    if rng.random() < 0.04:
        return "/".join(rng.choices(DEEP, k=rng.randint(3, 14)))
    pieces: list[str] = []
    for _ in range(rng.randint(1, 8)):
        kind = rng.random()
        if kind < 0.34:
            pieces.append("".join(rng.choices(LETTERS, k=rng.randint(1, 3))))
        elif kind < 0.40:
            pieces.append(rng.choice(ODD))
        elif kind < 0.58:
            pieces.append(rng.choice(WILD))
        elif kind < 0.74:
            pieces.append("/")
        elif kind < 0.82:
            pieces.append(rng.choice(ESCAPES))
        else:
            members = "".join(rng.choices(MEMBERS, k=rng.randint(1, 3)))
            pieces.append(f"[{rng.choice(['', '', '!', '^'])}{members}{rng.choice([']', ']', ']', ']', ']', ''])}")
    if rng.random() < 0.15:
        pieces.append(rng.choice(ENDS))
    if rng.random() < 0.03:
        pieces.insert(0, rng.choice(["./", "**/", "#", "\\#", "\\!", " "]))
    return "".join(pieces)


def patterns_of(rng: random.Random, count: int) -> list[str]:
    """Distinct patterns that we accept and that a line of a `.gitignore` can hold."""
    found: dict[str, None] = {}
    while len(found) < count:
        pattern = pattern_of(rng)
        if refusal(pattern) is None and "\n" not in pattern and not pattern.endswith("\r"):
            found[pattern] = None
    return list(found)


def _text(rng: random.Random) -> str:
    return "".join(
        rng.choice((LETTERS, LETTERS, LETTERS, ODD, RAW)[rng.randrange(5)]) for _ in range(rng.randint(0, 3))
    )


def _segments(rng: random.Random) -> str:
    return "/".join(_text(rng) or "a" for _ in range(rng.randint(0, 3)))


def _member(rng: random.Random, one: CharClass) -> str:
    if not one or rng.random() < 0.2:
        return rng.choice(ODD)
    low, high = rng.choice(one)
    point = rng.randint(low, min(high, low + 300))
    return "a" if 0xD800 <= point <= 0xDFFF else chr(point)


def meeting(rng: random.Random, pattern: str) -> str:
    """A path that the pattern is likely to match."""
    glob = parse(pattern)
    if glob is None:
        return pattern.replace("\\", "").replace("*", "a").rstrip("/ ")
    written: list[str] = []
    for segment in glob.segments:
        text = ""
        for atom in segment:
            if isinstance(atom, Wild):
                text += _segments(rng) if atom is Wild.GLUED and rng.random() < 0.5 else _text(rng)
            else:
                text += atom if isinstance(atom, str) else _member(rng, atom)
        written.append(text if segment else _segments(rng))
    path = "/".join(filter(None, written))
    return f"{_text(rng) or 'b'}/{path}" if glob.floating and rng.random() < 0.3 else path


def changed(rng: random.Random, path: str) -> str:
    """The same path with something different about it."""
    at = rng.randrange(len(path) + 1)
    kind = rng.randrange(9)
    if kind == 0:
        return path.swapcase()
    if kind == 1:
        return path[:at] + path[at:].swapcase()
    if kind == 2:
        return path[:at] + path[at + 1 :]
    if kind == 3:
        return path[:at] + rng.choice((*LETTERS, "/", *ODD, *RAW)) + path[at:]
    if kind == 4:
        return f"{path}/{_segments(rng) or 'x'}"
    if kind == 5:
        return f"{_segments(rng) or 'x'}/{path}"
    if kind == 6:
        return unicodedata.normalize(rng.choice(["NFC", "NFD"]), path)
    return path


def paths_of(rng: random.Random, pattern: str, count: int) -> list[str]:
    """Distinct paths of files, and of directories with a `/` at their end."""
    found: dict[str, None] = {}
    for _ in range(count * 6):
        kind = rng.random()
        if kind < 0.85:
            path = changed(rng, meeting(rng, pattern))
        else:
            path = _segments(rng) if kind < 0.95 else "/".join(rng.choices(["a", "b", "ab"], k=rng.randint(1, 30)))
        path = "/".join(part for part in path.replace("\0", "").split("/") if part not in ("", ".", "..", ".git"))
        if path and len(found) < count:
            found[path + "/" * (rng.random() < 0.25)] = None
    return list(found)


def git_matches(repository: Path, paths: Sequence[bytes], *, ignore_case: bool) -> list[bool | None]:
    """Asks git about all paths at once; where a signal ends it (2.39 can crash), about half. None: about one alone."""
    said = f"core.ignorecase={str(ignore_case).lower()}"
    command = ["git", "-C", str(repository), "-c", said, "check-ignore", "--no-index", "-z", "-v", "-n", "--stdin"]
    done = subprocess.run(command, input=b"\0".join(paths), capture_output=True, check=False)
    fields = done.stdout.split(b"\0")
    if done.returncode < 0:
        half = len(paths) // 2
        parts = (paths[:half], paths[half:]) if half else ()
        return [said for part in parts for said in git_matches(repository, part, ignore_case=ignore_case)] or [None]
    if done.returncode not in (0, 1) or done.stderr or fields[3::4] != list(paths):
        raise RuntimeError(f"git answers otherwise than asked, and ends with {done.returncode}: {done.stderr!r}")
    return [bool(field) for field in fields[2::4]]


def compared(patterns: Sequence[str], count: int, rng: random.Random) -> Iterator[Pair]:
    """Judges random paths of each pattern by git and by our own two ways."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        subprocess.run(["git", "init", "-q", folder], check=True)
        asked: list[tuple[str, str]] = []
        names: list[bytes] = []
        for place, pattern in enumerate(patterns):
            name = f"d{place}"
            (repository / name).mkdir()
            (repository / name / ".gitignore").write_bytes(b"# one pattern\n" + pattern.encode() + b"\n")
            for path in paths_of(rng, pattern, count):
                asked.append((pattern, path))
                names.append(f"{name}/{path}".encode("utf-8", "surrogateescape"))
        plain = git_matches(repository, names, ignore_case=False)
        caseless = git_matches(repository, names, ignore_case=True)
    last, exact, forbids = None, GlobSet(()).hits, GlobSet(()).hits
    for (pattern, path), with_case, without_case in zip(asked, plain, caseless, strict=True):
        if with_case is None or without_case is None:
            continue
        if pattern != last:
            last, exact, forbids = pattern, GlobSet([pattern]).hits, GlobSet([pattern], ignore_case=True).hits
        yield Pair(pattern, path, with_case, without_case, exact(path), forbids(path))


def explained(pair: Pair, *, forbidding: bool) -> str:
    """What makes git and us differ, as far as the pair shows it."""
    pattern, path = pair.pattern, pair.path
    classes = "?" in pattern or "[" in pattern
    reasons = {
        "a line of `.gitignore` that begins with # is a comment": pattern.startswith("#"),
        "git leaves out spaces at the end": pattern.endswith(" "),
        "`a**/b` crosses in some releases of git": re.search(r"[^/]\*\*+(/|\\/|$)", pattern) is not None,
        "to git, `**` before an escaped slash is no less than one segment": "**\\/" in pattern,
        "git counts bytes, we count characters": classes and not (path + pattern).isascii(),
        "a directory, and the pattern names what is below it": path.endswith("/") and "/*" in pattern.replace("\\", ""),
        "any casing of the path may match a class": forbidding and classes and path.upper() != path.lower(),
        "git knows no case behind a backslash": forbidding and "\\" in pattern,
        "case and NFC beyond ASCII": forbidding and not (path + pattern).isascii(),
    }
    return next((reason for reason, holds in reasons.items() if holds), "UNEXPLAINED")


KINDS = (
    "leaks: git matches, a pattern that forbids does not",
    "a pattern that forbids matches, git does not",
    "git matches, a pattern with case does not",
    "a pattern with case matches, git does not",
)
LEAKS = KINDS[0]


def differences(pair: Pair) -> Iterator[str]:
    """Which kinds of difference a pair shows."""
    either = pair.git or pair.git_without_case
    shown = (
        either and not pair.forbids,
        pair.forbids and not either,
        pair.git and not pair.exact,
        pair.exact and not pair.git,
    )
    return (kind for kind, holds in zip(KINDS, shown, strict=True) if holds)


def main(arguments: Sequence[str]) -> int:
    """Compares, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=55_000)
    parser.add_argument("--paths", type=int, default=20, help="of each pattern, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", action="store_true", help="match short paths as long ones are matched")
    options = parser.parse_args(arguments)
    if options.steps:
        sets.NEAR = 0
    began = time.monotonic()
    rng = random.Random(options.seed)  # noqa: S311
    patterns = patterns_of(rng, options.patterns)
    pairs = matched = 0
    found: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    examples: dict[tuple[str, str], Pair] = {}
    for start in range(0, len(patterns), BATCH):
        for pair in compared(patterns[start : start + BATCH], options.paths, rng):
            pairs += 1
            matched += pair.git
            for kind in differences(pair):
                why = explained(pair, forbidding=kind in KINDS[:2])
                found[kind][why] += 1
                examples.setdefault((kind, why), pair)
    version = subprocess.run(["git", "--version"], capture_output=True, text=True, encoding="utf-8", check=True).stdout
    print(f"{version.strip()}: {pairs} pairs, {len(patterns)} patterns, git matches {matched}", end=", ")
    print(f"{time.monotonic() - began:.0f} s")
    for kind, counts in found.items():
        print(f"{kind}: {counts.total()}")
        for why, times in counts.most_common():
            pair = examples[kind, why]
            print(f"  {times:7}  {why}; such as {pair.pattern!a} on {pair.path!a}")
    unexplained = any("UNEXPLAINED" in counts for counts in found.values())
    return 1 if found[LEAKS] or unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
