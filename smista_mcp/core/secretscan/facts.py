"""What is told of a secret: its kind, its line and a fingerprint, never its value."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.core.secretscan.escapes import unescaped
from smista_mcp.core.secretscan.placeholders import entropy
from smista_mcp.core.secretscan.rules import Hit, Lazy
from smista_mcp.core.secretscan.scanner import scan

FINGERPRINT = r"[a-z0-9_]{3,60}-[0-9a-f]{16}\Z"
"""How a fingerprint is written: the kind, a dash, 16 digits. With a colon it would read like a secret and its name."""

_UNGUESSABLE_BITS = 60
_TOLD = 3
_NAMELESS = "too easy to guess to have a fingerprint, so it cannot be allowed: put a placeholder in its place"


class SecretFact(NamedTuple):
    """A secret that was found.

    Attributes:
        line: from 1; 0 where it stands in a name.
        fingerprint: what `[secrets] allow` calls it; None for a value that could be guessed from one.
        file: of which file, where the text tells of several, as it may be shown.
    """

    kind: str
    line: int
    fingerprint: str | None = None
    file: str | None = None


def fingerprint(kind: str, value: str) -> str | None:
    """A name for one value that can be written down.

    It is 64 bits of an unkeyed SHA-256, so that a list of them holds on every machine of a team. From a value that was
    drawn by lot it reveals nothing that anybody could use: to find the value again means trying more of them than
    anybody can. A password of a person can be found in a list of likely ones by its fingerprint, so it has none.
    A value has the same one however it is escaped, and a key block however its lines end and are set in.
    """
    value = unescaped(value)
    if kind in _ARMOURED:
        value = _BETWEEN().sub("", value)
    return _hashed(kind, value)


def _hashed(kind: str, value: str) -> str | None:
    if entropy(value) * len(value) < _UNGUESSABLE_BITS or (kind in _CHOSEN_BY_PEOPLE and len(value) < 20):
        return None
    named = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
    return f"{kind}-{hashlib.sha256(named).hexdigest()[:16]}"


_CHOSEN_BY_PEOPLE = frozenset({"assigned_password", "url_password", "command_password", "netrc_password"})
_ARMOURED = frozenset({"private_key"})
_BETWEEN = Lazy(r"[^A-Za-z0-9/=]++")
"""What may stand between the characters of a key block, and `+` and `-`, of which joints are made too."""


def secrets_in(text: str, allowed: frozenset[str] = frozenset()) -> tuple[SecretFact, ...]:
    """The secrets of a text without those that the policy allows by their fingerprint."""
    return tuple(fact for fact, _, _ in placed_secrets(text, allowed))


def placed_secrets(text: str, allowed: frozenset[str] = frozenset()) -> tuple[tuple[SecretFact, int, int], ...]:
    """As `secrets_in`, each with where it begins and the place behind its end."""
    hits = scan(text)
    found = ((_fact(text, hit, allowed), hit.start, hit.end) for hit in hits)
    return tuple((fact, start, end) for fact, start, end in found if fact is not None) if hits else ()


def is_allowed(kind: str, value: str, allowed: frozenset[str]) -> bool:
    """Whether fingerprints hold that of a value, be it as they once were: of the value as it stands."""
    return fingerprint(kind, value) in allowed or _hashed(kind, value) in allowed


def _fact(text: str, hit: Hit, allowed: frozenset[str]) -> SecretFact | None:
    """What is told of a hit; None where the policy allows it."""
    value = text[hit.start : hit.end]
    if allowed and is_allowed(hit.kind, value, allowed):
        return None
    return SecretFact(hit.kind, hit.line, fingerprint(hit.kind, value))


def secrets_of_phases(
    text: str, phases: Sequence[str], allowed: frozenset[str] = frozenset()
) -> tuple[tuple[SecretFact, ...], ...]:
    """The secrets in the words of each phase; where some are lost in between, each phase has those of the whole text.

    Args:
        text: all words of a task.
        phases: those of each phase.
        allowed: fingerprints that the policy allows.
    """
    whole = secrets_in(text, allowed)
    if not whole:
        return ((),) * len(phases)
    parts = tuple(secrets_in(phase, allowed) if phase != text else whole for phase in phases)
    return parts if sum(map(len, parts)) >= len(whole) else (whole,) * len(phases)


def told(facts: Sequence[SecretFact]) -> str:
    """In words: `holds a secret: github_token in line 3 (fingerprint github_token-0123456789abcdef)`."""
    words = [_told(fact) for fact in facts[:_TOLD]]
    more = len(facts) - _TOLD
    if more > 0:
        words.append(f"{more} more")
    return f"holds {'a secret' if len(facts) == 1 else 'secrets'}: {', '.join(words)}"


def _told(fact: SecretFact) -> str:
    where = f"{fact.kind} in line {fact.line}" if fact.line else f"{fact.kind} in its name"
    if fact.file is not None:
        where = f"{where} of {fact.file}" if fact.line else f"{fact.kind} above the lines of {fact.file}"
    return f"{where} (fingerprint {fact.fingerprint})" if fact.fingerprint else f"{where} ({_NAMELESS})"
