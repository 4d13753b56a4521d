"""How the time of a phase is shared out among its requests, so that one does not use up what the next one needs."""

from collections.abc import Generator
from contextlib import contextmanager

import anyio

from smista_mcp.dispatch.payloads import Assignment
from smista_mcp.errors import Cause, Code, ProviderError

LEAST_S = 1.0
"""Seconds without which no further request leaves: it would be cut off before it is answered, and may be charged."""
_LEAST_PART = 0.1
"""The same as a part of a phase's time, where that is so short that this is less."""
_REPAIR_PART = 0.5
"""Of the time that is left, for a repair where a stronger model could be asked after it."""
REPAIR_TIMES = 2
REPAIR_LEAST = 512
"""Tokens of a repair's answer: so many times those of the answer that it mends, and no fewer than this."""


_RAISE = "raise `deadline_s` of the rule or of `[dispatch]`"


@contextmanager
def ending_at(deadline: float, what: str, *, sent: bool) -> Generator[None]:
    """Ends what is done in the block at a deadline on the clock of the event loop.

    Raises:
        ProviderError: `provider_timeout`, with these words, where it had to be ended.
    """
    try:
        with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
            yield
    except TimeoutError:
        raise ProviderError(what, code=Code.PROVIDER_TIMEOUT, fix=_RAISE, sent=sent, cause=Cause.DEADLINE) from None


def least_of(seconds: float) -> float:
    """Seconds without which nothing more is asked in a phase that has so many."""
    return min(LEAST_S, seconds * _LEAST_PART)


def is_late(work: Assignment, deadline: float) -> bool:
    """Whether too little is left of a phase's time for one more request."""
    return anyio.current_time() + work.least_s >= deadline


def check_time(work: Assignment, deadline: float, *, after: int) -> None:
    """Refuses one more request `after` some others where too little is left of the phase's time.

    Raises:
        ProviderError: `provider_timeout`; nothing was sent.
    """
    if after and is_late(work, deadline):
        raise out_of_time()


def out_of_time() -> ProviderError:
    """That nothing was sent because the time was up before."""
    return ProviderError(
        "not asked: the time of the phase was used up before",
        code=Code.PROVIDER_TIMEOUT,
        fix=_RAISE,
        cause=Cause.DEADLINE,
    )


def is_unsent_for_time(error: ProviderError) -> bool:
    """Whether a failure is that the time was up before anything was sent."""
    return error.cause is Cause.DEADLINE and not error.sent


def repair_until(work: Assignment, deadline: float) -> float:
    """By when a repair has to be there: half of what is left is kept for whoever may be asked after it."""
    if not work.routed.escalation:
        return deadline
    now = anyio.current_time()
    return now + (deadline - now) * _REPAIR_PART


def repair_output(written: int | None) -> int | None:
    """Tokens that a repair may take, by what the provider counted of the answer; None where it counted nothing."""
    return None if written is None else max(REPAIR_LEAST, REPAIR_TIMES * written)
