"""What a dispatch records, one step after the other, as the clerk of a dispatch has it written."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from smista_mcp.errors import NotFound
from smista_mcp.ledger import AttemptStart, Ledger, NewTrace, Settlement, SpendingLimit
from smista_mcp.ledger.entries import SettlementEntry, TraceEntry


def open_trace(ledger: Ledger, decision_id: str, at: datetime) -> str:
    """A trace in which nothing was begun yet."""
    trace = NewTrace(secrets.token_hex(16), decision_id, at, place_of(ledger, decision_id))
    ledger.write(TraceEntry(trace))
    return trace.trace_id


def place_of(ledger: Ledger, decision_id: str) -> int | None:
    """Where the decision stands that was recorded last; None where it was not."""
    try:
        return ledger.decision(decision_id).sequence
    except NotFound:
        return None


def begin_attempt(
    ledger: Ledger, trace: NewTrace | str, start: AttemptStart, limits: Sequence[SpendingLimit] = ()
) -> str:
    return ledger.write(ledger.attempt(trace, start, limits))


def settle_attempt(ledger: Ledger, attempt_id: str, end: Settlement) -> bool:
    return ledger.write(SettlementEntry(attempt_id, end))
