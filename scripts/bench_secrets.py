"""Measures the secret scan: short texts, ordinary megabytes, and texts built from the rules to make it work hard.

    python scripts/bench_secrets.py [--rounds N] [--seed N] [--top N]

Prints microseconds of short texts; then, for each kind of text, seconds of process time for a megabyte, how many times
those of its SHA-256 that is, and how they grow from 256 kB. The hostile texts are beginnings, whole samples and
nearly whole samples of every pattern of the package, each repeated as it is and drawn anew, and mixtures of those,
of which a search of some rounds keeps the hardest.
"""

import argparse
import base64
import hashlib
import importlib
import inspect
import json
import random
import sysconfig
import timeit
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any

from smista_mcp.core import redaction
from smista_mcp.core.redaction import redacted
from smista_mcp.core.secretscan import (
    assignments,
    blocks,
    calls,
    chosen,
    commands,
    dummies,
    escapes,
    joints,
    placeholders,
    prose,
    scan,
    scanner,
    secrets_in,
)
from smista_mcp.core.secretscan.assignments import NAMES
from smista_mcp.core.secretscan.findings import MOST_HITS
from smista_mcp.core.secretscan.rules import Lazy
from smista_mcp.core.secretscan.scanner import NEARBY_RULES, RULES

_MEGABYTE = 1_000_000
_QUARTER = 256_000
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SHAPES = (
    *("password=", 'password="', "pwd: ", "://a:", "://", "://a:b1c@d", "-----BEGIN PRIVATE KEY-----\n", "PRIVATE KEY"),
    *("-----END PRIVATE KEY-----", "Private-Lines:", "cookie sid=", "%3A%2F%2F", "authorization: bearer ", "a\n", '"'),
    *("'a'+", 'a"\n"', "curl -u a:", "@tcp(", "a1B2c3D4", "=", ":", "==", '\\"', "\\n", "\\u0022", "--token ", "- -"),
    *("sk-", "_", "a-", "a_b.", "SK", "machine a login b password c", "mysql -p", "token is ", "password: "),
    *("eyJ", "AKIA", "LS0tLS1CRUdJTi", "Z2hwX", "cookie", "key", "key,", "key(", '"key":"', "passpwdsecrettoken"),
    *(
        "login('a',",
        'auth("a","b",',
        'connect "a", ',
        "pw ",
        "password ",
        "a / b ",
        "clave ",
        "echo a | ",
        "net user a ",
    ),
)
_FILLERS = ("", " ", "\n", '"', "aB3", "xB7kQ9", "example", "aB3dE5gH7jK9mN2pQ4rS")
_ENDS = (" ", "\n", '"', "", '"\n', "=", "-", "x")

op: Any = importlib.import_module("re._constants")
sre: Any = importlib.import_module("re._parser")


def seconds(text: str, work: Callable[[str], object] = scan, times: int = 2) -> float:
    """The best process time of some runs."""
    best = 1e9
    for _ in range(times):
        start = process_time()
        work(text)
        best = min(best, process_time() - start)
    return best


# ---------------------------------------------------------------------------------------------------------- ordinary


def _files(folder: Path, ending: str, size: int) -> str:
    parts: list[str] = []
    done = 0
    for file in sorted(folder.rglob(f"*{ending}")):
        parts.append(file.read_text(encoding="utf-8", errors="replace"))
        done += len(parts[-1])
        if done >= size:
            break
    return "".join(parts)


def ordinary(lot: random.Random) -> Iterator[tuple[str, str]]:
    """Names and texts of the kinds that are really read."""
    code = _files(Path(sysconfig.get_path("stdlib")), ".py", _MEGABYTE)
    yield "Python", code
    yield "C", _files(Path(sysconfig.get_path("include")), ".h", _MEGABYTE)
    yield "JavaScript, minified", " ".join(code.split()).replace(": ", ":").replace(" = ", "=").replace(", ", ",")
    yield "JSON of it", json.dumps({"messages": [{"role": "user", "content": code}]})
    words = [word for word in code.split() if word.isalpha()]
    yield "prose", "\n".join(" ".join(lot.choices(words, k=12)).capitalize() + "." for _ in range(15_000))
    locks = (
        {"name": lot.choice(words), "version": f"{lot.randrange(9)}.{lot.randrange(99)}", "integrity": _blob(lot, 64)}
        for _ in range(8_000)
    )
    yield "lock file", json.dumps(list(locks), indent=2)
    yield "base64", "\n".join(_blob(lot, 57) for _ in range(14_000))
    yield "base64 on one line", _blob(lot, 760_000)
    yield (
        "log",
        "\n".join(
            f"2026-11-20T10:{n % 60:02}:07.123Z INFO [req-{lot.randbytes(8).hex()}] GET https://a.example.org/v1/"
            f"{lot.choice(words)}?id={lot.randrange(10**9)} 200 {lot.randrange(900)}ms"
            for n in range(9_000)
        ),
    )
    yield "diff", "".join(f"{lot.choice('+- ')}{line}\n" for line in code.splitlines())
    rows = (
        {"id": lot.randrange(10**6), "key": lot.choice(words), "token": lot.randbytes(4).hex()} for _ in range(9**5)
    )
    yield "JSON of names", json.dumps(list(rows), indent=1)[:_MEGABYTE]
    yield "settings", "".join(f"APP_{lot.choice(words).upper()}_KEY=${{{lot.choice(words)}}}\n" for _ in range(45_000))
    yield "not ASCII", "".join(chr(lot.randrange(0x400, 0x500)) for _ in range(_MEGABYTE))


def _blob(lot: random.Random, size: int) -> str:
    return base64.b64encode(lot.randbytes(size)).decode()


# ----------------------------------------------------------------------------------------------------------- hostile


class Sampler:
    """Draws texts that a pattern matches, near the least length, without looking at what it looks around at."""

    def __init__(self, pattern: str, flags: int, lot: random.Random) -> None:
        self._tree = sre.parse(pattern, flags)
        self._lot = lot

    def __call__(self, more: int) -> str:
        """A text whose repeats go so far beyond their least."""
        return "".join(self._drawn(self._tree, more))

    def _drawn(self, items: Iterable[Any], more: int) -> Iterator[str]:
        for kind, value in items:
            if kind is op.LITERAL:
                yield chr(value)
            elif kind is op.IN:
                yield self._one_of(value)
            elif kind in (op.ANY, op.NOT_LITERAL):
                yield self._lot.choice(_LETTERS)
            elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
                least, most, inner = value
                for _ in range(min(most, least + self._lot.randint(0, more))):
                    yield from self._drawn(inner, more)
            elif kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
                yield from self._drawn(value[-1] if kind is op.SUBPATTERN else value, more)
            elif kind is op.BRANCH:
                yield from self._drawn(self._lot.choice(value[1]), more)
            elif kind is op.GROUPREF_EXISTS:
                yield from self._drawn(value[1], more)

    def _one_of(self, value: Sequence[Any]) -> str:
        if value[0][0] is op.NEGATE:
            return self._lot.choice(_LETTERS)
        kind, one = self._lot.choice(value)
        if kind is op.LITERAL:
            return chr(one)
        return chr(self._lot.randint(*one)) if kind is op.RANGE else self._lot.choice(_LETTERS)


def makers(lot: random.Random) -> Iterator[tuple[str, Callable[[], str]]]:
    """What one piece of a hostile text is: a name, and what makes the next piece."""

    def again(piece: str) -> Callable[[], str]:
        return lambda: piece

    anchors = [anchor for rule in RULES for anchor in rule.anchors]
    words = [word for rule in NEARBY_RULES for word in rule.words]
    heads = [word for word, _ in (*commands.COMMANDS, *commands.CHOSEN)]
    for piece in dict.fromkeys((*anchors, *words, *NAMES, *heads, *_SHAPES)):
        for filler in _FILLERS:
            yield f"{piece}{filler}", again(piece + filler)
        yield (
            f"{piece}<random>",
            lambda piece=piece: piece + "".join(lot.choices(_LETTERS, k=lot.randint(4, 9))) + lot.choice(_ENDS),
        )
    for name, pattern, heads in _patterns():
        sampler = Sampler(pattern, 0, lot)
        for more in (0, 3, 30):
            for cut in (0, 1, 4):

                def drawn(
                    sampler: Sampler = sampler, more: int = more, cut: int = cut, heads: tuple[str, ...] = heads
                ) -> str:
                    piece = sampler(more)
                    return lot.choice(heads) + piece[: max(1, len(piece) - cut)] + lot.choice(_ENDS)

                yield f"{name} +{more} -{cut} <random>", drawn
                yield f"{name} +{more} -{cut}", again(drawn())


def _patterns() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for rule in RULES:
        yield rule.kind, rule.pattern, ("",)
        if rule.back:
            ends = tuple(hashlib.sha256(f"{n}".encode()).hexdigest()[: rule.back] + rule.anchors[0] for n in range(9))
            yield f"{rule.kind}, whole", rule.pattern.removeprefix(rule.anchors[0]), ends
    for rule in NEARBY_RULES:
        yield rule.kind, rule.pattern, (*rule.words, "")
    for module in (
        assignments,
        blocks,
        calls,
        chosen,
        commands,
        dummies,
        escapes,
        joints,
        placeholders,
        prose,
        scanner,
        redaction,
    ):
        for name, value in inspect.getmembers(module):
            if isinstance(value, Lazy):
                yield name, value.pattern, (*NAMES, "", "password")
    for word, command in (*commands.COMMANDS, *commands.CHOSEN):
        yield f"command {word}", command.pattern, (word,)


def text_of(make: Callable[[], str], size: int) -> str:
    """So many characters of pieces."""
    parts: list[str] = []
    done = 0
    while done < size:
        parts.append(make())
        done += len(parts[-1])
    return "".join(parts)[:size]


def expected(make: Callable[[], str], size: int = 8_000) -> float:
    """The seconds of a megabyte as a small part of it tells: no text is searched for more than so many secrets."""
    text = text_of(make, size)
    start = process_time()
    hits = len(scan(text))
    return (process_time() - start) * min(_MEGABYTE / size, MOST_HITS / max(hits, 1))


def hardest(lot: random.Random, rounds: int, top: int) -> list[tuple[str, Callable[[], str]]]:
    """The hardest pieces, and the hardest mixtures of them that some rounds of search find."""
    scan("warm: password=aB3 ghp_ ")
    timed = [(expected(make), name, make) for name, make in makers(lot)]
    timed.sort(key=lambda one: one[0], reverse=True)
    pool = timed[:60]
    for _ in range(rounds):
        (_, name, make), (_, other, also) = lot.choice(pool), lot.choice(timed[:600])

        def mixed(make: Callable[[], str] = make, also: Callable[[], str] = also) -> str:
            return make() + also()

        taken = expected(mixed)
        if taken > pool[-1][0]:
            pool.append((taken, f"{name} & {other}"[:120], mixed))
            pool.sort(key=lambda one: one[0], reverse=True)
            pool.pop()
    return [(name, make) for _, name, make in pool[:top]]


def _row(name: str, text: str, work: Callable[[str], object] = scan) -> float:
    text = text[:_MEGABYTE]
    hashed = seconds(text, lambda text: hashlib.sha256(text.encode("utf-8", "surrogatepass")))
    small, large = seconds(text[:_QUARTER], work), seconds(text, work)
    growth = large / max(small, 1e-6) * _MEGABYTE / 4 / max(1, len(text) / 4)
    print(
        f"{name[:70]!r:74} {len(text):8} {large:7.3f} s {large / hashed:7.0f} x hash   growth {growth:4.1f}", flush=True
    )
    return large * _MEGABYTE / len(text)


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--top", type=int, default=25)
    options.add_argument("--hostile-only", action="store_true")
    chosen = options.parse_args()
    lot = random.Random(chosen.seed)  # noqa: S311 - texts to measure with are no keys
    for text in ("summarize the readme", "refactor the auth middleware, pls 1", "explain src/auth/a.rs and why " * 5):
        best = min(timeit.repeat(lambda text=text: scan(text), number=2000, repeat=5)) / 2000
        print(f"{len(text)} characters: {best * 1e6:.2f} us")
    worst = 0.0
    if not chosen.hostile_only:
        for name, text in ordinary(lot):
            worst = max(worst, _row(name, text))
        code = next(text for name, text in ordinary(lot) if name == "Python")
        _row("Python, redacted", code, redacted)
        print(f"worst of the ordinary: {worst:.3f} s a megabyte")
    worst = 0.0
    for name, make in hardest(lot, chosen.rounds, chosen.top):
        text = text_of(make, _MEGABYTE)
        worst = max(worst, _row(name, text))
        for work in (redacted, secrets_in):
            taken = seconds(text, work, times=1)
            if taken > 0.5:
                print(f"    {work.__name__}: {taken:.3f} s")
    print(f"worst of the hostile: {worst:.3f} s a megabyte")


if __name__ == "__main__":
    main()
