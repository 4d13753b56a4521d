"""What one candidate is sent: chosen anew for it from what there is, and listed item by item."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from smista_mcp.core.clearance import Bounds, Built, ClearedPayload, Matter, clear
from smista_mcp.core.costing import VISIBLE_OUTPUT, expected_output_tokens, price_range
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.pieces import Label, Piece, digest_of, sendable
from smista_mcp.core.receipt import Receipt, SentItem, WithheldItem
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Effort, Grant, Intent, Locality
from smista_mcp.dispatch.labels import label_of
from smista_mcp.dispatch.prompts import messages
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import CompletionRequest, Message, WireRequest

_ROOM = 64
"""Tokens of a window that message frames may take."""
_LEAST_ANSWER = 64
"""Tokens without which no answer is worth asking for."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One phase as it is handed to candidates.

    Attributes:
        pieces: of its context, in order.
        answers: what the phases said that it waits for.
        trace_id: None where the ledger could not be written.
    """

    routed: Routed
    context: PhaseContext
    pieces: Sequence[Piece]
    answers: Sequence[Piece]
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Payload:
    """What one candidate is asked.

    Attributes:
        cleared: the same request as a remote model may have it; None where it is for a local one.
        most: USD that the one request may cost; None where the price is unknown.
        label: that of an answer made from it.
    """

    request: CompletionRequest
    cleared: ClearedPayload[CompletionRequest] | None
    sent: tuple[Piece, ...]
    withheld: tuple[WithheldItem, ...]
    most: Decimal | None
    label: Label | None

    def receipt(self, wire: WireRequest, key: bytes, address: str) -> Receipt:
        """What is about to leave in a request to this address.

        Whoever reads a receipt could find a short content again from its plain hash. Where anything in the request is
        labelled, every hash is therefore keyed, that of the whole body included.
        """
        guarded = self.label is not None or any(piece.restricted or piece.label for piece in self.sent)

        def shown(sha256: str) -> str:
            return keyed_hash(key, sha256) if guarded else sha256

        sent = [SentItem(path=p.path, sha256=shown(p.sha256), tokens=p.tokens, reason=p.reason) for p in self.sent]
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
            body_sha256=shown(hashlib.sha256(wire.body).hexdigest()),
            method=wire.method,
            path=wire.path,
            address=address,
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


def payload_for(candidate: Candidate, work: Assignment, bounds: Bounds) -> Payload:
    """Builds the payload for a target from nothing but what this target may have.

    Raises:
        ProviderError: `restricted_content`, `secret_detected` or `context_window_exceeded`; nothing was sent.
    """
    named = [piece for piece in work.pieces if piece.place in candidate.included]  # the others its own report names
    pieces = [*named, *work.answers]
    report = [WithheldItem(path=entry.path, reason=entry.reason) for entry in candidate.context.excluded]

    def build(chosen: Sequence[Piece]) -> Built[CompletionRequest]:
        return _built(candidate, work, chosen)

    if candidate.locality is Locality.LOCAL:
        built = build(pieces)
        request, sent, kept, cleared = built.request, built.pieces, built.left, None
    else:
        matter = Matter(sendable(work.routed.phase.text), pieces, work.context.paths, work.routed.floor)
        cleared = clear(matter, bounds, build)
        request, sent, kept = cleared.request, cleared.pieces, cleared.withheld
    places = {piece.place for piece in sent if piece.place is not None}
    label = label_of(work.routed.floor, places, [piece.label for piece in sent])
    return Payload(request, cleared, sent, (*report, *kept), _most(candidate, request), label)


def _built(candidate: Candidate, work: Assignment, pieces: Sequence[Piece]) -> Built[CompletionRequest]:
    """The request with as many of the pieces as fit; what only helps gives way, the last named first."""
    chosen = list(pieces)
    left: list[WithheldItem] = []
    while (request := _request(candidate, work, chosen)) is None:
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
    return Built(request, tuple(chosen), tuple(message.parts for message in request.messages), tuple(left))


def _request(candidate: Candidate, work: Assignment, pieces: Sequence[Piece]) -> CompletionRequest | None:
    """The request; None where it leaves no room for an answer."""
    decision, phase = work.routed.decision, work.routed.phase
    patch = decision.permissions["file_write"] is not Grant.DENY
    asked = messages(phase.intent.name, phase.text, [piece.block for piece in pieces], patch=patch)
    prompt = round(sum(count_tokens(message.content) for message in asked) * candidate.facts.token_factor)
    expected = _expected(candidate, phase.intent.name, decision.effort)
    room = candidate.window - prompt - _ROOM
    if room < _LEAST_ANSWER:
        return None
    return CompletionRequest(
        model=candidate.facts.ref.model,
        messages=asked,
        effort=decision.effort,
        max_output_tokens=min(room, expected, candidate.facts.max_output_tokens or expected),
        context_window=candidate.window,
        prompt_tokens=prompt,
        temperature=0.0 if candidate.locality is Locality.LOCAL else None,
    )


def _expected(candidate: Candidate, intent: Intent, effort: Effort) -> int:
    """Tokens of an answer; of an embedded model without room to think, unless it is known that it does."""
    if candidate.provider == "llamacpp" and not candidate.facts.capabilities.get("reasoning"):
        return VISIBLE_OUTPUT[intent]
    return expected_output_tokens(intent, effort)


def _most(candidate: Candidate, request: CompletionRequest) -> Decimal | None:
    """What this one request may cost, its answers from earlier steps included."""
    price = price_range(
        candidate.facts,
        input_tokens=request.prompt_tokens or 0,
        expected_output=request.max_output_tokens or 0,
        attempts=1,
    )
    return None if price is None else Decimal(price.max)
