"""What attempts on record have come to, for whoever tells of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from smista_mcp.core.costing import plain
from smista_mcp.errors import Cause
from smista_mcp.ledger import StoredAttempt

_CAUSES: Final = frozenset(map(str, Cause))


def cost_of(attempts: Sequence[StoredAttempt]) -> str | None:
    """USD of all of them; None where that of one is not known, or there are none."""
    known = [Decimal(one.cost) for one in attempts if one.cost is not None]
    return plain(sum(known, Decimal(0))) if known and len(known) == len(attempts) else None


def cause_of(attempt: StoredAttempt) -> Cause | None:
    """Why it was no good; None where it was, where it goes on, and for a cause of a later version."""
    return Cause(attempt.cause) if attempt.cause in _CAUSES else None
