"""How far a piece of work is: kept by the work itself, told to whoever waits for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from smista_mcp.core.costing import actual_cost, usd
from smista_mcp.core.dispatched import ProgressReport
from smista_mcp.core.redaction import redacted
from smista_mcp.core.selection import Candidate
from smista_mcp.core.values import Locality
from smista_mcp.ledger import CostKind

_DEAREST: Final[tuple[CostKind, ...]] = ("local", "plan", "list", "unknown")
"""Of several kinds the last one names the sum."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent.

    Attributes:
        amount: USD as a decimal string, without what nobody knows.
        kind: who pays; `unknown` where nobody knows all of it.
        estimated: whether a request under way is in it, as we count it.
    """

    amount: str
    kind: CostKind
    estimated: bool = False

    def __str__(self) -> str:
        """In words."""
        if self.kind == "unknown":
            return "cost unknown" if self.amount == "0" else f"cost unknown, at least {self.amount} USD"
        return f"cost {'about ' if self.estimated else ''}{self.amount} USD ({self.kind})"


class Bill:
    """The requests of one piece of work: what those that have ended cost, and what the one under way may."""

    def __init__(self) -> None:
        self._sum = Decimal(0)
        self._kinds: set[CostKind] = set()
        self._asked: tuple[Candidate, int] | None = None

    def asked(self, candidate: Candidate, input_tokens: int | None) -> None:
        """A request leaves. `input_tokens` is what it holds, as we count it."""
        self._asked = candidate, input_tokens or 0

    def settled(self, candidate: Candidate, cost: Decimal | None) -> None:
        """It has ended; None where nobody knows what it cost."""
        self._asked = None
        self._kinds.add("unknown" if cost is None else kind_of(candidate))
        self._sum += cost or 0

    def so_far(self, tokens: int) -> Spent | None:
        """What has been spent by now; None where nobody has been asked yet.

        Args:
            tokens: that were written in the request under way.
        """
        kinds, amount = set(self._kinds), self._sum
        if self._asked is not None:
            candidate, given = self._asked
            kinds.add(kind_of(candidate))
            amount += _estimate(candidate, given, tokens)
        if not kinds:
            return None
        return Spent(usd(amount), dearest(kinds), estimated=amount != self._sum)


def dearest(kinds: Iterable[CostKind]) -> CostKind:
    """Of several kinds of payment the one that names the sum: what nobody knows stands above all."""
    return max(kinds, key=_DEAREST.index)


def kind_of(candidate: Candidate) -> CostKind:
    """Who pays for a request to a candidate."""
    return "local" if candidate.locality is Locality.LOCAL else candidate.facts.price_kind


def _estimate(candidate: Candidate, given: int, written: int) -> Decimal:
    """What a request costs whose answer ends here; 0 where nobody pays or nobody knows."""
    if candidate.locality is Locality.LOCAL:
        return Decimal(0)
    cost = actual_cost(
        candidate.facts, input_tokens=given, cached_input_tokens=0, output_tokens=written, reasoning_tokens=0
    )
    return cost or Decimal(0)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        phase: the one under way, from 0; `phases` is how many there are.
        message: what is being done, and on which model.
        tokens: what its model has written so far, as we count it.
        seconds: since the job began.
        spent: by all of its phases so far; None where nobody has been asked yet.
    """

    phase: int
    phases: int
    message: str
    tokens: int
    seconds: float
    spent: Spent | None = None

    def report(self) -> ProgressReport:
        """The same for an answer."""
        spent = self.spent
        known = spent is not None and spent.kind != "unknown"
        return ProgressReport(
            phase=self.phase,
            phases=self.phases,
            message=redacted(self.message),
            tokens=self.tokens,
            seconds=round(self.seconds, 1),
            cost=spent.amount if spent is not None and known else None,
            cost_kind=None if spent is None else spent.kind,
            estimated=spent is not None and spent.estimated,
        )

    def told(self, seconds: float | None = None) -> str:
        """All of it on one line. `seconds` in place of those of the job, for whoever waits for less long."""
        which = f"phase {self.phase + 1} of {self.phases}: " if self.phases > 1 else ""
        tokens = f", {self.tokens} tokens" if self.tokens else ""
        cost = f", {self.spent}" if self.spent else ""
        return f"{which}{self.message}{tokens}, {self.seconds if seconds is None else seconds:.0f} s{cost}"


@dataclass(slots=True)
class Standing:
    """The same as the work itself keeps it: set often, read when somebody wants to know.

    Attributes:
        message: the phase and whom it is with.
        step: what is done of it right now; empty where that goes without saying.
    """

    phase: int = 0
    phases: int = 1
    message: str = "reading the task"
    step: str = ""
    tokens: int = 0
    bill: Bill = field(default_factory=Bill)

    def begin(self, message: str) -> None:
        """Something new begins."""
        self.message, self.step, self.tokens = message, "", 0

    def asked(self, candidate: Candidate, input_tokens: int | None) -> None:
        """A request leaves; as for `Bill.asked`."""
        self.tokens = 0
        self.bill.asked(candidate, input_tokens)

    def progress(self, seconds: float) -> Progress:
        """How far it is after so many seconds."""
        message = f"{self.message}, {self.step}" if self.step else self.message
        return Progress(self.phase, self.phases, message, self.tokens, seconds, self.bill.so_far(self.tokens))
