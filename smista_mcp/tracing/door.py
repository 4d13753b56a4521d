"""The one door to spans. Where nobody listens, going through it costs a look at what is loaded."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from smista_mcp.tracing.noting import NOTHING, Carrier, Facts, Kind, Noting

if TYPE_CHECKING:
    from smista_mcp.tracing.live import Live

_NOTHING = nullcontext(NOTHING)
_ALONE = nullcontext()


def span(
    name: str, kind: Kind, facts: Callable[[], Facts], caller: Carrier | None = None
) -> AbstractContextManager[Noting]:
    """A span around a block, and the parent of those that are made inside.

    No exception is recorded, for its words may repeat what was worked on; one that passes through marks the span as
    failed, by its code.

    Args:
        name: one of few.
        kind: how it stands to other processes.
        facts: attributes that are known from the start, for those who choose by them what is kept.
        caller: the trace to join in place of that of the span under way, to which it is linked then.
    """
    live = _live()
    return _NOTHING if live is None else live.span(name, kind, facts, caller)


def current() -> Noting:
    """The span under way."""
    live = _live()
    return NOTHING if live is None else live.current()


def joined(caller: Carrier) -> AbstractContextManager[None]:
    """The block belongs to the caller's trace, if it has one and no span is under way here."""
    live = _live()
    return _ALONE if live is None else live.joined(caller)


def unseen() -> AbstractContextManager[None]:
    """No instrumentation of an HTTP client sees what is sent in the block.

    It would write the trace into a header of the request. That is something of the user's that leaves without a
    receipt; and by it the receiver could put calls together that have nothing in common for it. This holds also where
    no span is made: a header is written without one, too.
    """
    if "opentelemetry.context" not in sys.modules:
        return _ALONE
    from smista_mcp.tracing.live import unseen  # noqa: PLC0415  loads the library

    return unseen()


def _live() -> "Live | None":
    """None where nobody can have asked for spans: that is done through the library, which is loaded then."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from smista_mcp.tracing.live import live  # noqa: PLC0415  loads the library

    return live()
