"""Providers that failed several times in a row are left alone for a moment; then one request tries them.

The state is that of one process, shared by all of its calls. What we refuse ourselves says nothing of a provider.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from smista_mcp.dispatch.reactions import reaction
from smista_mcp.errors import Code, ProviderError

FAILURES = 5
"""Failures in a row after which a provider is left alone."""
REST_S = 30.0


@dataclass(slots=True)
class _Standing:
    failures: int = 0
    until: float | None = None
    probed: bool = False


@dataclass(slots=True)
class Visit:
    """One attempt at a provider; `went` is told how it ended."""

    _end: Callable[[ProviderError | None], None]

    def went(self, error: ProviderError | None) -> None:
        """Notes the end: None for an answer."""
        self._end(error)


@dataclass(slots=True)
class Cooldowns:
    """How the providers of this process are.

    Attributes:
        ticks: seconds on a clock that never jumps.
    """

    ticks: Callable[[], float]
    _known: dict[str, _Standing] = field(default_factory=dict[str, _Standing])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cooled(self) -> frozenset[str]:
        """The providers that no call should choose now."""
        with self._lock:
            return frozenset(name for name, one in self._known.items() if self._rests(one))

    @contextmanager
    def visit(self, provider: str) -> Generator[Visit]:
        """One attempt; behind a rest the first one is the probe, and the others wait for what becomes of it.

        Raises:
            ProviderError: `provider_cooldown`: it rests; nothing was sent.
        """
        with self._lock:
            one = self._known.setdefault(provider, _Standing())
            if self._rests(one):
                raise ProviderError("failed repeatedly and is left alone for a moment", code=Code.PROVIDER_COOLDOWN)
            probing = one.probed = one.until is not None
        try:
            yield Visit(lambda error: self._note(one, error))
        finally:
            if probing:
                with self._lock:
                    one.probed = False

    def _rests(self, one: _Standing) -> bool:
        return one.until is not None and (one.probed or self.ticks() < one.until)

    def _note(self, one: _Standing, error: ProviderError | None) -> None:
        health = "up" if error is None else reaction(error).health
        with self._lock:
            if health == "up":
                one.failures, one.until = 0, None
            elif health == "down":
                one.failures += 1
                if one.failures >= FAILURES:
                    one.until = self.ticks() + REST_S
