"""What dispatches record, written off the event loop: what comes while something is written goes together after it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar, cast

import anyio
import anyio.to_thread

from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import AttemptStart, Ledger, NewTrace, Settlement, SpendingLimit
from smista_mcp.ledger.entries import Entry, SettlementEntry, TraceEntry

T = TypeVar("T")


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

    What it was asked to write is written also where whoever asked is cancelled meanwhile.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._new: dict[str, NewTrace] = {}
        self._waiting: list[_Waiting[object]] = []
        self._writes = False

    def open(self, decision_id: str, at: datetime) -> str:
        """A trace, which is written with the first attempt in it, or when it is closed."""
        trace = NewTrace(secrets.token_hex(16), decision_id, at)
        self._new[trace.trace_id] = trace
        return trace.trace_id

    async def begin(self, trace_id: str, start: AttemptStart, limits: Sequence[SpendingLimit]) -> str:
        """As `Ledger.begin_attempt`."""
        trace = self._new.get(trace_id, trace_id)
        attempt_id = await self._written(self.ledger.attempt(trace, start, limits))
        self._new.pop(trace_id, None)
        return attempt_id

    async def settle(self, attempt_id: str, end: Settlement) -> bool:
        """As `Ledger.settle_attempt`."""
        return await self._written(SettlementEntry(attempt_id, end))

    async def close(self, trace_id: str) -> bool:
        """Writes a trace in which nothing was begun; whether it is written."""
        trace = self._new.pop(trace_id, None)
        if trace is None:
            return True
        try:
            await self._written(TraceEntry(trace))
        except StateUnavailable:
            return False
        return True

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
        self._writes = True
        found: list[object] = []
        try:
            found = await anyio.to_thread.run_sync(self._all, [one.entry for one in batch])
        finally:  # where this task is torn away from the thread, nobody knows what is written
            lost = StateUnavailable("writing to the ledger was broken off")
            for place, one in enumerate(batch):
                one.found.append(found[place] if found else lost)
                one.wake()
            self._writes = bool(self._waiting)  # nobody may come before the one who is woken
            if self._waiting:
                self._waiting[0].wake()

    def _all(self, entries: Sequence[Entry[object]]) -> list[object]:
        try:
            if len(entries) == 1:
                return [self.ledger.write(entries[0])]
            return self.ledger.write_together(entries)
        except Exception as error:  # noqa: BLE001  each of those who asked raises it
            return [error] * len(entries)
