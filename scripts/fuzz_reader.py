"""Reads random and hostile texts in child processes with their own hash seeds and compares what comes out.

    python scripts/fuzz_reader.py [--texts 100000] [--seeds 20]

The first child reads every text twice, the others a share of the texts each, so that every text is read under at least
two hash seeds and every seed is used; `--all` makes every child read all of them. A text that raises, that gives
another answer the second time, or whose words are lost is printed. The exit status is 1 where there is any.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from smista_mcp.core.classification import Reader
from smista_mcp.core.policy import ClassificationRule

ROOT = Path(__file__).parents[1]
BLOCK = 500
"""Texts that share a digest."""
_TOLD = 10
_SIGNS = (" ",) * 12 + (
    ", ",
    ". ",
    "? ",
    "! ",
    ": ",
    "; ",
    "\n",
    "\n- ",
    "\n\n",
    "\t",
    "-",
    "/",
    '"',
    "'",
    "`",
    "(",
    ")",
    "",
)
_HOSTILE = (
    *("```", "`", "``` ```", "/", "../", "C:\\", "[a](b)", "[a](", "(((", ")))", "''", "\u2019", "\u201c", "\u2026"),
    *("\r\n", "\x0b", "\x1f", "@", "@@", "$x", "/x ", "1.", "1)", "- ", "* ", "#", "--", "\u2014", "://", "http://"),
    *(
        "http://a/",
        ".",
        "..",
        "...",
        "a.b",
        "\u0130",
        "\u0131",
        "\xdf",
        "\ufb01",
        "\xe9",
        "e\u0301",
        "\u200b",
        "\u202e",
    ),
    *(
        "\ufeff",
        "\U0001f680",
        "\U000e0041",
        "\u2028",
        "\u4fee\u590d",
        "\u6e2c\u8a66\uff0c",
        "\u3002",
        "\u30c6\u30b9\u30c8",
    ),
    *("\ud55c\uad6d", "\u05ea\u05e7\u05df", "\u0623\u0635", "\u03a9", "x" * 40, "a/" * 20, "don't " * 5, "and " * 5),
    *("no " * 5, "at x.y(z.java:1)\n", '  File "a"', "ValueError: x\n", "Traceback (most recent call last):\n"),
    *("$ ", ">>> ", "2024-01-01 12:00:00 INFO ", "{", "}", "<a>"),
)
_RULES = (
    ClassificationRule.model_validate({"intent": "review", "keywords": ["plan", "测试"]}),
    ClassificationRule.model_validate({"intent": "chat", "keywords": ["don't"], "requires_any_context": ["git_diff"]}),
)
READERS = (Reader(), Reader(rules=_RULES, skills=frozenset({"x", "deploy-check"})))


def words() -> list[str]:
    """Words that readers know, and names that they do not."""
    from smista_mcp.core.reading.vocabulary import WORDS  # noqa: PLC0415  the tables are large

    return [
        *sorted(WORDS),
        "src/a.py",
        "README.md",
        "`x = 1`",
        '"quoted words"',
        "fooBar",
        "the parser",
        "v1.2",
        "auth",
    ]


def texts(count: int) -> Iterator[str]:
    """The texts, the same in every process."""
    rnd = random.Random(8)  # noqa: S311  nothing is kept secret by it
    known = words()
    for number in range(count):
        size = rnd.choice((3, 8, 20, 60))
        if number % 4 == 3:
            yield "".join(chr(_character(rnd)) for _ in range(size)) or "x"
            continue
        pieces: list[str] = []
        for _ in range(rnd.randint(1, size)):
            pieces.append(rnd.choice(_HOSTILE if rnd.random() < (0.1, 0.5, 0.9)[number % 3] else known))
            pieces.append(rnd.choice(_SIGNS))
        if number % 1_000 == 1:
            pieces *= rnd.randint(50, 400)
        yield "".join(pieces).strip() or "x"


def _character(rnd: random.Random) -> int:
    while True:
        found = rnd.choice((rnd.randrange(1, 128), rnd.randrange(1, 0x3000), rnd.randrange(1, 0x110000)))
        if not 0xD800 <= found < 0xE000:
            return found


def answer(number: int, text: str, *, twice: bool) -> str:
    """What is made of one text; raises what the reader raises."""
    found = _read(number, text)
    if twice and _read(number, text) != found:
        raise AssertionError("another answer the second time")
    return found


def _read(number: int, text: str) -> str:
    reader = READERS[number % 2]
    phases = reader.read(text)
    told = reader.spans(text) if number % 5 == 0 else []
    if not phases or any(word not in text for phase in phases for word in phase.intent.evidence):
        raise AssertionError("no phase, or evidence that is not in the text")
    return repr((phases, told))


def child(count: int, share: int, of: int) -> int:
    """Prints the digest of every block of its share; share 0 is all of them, twice."""
    bad = 0
    digest = hashlib.sha256()
    for number, text in enumerate(texts(count)):
        block = number // BLOCK
        if share == 0 or of == 0 or block % of == share - 1:
            try:
                found = answer(number, text, twice=share == 0)
            except Exception as error:  # noqa: BLE001  it is what is looked for
                bad += 1
                found = type(error).__name__
                if bad <= _TOLD:
                    print(f"{number}: {type(error).__name__}: {error}: {text[:300]!r}", file=sys.stderr)
            digest.update(found.encode("utf-8", "surrogatepass"))
            if number % BLOCK == BLOCK - 1 or number == count - 1:
                print(block, digest.hexdigest())
                digest = hashlib.sha256()
    return bad


def main() -> int:
    """Starts the children, compares, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--all", action="store_true", help="every child reads every text")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    of = 0 if options.all else options.seeds - 1
    if options.child is not None:
        return 1 if child(options.texts, options.child, of) else 0
    found: dict[str, set[str]] = {}
    failed = 0
    for seed in range(options.seeds):
        command = [sys.executable, __file__, "--texts", str(options.texts), "--seeds", str(options.seeds)]
        command += ["--child", str(seed), *(["--all"] if options.all else [])]
        env = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
        failed += done.returncode != 0
        for line in done.stdout.splitlines():
            block, _, digest = line.partition(" ")
            found.setdefault(block, set()).add(digest)
    different = sorted(int(block) for block, digests in found.items() if len(digests) > 1)
    print(
        f"{options.texts} texts, {options.seeds} hash seeds: {failed} children failed, {len(different)} blocks differ"
    )
    return 1 if failed or different or not found else 0


if __name__ == "__main__":
    raise SystemExit(main())
