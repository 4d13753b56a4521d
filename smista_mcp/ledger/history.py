"""What was decided lately, for one scope or for all."""

from datetime import datetime
from pathlib import Path

from smista_mcp.ledger.database import reading
from smista_mcp.ledger.queries import DECISIONS, within
from smista_mcp.ledger.records import Scope, StoredDecision
from smista_mcp.ledger.spending import timestamp

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

    def page(self, after: int, since: datetime | None, most: int) -> tuple[StoredDecision, ...]:
        """The next decisions of all scopes, oldest first.

        Args:
            after: the position behind which they stand; 0 for the beginning.
            since: only those recorded then or later.
            most: how many at once.
        """
        query = f"{DECISIONS} WHERE sequence > ? AND at >= ? ORDER BY sequence LIMIT ?"
        values = (after, "" if since is None else timestamp(since), most)
        with reading(self._folder, self._busy_s) as db:
            return tuple(StoredDecision(*row) for row in db.execute(query, values))
