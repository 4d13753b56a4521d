"""What of the context goes to one model: all that is required, and of the rest what may go and fits."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from smista_mcp.core.decision import ContextEntry, ContextReport, context_entry
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.redaction import shown
from smista_mcp.core.secretscan import told
from smista_mcp.core.tokens import count_tokens


class Fitted(NamedTuple):
    """The context for one target.

    Attributes:
        included: places in the phase's list of items.
        tokens: words and included items, with the model's own factor.
        fits: false where the required part alone is over the room.
        spare: tokens of the model that are left beside the required part and our own words around it.
    """

    included: tuple[int, ...]
    tokens: int
    fits: bool
    report: ContextReport
    spare: int = 0


FRAME_TOKENS = 128
"""No fewer than our own words in a prompt have; `ITEM_TOKENS` beside the name of each item of it."""
ITEM_TOKENS = 16
FRAMED_ROOM = 128
"""So many tokens more than words and items may have, they may have with our own words around them."""
UNNAMED = "left out like those above"
"""The reason of an entry `N more`, which stands for as many that were not named."""
_NOTHING = ContextReport.model_construct()
LISTED = 20
"""Items of each kind that a printed report names; hosts cut long results, and the decision would be lost."""


def listed(report: ContextReport) -> ContextReport:
    """A report as it is printed: the first items of each list, then how many more there are."""
    if len(report.included) <= LISTED and len(report.excluded) <= LISTED:
        return report
    return ContextReport(
        included=_first(report.included, "included like those above"),
        excluded=_first(report.excluded, UNNAMED),
    )


def _first(entries: tuple[ContextEntry, ...], reason: str) -> tuple[ContextEntry, ...]:
    rest = entries[LISTED:]
    if not rest:
        return entries
    count = sum(_counted(entry) for entry in rest)
    more = context_entry(f"{count} more", rest[0].kind, sum(entry.tokens or 0 for entry in rest), reason)
    return (*entries[:LISTED], more)


def _counted(entry: ContextEntry) -> int:
    """How many an entry stands for: one that was collected as a count stands for as many."""
    number, _, word = entry.path.partition(" ")
    return int(number) if entry.reason == UNNAMED and word == "more" and number.isdecimal() else 1


def fit(context: PhaseContext, withheld: Mapping[int, str], text_tokens: int, factor: float, room: int) -> Fitted:
    """Chooses the items for a target. `withheld` are those that it must not get, with the reason."""
    spare = room + FRAMED_ROOM - math.ceil((text_tokens + FRAME_TOKENS) * factor)
    if not context.items and not context.left_out:
        tokens = math.ceil(text_tokens * factor)
        return Fitted((), tokens, tokens <= room and spare >= 0, _NOTHING, spare)
    required = [i for p, i in enumerate(context.items) if i.required and p not in withheld]
    spare -= math.ceil(sum(i.tokens + ITEM_TOKENS + count_tokens(i.path) for i in required) * factor)
    needed = text_tokens + sum(i.tokens for i in required)
    inferred = {fact.path: fact.evidence for fact in context.paths if fact.source == "inferred"}
    included: list[int] = []
    entries: list[ContextEntry] = []
    excluded: list[ContextEntry] = []
    for place, item in enumerate(context.items):
        reason = withheld.get(place)
        if reason is None and not item.required:
            if math.ceil((needed + item.tokens) * factor) <= room:
                needed += item.tokens
            else:
                reason = "does not fit the model's window"
        if reason is not None:
            excluded.append(context_entry(item.path, item.kind, item.tokens, reason))
            continue
        included.append(place)
        why = "required" if item.required else "helpful"
        if item.path in inferred:
            why = f"{why}, inferred from `{shown(inferred[item.path])}`"
        entries.append(context_entry(item.path, item.kind, item.tokens, why))
    excluded.extend(context_entry(gone.path, gone.kind, gone.tokens, gone.reason) for gone in context.left_out)
    tokens = math.ceil(needed * factor)
    report = ContextReport(included=tuple(entries), excluded=tuple(excluded))
    return Fitted(tuple(included), tokens, tokens <= room and spare >= 0, report, spare)


def _why_it_stays(restricted: str | None) -> str:
    return "no model was chosen" if restricted is None else f"restricted by `{restricted}`"


def unsent(context: PhaseContext) -> ContextReport:
    """The report where nobody is chosen: everything stays."""
    stays = [context_entry(i.path, i.kind, i.tokens, _why_it_stays(i.restricted)) for i in context.items]
    gone = [context_entry(g.path, g.kind, g.tokens, g.reason) for g in context.left_out]
    return ContextReport(excluded=(*stays, *gone))


def for_host(context: PhaseContext, withheld: Mapping[int, str]) -> ContextReport:
    """What a host that does the phase is pointed to: nothing that must not go to it, or that is restricted in any way.

    Args:
        context: of the phase.
        withheld: the items that it must not get, with the reason.
    """
    included: list[ContextEntry] = []
    excluded: list[ContextEntry] = []
    for place, item in enumerate(context.items):
        reason = withheld.get(place)
        if item.restricted is not None or item.secrets:
            reason = reason or (f"restricted by `{item.restricted}`" if item.restricted else told(item.secrets))
        into, why = (included, "the host reads it itself") if reason is None else (excluded, reason)
        into.append(context_entry(item.path, item.kind, item.tokens, why))
    excluded.extend(context_entry(gone.path, gone.kind, gone.tokens, gone.reason) for gone in context.left_out)
    return ContextReport(included=tuple(included), excluded=tuple(excluded))
