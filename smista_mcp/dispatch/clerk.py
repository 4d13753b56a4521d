"""What dispatches record, written off the event loop: what comes while something is written goes together after it."""

import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar, cast

import anyio
import anyio.to_thread

from smista_mcp.errors import Cause, StateUnavailable
from smista_mcp.ledger import AttemptStart, Followup, Ledger, NewTrace, Settlement, SpendingLimit
from smista_mcp.ledger.entries import Entry, FollowupEntry, NoEntry, SettlementEntry, TraceEntry

T = TypeVar("T")
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting(Generic[T]):
    """An entry, and what became of it. Woken without that, whoever waits is the next to write."""

    entry: Entry[T]
    woken: anyio.Event | None = None
    found: list[object] = field(default_factory=list[object])

    def wake(self) -> None:
        if self.woken is not None:
            self.woken.set()


class Clerk:
    """Writes to one ledger for all dispatches of an event loop.

    What it was asked to write is written also where whoever asked is cancelled meanwhile. The end of an attempt that
    cannot be written is kept and written before whatever comes next: until then its reservation counts in full.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._new: dict[str, NewTrace] = {}
        self._waiting: list[_Waiting[object]] = []
        self._unwritten: list[SettlementEntry] = []
        self._noted: list[FollowupEntry] = []
        self._writes = False

    def open(self, decision_id: str, at: datetime, decision: int | None) -> str:
        """A trace, which is written with the first attempt in it, or when it is closed.

        Args:
            decision_id: of the decision that it carries out.
            at: when.
            decision: the place of that decision in the ledger; None where it could not be recorded.
        """
        trace = NewTrace(secrets.token_hex(16), decision_id, at, decision)
        self._new[trace.trace_id] = trace
        return trace.trace_id

    async def begin(self, trace_id: str, start: AttemptStart, limits: Sequence[SpendingLimit]) -> str:
        """Records an attempt before its request leaves, reserves its cost, and gives its id.

        The limits are checked and the cost is reserved in one step: attempts of other threads and processes cannot
        come between, so that no number of them together oversteps a limit.

        Args:
            trace_id: from `open`; a new trace is written in the same step.
            start: what is known before the request leaves.
            limits: the budgets that apply to this attempt.

        Raises:
            BudgetExceeded: a limit has less left than the attempt may cost (`budget_exceeded`), or nobody knows what
                it may cost (`price_unknown`). Nothing is recorded.
            NotFound: no such trace.
            StateUnavailable: the ledger cannot be written.
        """
        trace = self._new.get(trace_id, trace_id)
        attempt_id = await self._written(self.ledger.attempt(trace, start, limits))
        self._new.pop(trace_id, None)
        return attempt_id

    async def settle(self, attempt_id: str, end: Settlement) -> bool:
        """Records how an attempt ended; the first settlement stands, a later one changes nothing.

        Returns:
            whether this settlement is the one that stands.

        Raises:
            NotFound: no such attempt.
            StateUnavailable: the ledger cannot be written; the settlement is kept for the next time that it can.
        """
        entry = SettlementEntry(attempt_id, end)
        try:
            return await self._written(entry)
        except StateUnavailable:
            self._unwritten.append(entry)
            raise

    async def follow_up(
        self, attempt_id: str, followup: Followup | None, *, wait_s: float | None = None, cause: Cause | None = None
    ) -> None:
        """Notes why an attempt was no good and what is done about it, to be recorded with whatever comes next.

        That is the next attempt, or the end of the trace: no charge depends on it.

        Args:
            attempt_id: of the attempt.
            followup: None where nothing is.
            wait_s: seconds before the same model is asked again.
            cause: where the attempt itself ended well.
        """
        self._noted.append(FollowupEntry(attempt_id, followup, wait_s, cause))

    async def close(self, trace_id: str) -> bool:
        """Writes a trace in which nothing was begun, and what was left unwritten; whether the trace is written."""
        trace = self._new.pop(trace_id, None)
        if trace is None:
            await self.catch_up()
            return True
        try:
            await self._written(TraceEntry(trace))
        except StateUnavailable:
            return False
        return True

    async def catch_up(self) -> None:
        """Writes what was left unwritten, as far as that can be done now."""
        if self._unwritten or self._noted:
            with suppress(StateUnavailable):
                await self._written(NoEntry())

    async def _written(self, entry: Entry[T]) -> T:
        own = _Waiting(entry)
        self._waiting.append(cast("_Waiting[object]", own))
        with anyio.CancelScope(shield=True):
            if self._writes:
                own.woken = anyio.Event()
                await own.woken.wait()
            if not own.found:
                await self._write_waiting()
        (found,) = own.found
        if isinstance(found, BaseException):
            raise found
        return cast("T", found)

    async def _write_waiting(self) -> None:
        """Writes all that waits, and wakes whoever asked for it, then one of those who came meanwhile."""
        batch, self._waiting = self._waiting, []
        late, self._unwritten = self._unwritten, []
        noted, self._noted = self._noted, []
        self._writes = True
        found: list[object] = []
        try:
            entries = [*noted, *(one.entry for one in batch)]
            found, left = await anyio.to_thread.run_sync(self._all, late, entries)
            late = late if left else []
            noted = [one for one, what in zip(noted, found, strict=False) if isinstance(what, StateUnavailable)]
            found = found[len(entries) - len(batch) :]
        finally:  # where this task is torn away from the thread, nobody knows what is written
            lost = StateUnavailable("writing to the ledger was broken off")
            self._unwritten, self._noted = [*late, *self._unwritten], [*noted, *self._noted]
            for place, one in enumerate(batch):
                one.found.append(found[place] if found else lost)
                one.wake()
            self._writes = bool(self._waiting)  # nobody may come before the one who is woken
            if self._waiting:
                self._waiting[0].wake()

    def _all(self, late: Sequence[Entry[object]], entries: Sequence[Entry[object]]) -> tuple[list[object], bool]:
        """What became of each entry, and whether the late ones, which are written before them, are still to write."""
        if late:
            try:
                self.ledger.write_together(late)
            except StateUnavailable as error:  # then the others cannot be written either
                return [error] * len(entries), True
            except Exception as error:  # noqa: BLE001  they can never be written, and must not keep others from it
                _LOGGER.error("the ends of %d attempts cannot be recorded: %s", len(late), type(error).__name__)  # noqa: TRY400  words may hold anything
        try:
            if len(entries) == 1:
                return [self.ledger.write(entries[0])], False
            return self.ledger.write_together(entries), False
        except Exception as error:  # noqa: BLE001  each of those who asked raises it
            return [error] * len(entries), False
