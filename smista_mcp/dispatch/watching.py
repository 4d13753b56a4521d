"""What a call knows of itself, gathered for the check at egress where things are read and answered."""

from collections.abc import Sequence

from smista_mcp.core.clearance import Bounds
from smista_mcp.core.digests import digest_of
from smista_mcp.core.pieces import Piece, sendable
from smista_mcp.core.redaction import shown
from smista_mcp.core.values import Grant
from smista_mcp.dispatch.payloads import Assignment
from smista_mcp.dispatch.prompts import FRAMES
from smista_mcp.providers.egress import Watch


def watch_over(bounds: Bounds, known: Sequence[Piece], work: Assignment) -> Watch:
    """What the check at egress goes by in one request.

    Args:
        bounds: patterns, what the policy allows, what a person has released.
        known: what the whole call has read or been answered.
        work: the phase.
    """
    least, denied = work.routed.floor, bounds.guard.remote_mode is Grant.DENY
    stays = (*(least.reasons if least.local else ()), *(("the policy denies remote models",) if denied else ()))
    stays += tuple(f"it builds on what rule `{shown(name)}` keeps here" for name in work.bound.local)
    return Watch(
        unsendable=bounds.guard.unsendable,
        allowed=bounds.scans.allowed,
        words=frozenset({digest_of(sendable(work.routed.phase.text))}),
        frames=FRAMES,
        known=(*known, *work.pieces, *work.answers),
        named=[path.forms or (path.path,) for path in work.context.paths if path.required],
        stays=stays,
        released=bounds.released,
        cache_key=work.outlook.key,
    )
