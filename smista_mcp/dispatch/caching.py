"""Where a request ends that its provider is asked to keep: `core.caching` says when, this finds the places."""

import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple

from smista_mcp.core.caching import NO_OUTLOOK, Keeping, Outlook
from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import ContextItem
from smista_mcp.core.pieces import Piece
from smista_mcp.core.selection import Candidate
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.turns import MAX_TURNS, Turn
from smista_mcp.dispatch.exchanges import Looking, tokens_of
from smista_mcp.dispatch.prompts import AS_NAMED, Order
from smista_mcp.providers.base import Message, ToolSpec

_LASTING = frozenset(("file", "attachment", "instructions", "skill"))
"""What may be the same from call to call; a diff seldom is."""
_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Thread:
    """The session that a task goes on with.

    Attributes:
        name: its id.
        turns: those before the task.
    """

    name: str
    turns: Sequence[Turn] = ()


def outlook(thread: Thread | None, candidate: Candidate, trace_id: str | None, now: datetime, key: bytes) -> Outlook:
    """What is expected to follow a request to a candidate.

    Args:
        thread: None outside of sessions.
        candidate: whom to ask.
        trace_id: of the phase.
        now: aware.
        key: secret of this installation.
    """
    cache = candidate.facts.cache
    if cache is None:
        return NO_OUTLOOK
    name = thread.name if thread else trace_id
    text = f"prompt cache\0{name}\0{candidate.resolved}".encode()
    made = hmac.digest(key, text, "sha256").hex()[:_KEY_LENGTH] if name else None
    turns = [turn for turn in (thread.turns if thread else ()) if turn.model == candidate.resolved]
    late = [turn for turn in turns if turn.at is not None and 0 <= now.timestamp() - turn.at <= cache.lasts_s]
    return Outlook(frozenset(turn.opening for turn in late if turn.opening), made)


def opening_of(asked: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
    """What stands before all else in a request, our own instructions and the tools, as a short hash."""
    said = [message.content for message in asked if message.role == "system"]
    return digest_of("\0".join((*said, *(tool.name for tool in tools))))[:_KEY_LENGTH]


def order_of(pieces: Sequence[Piece], facts: ModelFacts) -> Order:
    """How the pieces of a request stand that are not of its rounds; where there are no turns, as they are named.

    With turns, what later calls of the session begin with comes first: what is to be followed, files that an earlier
    turn was about too, the turns from the oldest on.
    """
    places = list(enumerate(pieces))
    turns = [place for place, piece in places if piece.kind == "turn"]
    if not turns:
        return AS_NAMED
    known = {form for place in turns for form in pieces[place].forms}
    followed = [place for place, piece in places if piece.block.followed]
    followed.sort(key=lambda place: pieces[place].block.followed == "conventions")
    again = [
        place
        for place, piece in places
        if piece.kind in _LASTING and not piece.block.followed and not known.isdisjoint(piece.forms)
    ]
    apart = facts.cache is not None and facts.cache.charged
    return Order((*followed, *again, *reversed(turns)), apart=apart)


def tokens_in(message: Message) -> int:
    """What a message adds to a prompt, with factor 1."""
    return count_tokens(message.content) + sum(count_tokens(part.text) for part in message.call_parts)


class Layout(NamedTuple):
    """A prompt as it was put together.

    Attributes:
        order: how its blocks stand.
        counts: tokens of each message, with factor 1.
        looking: how far the model has looked around.
        whole: whether every turn of the session goes along that may.
    """

    order: Order
    counts: Sequence[int]
    looking: Looking
    whole: bool


def is_whole(items: Sequence[ContextItem], withheld: Sequence[int], pieces: Sequence[Piece]) -> bool:
    """Whether every turn goes along that may: else the next request begins differently, and the one after it.

    Args:
        items: the context of the phase.
        withheld: places of what may not go.
        pieces: those that go.
    """
    turns = {place for place, item in enumerate(items) if item.kind == "answer"}
    sent = {piece.place for piece in pieces}
    return len(turns) < MAX_TURNS and turns.difference(withheld) <= sent


def with_marks(
    facts: ModelFacts, asked: tuple[Message, ...], layout: Layout, ahead: Outlook
) -> tuple[tuple[Message, ...], Keeping | None]:
    """The messages with what is to be kept marked, and what else is said of the cache.

    Two places are marked of each kind: the newest, to be written, and the one before it, where the last request
    ended, to be found.
    """
    cache = facts.cache
    if cache is None:
        return asked, None
    looking, counts, last = layout.looking, layout.counts, len(layout.order.first)
    tools = tokens_of(looking.tools)

    def is_long(messages: int) -> bool:
        return math.floor((sum(counts[:messages]) + tools) * facts.token_factor) >= cache.least

    again = opening_of(asked, looking.tools) in ahead.openings
    session = again and layout.whole and last > 0 and is_long(last + 1)
    grows = bool(looking.tools) and looking.rounds > 0 and is_long(len(asked))
    key = ahead.key if (session or grows) and cache.how != "marks" else None
    if not cache.charged:
        return asked, Keeping(cache.how, grows, key) if key else None
    places = {last, last - 1} - {0} if session else set[int]()
    if grows and cache.how == "marks":
        added = 1 + len(looking.exchanges[-1].calls) if looking.exchanges else 0
        places |= {len(asked) - 1, len(asked) - 1 - added}
    marked = tuple(replace(one, kept=True) if place in places else one for place, one in enumerate(asked))
    keeps = bool(places) or cache.how == "options"
    return marked, Keeping(cache.how, grows, key) if keeps else None


def said_of_cache(keeping: Keeping | None, asked: Sequence[Message]) -> Literal["asked", "declined"] | None:
    """Whether a request asks to be kept, or asks not to be; None where it says neither."""
    if keeping is None:
        return None
    return "asked" if keeping.grows or keeping.key or any(one.kept for one in asked) else "declined"


def may_be_written(keeping: Keeping | None, asked: Sequence[Message]) -> bool:
    """Whether a request asks for what its provider may charge for."""
    return keeping is not None and keeping.how != "key" and said_of_cache(keeping, asked) == "asked"
