"""No text makes a pattern of the secret scan work long: every pattern is read, and none can go back and forth."""

import importlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from smista_mcp.core import redaction
from smista_mcp.core.secretscan import (
    assignments,
    blocks,
    calls,
    chosen,
    commands,
    dummies,
    escapes,
    facts,
    joints,
    placeholders,
    prose,
    scan,
    scanner,
)
from smista_mcp.core.secretscan.rules import Lazy
from smista_mcp.core.secretscan.scanner import BOUNDARY, NEARBY_RULES, RULES

op: Any = importlib.import_module("re._constants")
sre: Any = importlib.import_module("re._parser")


def patterns() -> Iterator[tuple[str, str]]:
    for rule in (*RULES, *NEARBY_RULES):
        yield rule.kind, BOUNDARY + rule.pattern
    read = (assignments, blocks, calls, chosen, commands, dummies, escapes, facts, joints, placeholders, prose, scanner)
    for module in (*read, redaction):
        for name, value in inspect.getmembers(module):
            if isinstance(value, Lazy):
                yield f"{module.__name__}.{name}", value.pattern
    for word, command in (*commands.COMMANDS, *commands.CHOSEN):
        yield f"command {word}", command.pattern


def _first(item: Any) -> frozenset[int] | None:
    """The characters with which an item may begin; None where that is not plain to see."""
    kind, value = item
    if kind is op.LITERAL:
        return frozenset({value})
    if kind is op.IN and all(one[0] in (op.LITERAL, op.RANGE) for one in value):
        return frozenset(c for k, v in value for c in ([v] if k is op.LITERAL else range(v[0], v[1] + 1)))
    return None


def _ways(items: Sequence[Any]) -> int:
    """At most so many ways to match at one place, tried one after the other; an endless one is refused."""
    total = 1
    for kind, value in items:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, inner = value
            assert most is not op.MAXREPEAT, "endless, and it gives back"
            total *= (most - least + 1) * _ways(inner) ** (most if most < 1000 else 1)
            assert most < 1000 or _ways(inner) == 1, "a long repeat of a group"
        elif kind is op.SUBPATTERN:
            total *= _ways(value[-1])
        elif kind is op.BRANCH:
            inner = [_ways(branch) for branch in value[1]]
            heads = [_first(branch[0]) if len(branch) else None for branch in value[1]]
            known = [head for head in heads if head is not None]
            apart = len(known) == len(heads) and len({char for head in known for char in head}) == sum(map(len, known))
            total *= max(inner) if apart else sum(inner)
        elif kind is op.GROUPREF_EXISTS:
            total *= max(_ways(value[1]), _ways(value[2] or ()))
        elif kind in (op.POSSESSIVE_REPEAT, op.ATOMIC_GROUP):
            inner = value[2] if kind is op.POSSESSIVE_REPEAT else value
            single = kind is op.ATOMIC_GROUP or (len(inner) == 1 and inner[0][0] not in (op.SUBPATTERN, op.BRANCH))
            assert single, "a possessive repeat of a group, which is broken before Python 3.11.5"
            if kind is op.ATOMIC_GROUP and inner[-1][0] is op.MAX_REPEAT:
                inner = [*inner[:-1], *inner[-1][1][2]]  # nothing behind it in the group asks it to give back
            assert _ways(inner) <= 50, "work inside what gives nothing back"
    return total


@pytest.mark.parametrize(("name", "pattern"), list(patterns()))
def test_no_pattern_can_be_made_to_work_long_at_one_place(name: str, pattern: str) -> None:
    assert _ways(sre.parse(pattern)) <= 20_000, name


@pytest.mark.parametrize("pattern", ["(a+)+b", "(?:a|ab|b){1,40}c", "[a-z]*x", "a{0,300}a{0,300}b", "(?:ab){1,3}+"])
def test_that_test_refuses_what_goes_back_and_forth(pattern: str) -> None:
    with pytest.raises(AssertionError):
        assert _ways(sre.parse(pattern)) <= 20_000


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "password=",
            'secret="',
            "://a:",
            "AKIA",
            "eyJa.",
            "sk-",
            "-----BEGIN PRIVATE KEY-----",
            "PRIVATE KEY",
            "a\n",
        ),
        *("'a'+", "cookie sid=", "authorization: bearer a", "%3A%2F%2F", "twilio ", "machine ", "token is ", "@tcp("),
        *("Q~8Q~", ":AA", "AZDO", "NRAL/", "-eyJ", "Private-Lines:", "-----END PRIVATE KEY-----", "\\/", "\\u0041"),
        *(
            "authorization:aB3",
            "password=aB3",
            "machine login a password foo ",
            "pass_=",
            "BEGIN OpenVPN Static key V1-----",
            "login('a',",
            'auth("a","b",',
            "password ",
            "echo a | ",
            "key: { ",
            "a / b ",
            "clave ",
        ),
    ],
)
def test_a_text_of_nothing_but_beginnings_ends_in_time(piece: str) -> None:
    scan(piece * (200_000 // len(piece)))  # quadratic work would not end within the test's time-out


def test_what_cannot_be_judged_any_more_counts_as_secret() -> None:
    """Every value reaches over all that follow: each is judged as far as the measure goes, then no more."""
    hits = scan("authorization:example" * 20_000)
    assert {hit.kind for hit in hits} == {"authorization_header"}
    assert hits[-1].end == 20_000 * len("authorization:example")
    assert scan("authorization:example" * 3) == ()


@pytest.mark.parametrize("piece", ["pw=pw ", "key=", "token:"])
def test_names_that_reach_over_each_other_count_as_secrets_in_the_end(piece: str) -> None:
    assert {hit.kind for hit in scan(piece * 60_000)} != set()
    assert scan(piece * 3) == ()


def test_a_text_of_very_many_secrets_is_one() -> None:
    text = "".join(f"pwd=aB{n}xYz\n" for n in range(3000))
    assert [(hit.kind, hit.start, hit.end) for hit in scan(text)] == [("too_many_secrets", 0, len(text))]
    assert redaction.redacted(text) == redaction.REDACTED
    assert len(scan(text[:1000])) == text[:1000].count("\n")
