"""How much of the door one caller may take up."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass

MOST_KNOWN = 4096
"""Callers that are remembered; the one that was quiet for longest is forgotten first."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rate:
    """So many a minute for each caller, a quarter of which may come at once after a pause.

    Args:
        a_minute: how many.
        ticks: seconds on a clock that never jumps.
    """

    def __init__(self, a_minute: int, ticks: Callable[[], float]) -> None:
        self._each_s = a_minute / 60
        self._most = max(1.0, a_minute / 4)
        self._ticks = ticks
        self._known: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, who: str) -> float:
        """Takes one; 0 where it may come in, else the seconds until it may, and nothing is taken."""
        now = self._ticks()
        bucket = self._known.get(who) or _Bucket(self._most, now)
        self._known[who] = bucket
        self._known.move_to_end(who)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        bucket.left = min(self._most, bucket.left + (now - bucket.at) * self._each_s)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return 0.0
        return (1 - bucket.left) / self._each_s


class AtOnce:
    """How many of something each holds at the same time, against a limit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}

    def has_room(self, who: str, more: int = 1) -> bool:
        return self._held.get(who, 0) + more <= self._most

    def take(self, who: str, more: int = 1) -> None:
        self._held[who] = self._held.get(who, 0) + more

    def give_back(self, who: str, less: int = 1) -> None:
        left = self._held[who] - less
        if left:
            self._held[who] = left
        else:
            del self._held[who]

    @contextmanager
    def taken(self, who: str) -> Generator[None]:
        """One of them, until the block ends."""
        self.take(who)
        try:
            yield
        finally:
            self.give_back(who)


class Sessions:
    """Sessions of the handshake era that each caller has open, as far as its requests show.

    Args:
        most: of one caller.
        idle_s: seconds without a request after which a session counts as ended.
        ticks: as in `Rate`.
    """

    def __init__(self, most: int, idle_s: float, ticks: Callable[[], float]) -> None:
        self._most = most
        self._idle_s = idle_s
        self._ticks = ticks
        self._known: dict[str, OrderedDict[str, float]] = {}
        self._coming: dict[str, int] = {}

    def has_room(self, who: str) -> bool:
        """Whether one more may begin, also where all that are about to begin do."""
        sessions = self._known.get(who, OrderedDict[str, float]())
        now = self._ticks()
        while sessions and now - next(iter(sessions.values())) > self._idle_s:
            sessions.popitem(last=False)
        return len(sessions) + self._coming.get(who, 0) < self._most

    def expect(self, who: str) -> None:
        """Counts one that may begin, until it is `settled`."""
        self._coming[who] = self._coming.get(who, 0) + 1

    def settled(self, who: str) -> None:
        self._coming[who] -= 1

    def of_others(self, active: Collection[str]) -> list[tuple[str, str]]:
        """Caller and session of all that are not of these callers."""
        return [(who, session) for who, known in self._known.items() if who not in active for session in known]

    def begun(self, who: str, session: str) -> None:
        self._known.setdefault(who, OrderedDict())[session] = self._ticks()

    def used(self, who: str, session: str) -> None:
        sessions = self._known.get(who)
        if sessions is not None and session in sessions:
            sessions[session] = self._ticks()
            sessions.move_to_end(session)

    def ended(self, who: str, session: str) -> None:
        if who in self._known:
            self._known[who].pop(session, None)
