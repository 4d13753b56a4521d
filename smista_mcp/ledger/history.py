"""What was decided lately, for one scope."""

from pathlib import Path

from smista_mcp.ledger.database import reading
from smista_mcp.ledger.queries import DECISIONS, within
from smista_mcp.ledger.records import Scope, StoredDecision


class History:
    """The past of one ledger.

    Every method raises `StateUnavailable` where the ledger cannot be read.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    def decisions(self, scope: Scope, most: int) -> tuple[StoredDecision, ...]:
        """The decisions of a scope that were recorded last, newest first."""
        condition, values = within(scope)
        query = f"{DECISIONS} WHERE TRUE{condition} ORDER BY sequence DESC LIMIT ?"
        with reading(self._folder, self._busy_s) as db:
            return tuple(StoredDecision(*row) for row in db.execute(query, (*values, max(most, 0))))
