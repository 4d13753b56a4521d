"""A person's yes is spent once: whoever sends because of it claims it first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import anyio.to_thread

from smista_mcp.core.approval import Permit
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.errors import Code, NotFound, ProviderError, StateUnavailable
from smista_mcp.ledger.approvals import ApprovalBook


@dataclass(slots=True)
class Claims:
    """What one dispatch has claimed. All its retries and fallbacks go on one claim.

    Attributes:
        book: None where approvals cannot be read: then there are none.
        now: gives aware times in UTC; with the book.
    """

    book: ApprovalBook | None = None
    now: Callable[[], datetime] | None = None
    _held: set[str] = field(default_factory=set[str])

    def check(self, routed: Routed, candidate: Candidate) -> None:
        """Refuses a candidate that needs a yes which nobody gave.

        Raises:
            ProviderError: `approval_required`; nothing was sent.
        """
        if candidate.needs_approval and not _covers(routed.permit, candidate):
            raise ProviderError(
                "a person has to approve what goes to a remote model",
                code=Code.APPROVAL_REQUIRED,
                fix="approve it, or name a local model in the route",
            )

    async def spend(self, routed: Routed, candidate: Candidate, trace_id: str | None) -> None:
        """Claims the yes that a candidate is asked because of, before anything is sent.

        Raises:
            ProviderError: `approval_required`: it was spent, taken back or is over, or that cannot be told.
        """
        permit = routed.permit
        if permit is None or not _covers(permit, candidate) or permit.approval_id in self._held:
            return
        if not await anyio.to_thread.run_sync(self._spent, permit.approval_id, trace_id):
            raise ProviderError(
                "what was approved has been used already, was taken back or is over",
                code=Code.APPROVAL_REQUIRED,
                fix="approve it once more",
            )
        self._held.add(permit.approval_id)

    def _spent(self, approval_id: str, trace_id: str | None) -> bool:
        try:
            return bool(self.book and self.now and self.book.use(approval_id, trace_id, self.now()))
        except (StateUnavailable, NotFound):
            return False


def _covers(permit: Permit | None, candidate: Candidate) -> bool:
    return permit is not None and candidate.resolved in permit.models
