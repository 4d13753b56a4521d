"""What was decided lately, for one scope."""

from pathlib import Path

from smista_mcp.ledger.database import reading
from smista_mcp.ledger.queries import DECISIONS, within
from smista_mcp.ledger.records import Scope, StoredDecision

_ENDLESS = 2**63 - 1


class History:
    """The past of one ledger.

    Every method raises `StateUnavailable` where the ledger cannot be read.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    def decisions(self, scope: Scope | None, most: int, before: int | None = None) -> tuple[StoredDecision, ...]:
        """The decisions of a scope, or of all, that were recorded last, newest first.

        Args:
            scope: whose; None for every workspace and caller.
            most: how many.
            before: the sequence number behind which none counts, to go on from an earlier page.
        """
        condition, values = within(scope)
        query = f"{DECISIONS} WHERE sequence < ?{condition} ORDER BY sequence DESC LIMIT ?"
        last = _ENDLESS if before is None else before
        with reading(self._folder, self._busy_s) as db:
            return tuple(StoredDecision(*row) for row in db.execute(query, (last, *values, max(most, 0))))
