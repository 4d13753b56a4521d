"""What one candidate is sent: chosen anew for it from what there is, and listed item by item."""

import hashlib
import hmac
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import anyio.to_thread

from smista_mcp.core.caching import NO_OUTLOOK, Outlook
from smista_mcp.core.clearance import Bounds, Built, ClearedPayload, Matter, clear
from smista_mcp.core.costing import VISIBLE_OUTPUT, Course, affordable_output, expected_output_tokens, price_range
from smista_mcp.core.digests import digest_of
from smista_mcp.core.efforts import ToldEffort, told_effort
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.foreseen import label_of
from smista_mcp.core.pieces import PLAINLY_HASHED, Piece, sendable
from smista_mcp.core.receipt import Receipt, SentItem, WithheldItem
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Effort, Grant, Intent, Label, Locality
from smista_mcp.dispatch.bindings import UNBOUND, Bound
from smista_mcp.dispatch.caching import Layout, is_whole, may_be_written, order_of, said_of_cache, tokens_in, with_marks
from smista_mcp.dispatch.earlier import Earlier
from smista_mcp.dispatch.exchanges import NO_LOOKING, OF_ROUNDS, Looking, tokens_of
from smista_mcp.dispatch.prompts import messages
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import CompletionRequest, Message, WireRequest

SMALL = 8 * 1024
"""Characters of texts that are looked through sooner than a thread is found for it."""
_ROOM = 64
"""Tokens of a window that message frames may take."""
_LEAST_ANSWER = 64
"""Tokens without which no answer is worth asking for."""


def _none_released(destination: str) -> frozenset[str]:
    del destination
    return frozenset()


@dataclass(frozen=True, slots=True)
class Assignment:
    """One phase as it is handed to candidates.

    Attributes:
        pieces: of its context, in order.
        answers: what the phases said that it waits for.
        trace_id: None where the ledger could not be written.
        released: gives the hashes of the texts that may go to a destination, because a person has let them go there.
            That says nothing of what is made from them: their labels stay.
        bound: rules that bind it by what the answers were made from.
        left: USD that the next request, with those that follow it, may cost; None where nothing limits it.
        before: the patches of the phases that it waits for, and of those that these wait for.
        outlook: what is expected to follow the request.
        least_s: seconds without which nothing is asked any more, once somebody was asked.
        most_output: tokens that an answer may have, whatever else would allow more; None where that is all.
    """

    routed: Routed
    context: PhaseContext
    pieces: Sequence[Piece]
    answers: Sequence[Piece]
    trace_id: str | None
    released: Callable[[str], frozenset[str]] = _none_released
    bound: Bound = UNBOUND
    left: Decimal | None = None
    before: Earlier = field(default=Earlier())
    outlook: Outlook = NO_OUTLOOK
    least_s: float = 0.0
    most_output: int | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """What one candidate is asked.

    Attributes:
        cleared: the same request as a remote model may have it; None where it is for a local one.
        most: USD that the request may cost, with those that may follow it; None where the price is unknown.
        label: that of an answer made from it.
        told: the effort that the model is told; None where it is told none.
    """

    request: CompletionRequest
    cleared: ClearedPayload[CompletionRequest] | None
    sent: tuple[Piece, ...]
    withheld: tuple[WithheldItem, ...]
    most: Decimal | None
    label: Label | None
    told: Effort | None = None

    def room(self, candidate: Candidate) -> int:
        """Tokens of the window that are left beside the request and room for an answer."""
        answer = min(self.request.max_output_tokens or 0, candidate.window // 4)
        return candidate.window - (self.request.prompt_tokens or 0) - _ROOM - answer

    def receipt(self, wire: WireRequest, key: bytes, address: str) -> Receipt:
        """What is about to leave in a request to this address.

        Whoever reads a receipt could find a short content again from its plain hash. Where anything in the request is
        labelled, every hash is therefore keyed. Those of what is no file, and of the body, which holds it, always are.
        """
        guarded = self.label is not None or any(piece.restricted or piece.label for piece in self.sent)

        def shown(sha256: str, *, plain: bool = True) -> str:
            return sha256 if plain and not guarded else keyed_hash(key, sha256)

        sent = [
            SentItem(
                path=p.path,
                sha256=shown(p.sha256, plain=p.kind in PLAINLY_HASHED),
                tokens=p.tokens,
                reason=p.reason,
            )
            for p in self.sent
        ]
        words, frames = _written(self.request.messages)
        written: list[SentItem] = []
        if words:
            digest = keyed_hash(key, digest_of(words))
            written.append(SentItem(path=_WORDS, sha256=digest, tokens=count_tokens(words), reason="of the caller"))
        if frames:
            digest = shown(digest_of(frames))
            written.append(SentItem(path=_FRAMES, sha256=digest, tokens=count_tokens(frames), reason="of smista-mcp"))
        return Receipt(
            sent=tuple(sent),
            written=tuple(written),
            withheld=self.withheld,
            body_bytes=len(wire.body),
            body_sha256=keyed_hash(key, hashlib.sha256(wire.body).hexdigest()),
            method=wire.method,
            path=wire.path,
            address=address,
            effort=self.told,
            effort_ignored=self.request.effort if self.told is not self.request.effort else None,
            cache=said_of_cache(self.request.keeping, self.request.messages),
            cache_key=self.request.keeping.key if self.request.keeping else None,
        )


_WORDS = "the words"
_FRAMES = "instructions, names and fences"


def _written(asked: Sequence[Message]) -> tuple[str, str]:
    """What the caller wrote, and what is our own around it, each in the order in which it stands in the request."""
    parts = [part for message in asked for part in message.parts]
    words = "".join(part.text for part in parts if part.kind == "words")
    return words, "".join(part.text for part in parts if part.kind in ("frame", "title"))


def keyed_hash(key: bytes, sha256: str) -> str:
    """`keyed:` and the HMAC-SHA-256, in hex, of a hash in hex."""
    return f"keyed:{hmac.digest(key, sha256.encode('ascii'), 'sha256').hex()}"


def payload_for(candidate: Candidate, work: Assignment, bounds: Bounds, looking: Looking = NO_LOOKING) -> Payload:
    """Builds the payload for a target from nothing but what this target may have.

    Args:
        candidate: the target.
        work: the phase.
        bounds: what holds in this call.
        looking: what it has asked to see so far in this attempt, and how it may go on.

    Raises:
        ProviderError: `restricted_content`, `secret_detected` or `context_window_exceeded`; nothing was sent.
    """
    named = [piece for piece in work.pieces if piece.place in candidate.included]  # the others its own report names
    pieces = [*named, *work.answers, *looking.pieces]
    report = [WithheldItem(path=entry.path, reason=entry.reason) for entry in candidate.context.excluded]

    def build(chosen: Sequence[Piece]) -> Built[CompletionRequest]:
        return _built(candidate, work, chosen, looking)

    if candidate.locality is Locality.LOCAL:
        built = build(pieces)
        request, sent, kept, cleared = built.request, built.pieces, built.left, None
    else:
        matter = Matter(sendable(work.routed.phase.text), pieces, work.context.paths, work.routed.floor)
        cleared = clear(matter, bounds, build)
        request, sent, kept = cleared.request, cleared.pieces, cleared.withheld
    places = {piece.place for piece in sent if piece.place is not None}
    bound: Label | None = "local" if work.bound.local else None
    label = label_of(work.routed.floor, places, [bound, *(piece.label for piece in sent)])
    withheld = (*report, *kept, *looking.withheld)
    told = _told(candidate, work, request.effort, request.max_output_tokens or 0).effort
    return Payload(request, cleared, sent, withheld, _most(candidate, request, looking), label, told)


async def built(candidate: Candidate, work: Assignment, bounds: Bounds, looking: Looking) -> Payload:
    """As `payload_for`, off the event loop unless that would take longer than the work itself."""
    pieces = (*work.pieces, *work.answers, *looking.pieces)
    if len(work.routed.phase.text) + sum(len(piece.block.text) for piece in pieces) <= SMALL:
        return payload_for(candidate, work, bounds, looking)
    return await anyio.to_thread.run_sync(payload_for, candidate, work, bounds, looking)


def _built(
    candidate: Candidate, work: Assignment, pieces: Sequence[Piece], looking: Looking
) -> Built[CompletionRequest]:
    """The request with as many of the pieces as fit; what only helps gives way, the last named first."""
    chosen = list(pieces)
    left: list[WithheldItem] = []
    while (request := _request(candidate, work, chosen, looking)) is None:
        spare = next((piece for piece in reversed(chosen) if not piece.required), None)
        if spare is None:
            needed = sum(piece.tokens for piece in chosen)
            raise ProviderError(
                f"{len(chosen)} items with about {needed} tokens and the words do not fit its {candidate.window}",
                code=Code.CONTEXT_WINDOW_EXCEEDED,
                fix="name fewer files or a range of lines, or a model with a larger window",
            )
        chosen.remove(spare)
        left.append(WithheldItem(path=spare.path, reason="does not fit beside the rest"))
    texts = tuple(text for message in request.messages for text in message.texts)
    return Built(request, tuple(chosen), texts, tuple(left))


def _request(
    candidate: Candidate, work: Assignment, pieces: Sequence[Piece], looking: Looking
) -> CompletionRequest | None:
    """The request; None where it leaves no room for an answer."""
    decision, phase = work.routed.decision, work.routed.phase
    patch = decision.permissions["file_write"] is not Grant.DENY
    given = [piece for piece in pieces if piece.kind not in OF_ROUNDS]
    blocks, order = [piece.block for piece in given], order_of(given, candidate.facts)
    asked = messages(phase.intent.name, phase.text, blocks, patch=patch, looks=looking.looks, order=order)
    asked = (*asked, *looking.messages(pieces))
    counts = [tokens_in(message) for message in asked]
    prompt = math.ceil((sum(counts) + tokens_of(looking.tools)) * candidate.facts.token_factor)
    whole = is_whole(work.context.items, list(work.routed.floor.withheld), given)
    asked, keeping = with_marks(candidate.facts, asked, Layout(order, counts, looking, whole), work.outlook)
    course = Course(looking.rounds, looking.grown, may_be_written(keeping, asked))
    expected = _expected(candidate, phase.intent.name, decision.effort)
    room = candidate.window - prompt - _ROOM
    if room < _LEAST_ANSWER:
        return None
    wanted = expected if work.most_output is None else min(expected, work.most_output)
    longest = _longest(candidate, work, course, prompt, min(room, wanted))
    return CompletionRequest(
        model=candidate.facts.ref.model,
        messages=asked,
        effort=decision.effort,
        effort_as=_told(candidate, work, decision.effort, longest).told,
        max_output_tokens=longest,
        context_window=candidate.window,
        prompt_tokens=prompt,
        temperature=0.0 if candidate.locality is Locality.LOCAL else None,
        tools=looking.tools,
        keeping=keeping,
    )


def _told(candidate: Candidate, work: Assignment, effort: Effort, longest: int) -> ToldEffort:
    """How the model is told the effort; of tokens to think, as many as leave room for what is to be written."""
    return told_effort(candidate.facts.effort, effort, longest - VISIBLE_OUTPUT[work.routed.phase.intent.name])


def _longest(candidate: Candidate, work: Assignment, course: Course, prompt: int, wanted: int) -> int:
    """Tokens that the answer may have: no more than can be paid for, so that a limit holds whatever is written."""
    longest = min(wanted, candidate.facts.max_output_tokens or wanted)
    if work.left is None:
        return longest
    paid = affordable_output(candidate.facts, work.left, input_tokens=prompt, course=course)
    # where the written answer itself would be cut, the request is refused for what it would cost
    return longest if paid is None or paid < VISIBLE_OUTPUT[work.routed.phase.intent.name] else min(longest, paid)


def _expected(candidate: Candidate, intent: Intent, effort: Effort) -> int:
    """Tokens of an answer; of an embedded model without room to think, unless it is known that it does."""
    if candidate.provider == "llamacpp" and not candidate.facts.capabilities.get("reasoning"):
        return VISIBLE_OUTPUT[intent]
    return expected_output_tokens(intent, effort)


def _most(candidate: Candidate, request: CompletionRequest, looking: Looking) -> Decimal | None:
    """What this request may cost, and those that may follow it because the model asks to see more."""
    price = price_range(
        candidate.facts,
        input_tokens=request.prompt_tokens or 0,
        expected_output=request.max_output_tokens or 0,
        attempts=1,
        course=Course(looking.rounds, looking.grown, may_be_written(request.keeping, request.messages)),
    )
    return None if price is None else Decimal(price.max)
