"""Evidence: how often each model did a kind of work well for a host, and when that tells two models apart. Pure.

What counts as well done is what a person said of it, or else what the provider reported; `ledger.outcomes` counts. Two
models are told apart by the score interval of Wilson (E. B. Wilson, "Probable inference, the law of succession, and
statistical inference", Journal of the American Statistical Association 22, 1927, pages 209 to 212) at 95 %: with `s` of
`n` attempts good and z = 1.96, its ends are

    (s + z²/2 ± z √(s (n - s)/n + z²/4)) / (n + z²)

A model is weak beside another where the upper end of its interval lies below the lower end of the other's. All of it is
decimal arithmetic of a fixed precision, rounded to four places, so that every machine finds the same figures.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Final, Literal, NamedTuple, cast

from smista_mcp.core.values import FAMILY, Intent
from smista_mcp.errors import Cause

Z: Final = Decimal("1.96")
"""How many standard errors a bound is away: 95 % of a normal distribution lie between two such bounds."""
_EXACT: Final = Context(prec=50, rounding=ROUND_HALF_EVEN)
_PLACES: Final = Decimal("0.0001")
_VERSION: Final = 1
UNABLE: Final = frozenset({Cause.EMPTY, Cause.ONLY_THOUGHT, Cause.LENGTH, Cause.REFUSAL, Cause.PATCH, Cause.TOO_LONG})
"""What speaks against a model. Every other cause is one of servers, networks, accounts, or ours."""


def reported(status: str, cause: str | None, cut: str | None = None) -> Literal["good", "bad"] | None:
    """How an attempt went, by its end as the provider reported it; None where that says nothing of its model.

    Args:
        status: of the attempt.
        cause: why it was no good; None where nothing was wrong.
        cut: what ended the answer before it was whole: `length`, of which nobody knows whether it was enough, or
            `content_filter`.
    """
    if cause is not None:
        return "bad" if cause in UNABLE else None
    if cut is not None:
        return "bad" if cut == "content_filter" else None
    return "good" if status == "completed" else None


class Bounds(NamedTuple):
    """Between which shares of good attempts the truth lies, with four decimal places."""

    lower: Decimal
    upper: Decimal


class Count(NamedTuple):
    """Judged attempts of one model."""

    good: int = 0
    bad: int = 0

    @property
    def judged(self) -> int:
        return self.good + self.bad

    @property
    def bounds(self) -> Bounds:
        return wilson(self.good, self.bad)

    def __str__(self) -> str:
        return f"{self.good} of {self.judged} good"


class Cell(NamedTuple):
    """What was counted of one model for one intent and one host.

    Attributes:
        model: as policies write it.
        intent: as it was decided, refinements by themselves.
        said: how many of these attempts a person has judged.
    """

    model: str
    intent: str
    host: str
    good: int
    bad: int
    said: int = 0


@lru_cache(maxsize=4096)
def wilson(good: int, bad: int) -> Bounds:
    """The interval for so many good and so many bad attempts; everything is possible where there are none."""
    tried, z = Decimal(good + bad), Z
    if not tried:
        return Bounds(Decimal("0.0000"), Decimal("1.0000"))
    at = _EXACT
    square = at.multiply(z, z)
    middle = at.add(Decimal(good), at.divide(square, Decimal(2)))
    spread = at.divide(at.multiply(Decimal(good), Decimal(bad)), tried)
    half = at.multiply(z, at.sqrt(at.add(spread, at.divide(square, Decimal(4)))))
    whole = at.add(tried, square)
    ends = (at.divide(at.subtract(middle, half), whole), at.divide(at.add(middle, half), whole))
    lower, upper = (max(Decimal(0), min(Decimal(1), end)).quantize(_PLACES, context=at) for end in ends)
    return Bounds(lower, upper)


def is_better(one: Count, other: Count, least: int) -> bool:
    """Whether one model is shown to do better than another.

    `least` judged attempts speak against the other, and as many good ones for the one: were its bad ones enough to make
    it known, a further failure could bring it forward.

    Args:
        one: that might stand before the other.
        other: that might be weak.
        least: how many attempts are enough.
    """
    if other.judged < least or one.good < least:
        return False
    return other.bounds.upper < one.bounds.lower


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was counted up to a day; the same counts have the same hash everywhere.

    Attributes:
        until: the UTC day before which attempts began, `YYYY-MM-DD`.
        window_days: how many days before it count.
        cells: in order of host, intent and model.
    """

    until: str
    window_days: int
    cells: tuple[Cell, ...] = ()
    _sums: Mapping[tuple[str, str, str], Count] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sums: dict[tuple[str, str, str], Count] = {}
        for cell in self.cells:
            key = (cell.model, family_of(cell.intent), cell.host)
            known = sums.get(key, Count())
            sums[key] = Count(known.good + cell.good, known.bad + cell.bad)
        object.__setattr__(self, "_sums", sums)

    @classmethod
    def of(cls, until: str, window_days: int, cells: Iterable[Cell]) -> "Evidence":
        """Evidence of cells in any order."""
        return cls(until, window_days, tuple(sorted(cells, key=lambda cell: (cell.host, cell.intent, *cell))))

    @classmethod
    def read(cls, body: str) -> "Evidence":
        """What `body` was made of.

        Raises:
            ValueError: it is no evidence that this version knows.
        """
        raw = cast("Mapping[str, object]", json.loads(body))
        if not isinstance(raw, dict) or raw.get("version") != _VERSION:
            raise ValueError("evidence of another version")
        rows = cast("Sequence[Sequence[object]]", raw["cells"])
        cells = [Cell(*cast("tuple[str, str, str, int, int, int]", tuple(row))) for row in rows]
        return cls.of(cast("str", raw["until"]), cast("int", raw["window_days"]), cells)

    @property
    def body(self) -> str:
        """Canonical JSON."""
        whole = {"cells": self.cells, "until": self.until, "version": _VERSION, "window_days": self.window_days}
        return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @property
    def digest(self) -> str:
        """128 bits of SHA-256 over the body, in hex, as every input of a decision is hashed."""
        return hashlib.sha256(self.body.encode()).hexdigest()[:32]

    def count(self, model: str, intent: Intent, host: str) -> Count:
        """What a model did for a host, over the whole family of an intent."""
        return self._sums.get((model, FAMILY[intent].value, host), Count())

    @property
    def sums(self) -> Mapping[tuple[str, str, str], Count]:
        """Model, family and host -> what was counted."""
        return self._sums


NO_EVIDENCE: Final = Evidence("", 0)
"""What there is where nothing was counted, or nobody can tell what was."""


def family_of(intent: str) -> str:
    """The family of an intent by name; one that this version does not know is its own."""
    return FAMILY[Intent(intent)].value if intent in _INTENTS else intent


_INTENTS: Final = frozenset(map(str, Intent))
