"""The rounds of one attempt: what a model calls is carried out and shown to it, until it answers.

Tools are limited by policy and by code, never by a prompt. A call that makes no sense is answered like any other and
counts as one; when the rounds or what may be shown are used up, the model is asked once more, without tools.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import anyio
import anyio.to_thread

from smista_mcp.context.looking import ToolResult, View
from smista_mcp.context.readtools import ReadTools
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.survey import Survey
from smista_mcp.core.clearance import Bounds
from smista_mcp.core.digests import digest_of
from smista_mcp.core.floor import Sight, sight
from smista_mcp.core.pieces import Block, Piece, PieceKind, sendable
from smista_mcp.core.readtools import CAPS, NEEDED, TOOL_TEXTS, most_tokens
from smista_mcp.core.receipt import WithheldItem
from smista_mcp.core.selection import Candidate
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Label, Locality
from smista_mcp.dispatch.exchanges import Exchange, Followed, Looking
from smista_mcp.dispatch.payloads import Assignment
from smista_mcp.dispatch.spans import tool_span
from smista_mcp.providers.base import ToolCall, ToolSpec
from smista_mcp.providers.toolwire import arguments_of, readable

_SLACK_S = 5.0
"""Seconds that a call may take beyond its own limit before nobody waits for it any more: a file system may hang."""
_LEAST_ROOM = 400
"""Tokens of a window without which nothing more is shown."""
_BYTES_A_TOKEN = 2
"""Of what is shown, where a window is nearly full: fewer than any text has."""
_NOT_RUN = "not carried out: too many calls at once; ask for less"


@cache
def spec(tool: str) -> ToolSpec:
    """What a model is told of a tool."""
    description, properties = TOOL_TEXTS[tool]
    needed = list(NEEDED.get(tool, ()))
    schema: dict[str, object] = {"type": "object", "properties": dict(properties)}
    return ToolSpec(tool, description, schema | ({"required": needed} if needed else {}))


@dataclass(slots=True)
class Rounds:
    """One attempt's conversation with the workspace.

    Attributes:
        looking: how it stands: what the next request is built with.
    """

    _tools: ReadTools
    _specs: tuple[ToolSpec, ...]
    _factor: float
    looking: Looking

    def goes_on(self, calls: Sequence[ToolCall]) -> bool:
        """Whether an answer with these calls is followed up."""
        return bool(calls and self.looking.tools)

    async def follow(
        self, text: str, calls: Sequence[ToolCall], label: Label | None, *, room: int, deadline: float
    ) -> tuple[Piece, ...]:
        """Carries out the calls of an answer.

        Args:
            text: that the model said beside them.
            calls: as the model made them.
            label: of the answer: its words may repeat what they were made from.
            room: tokens that the window has left for what is shown.
            deadline: on the clock of the event loop.

        Returns:
            The new pieces.
        """
        before = self.looking
        number = sum(len(exchange.calls) for exchange in before.exchanges)
        said = _piece("tool_call", "what the model said before it looked", sendable(text), label) if text else None
        followed: list[Followed] = []
        withheld = dict.fromkeys(before.withheld)
        left = room
        for place, call in enumerate(calls):
            result = ToolResult(_NOT_RUN, "a call too many")
            if place < CAPS.calls:
                with tool_span(call.name) as shows:
                    result = shows(await self._result(call, left, deadline))
            left -= count_tokens(result.text)
            back = readable(call, number + place, TOOL_TEXTS)
            asked = _piece("tool_call", f"call {number + place + 1}: {back.name}", back.arguments, label)
            shown = _piece("tool_result", result.name, sendable(result.text), result.label or None, result)
            carried = _piece("tool_call", f"reasoning before call {number + place + 1}", call.carry, label)
            followed.append(Followed(back, asked, shown, carried if call.carry else None))
            withheld |= dict.fromkeys(WithheldItem(path=path, reason=why) for path, why in result.withheld)
        rounds = before.rounds - 1
        done = rounds <= 0 or self._tools.exhausted or left < _LEAST_ROOM
        exchange = Exchange(said, tuple(followed))
        self.looking = Looking(
            tools=() if done else self._specs,
            exchanges=(*before.exchanges, exchange),
            rounds=0 if done else rounds,
            grown=0 if done else before.grown,
            withheld=tuple(withheld),
        )
        return Looking(exchanges=(exchange,)).pieces

    async def _result(self, call: ToolCall, room: int, deadline: float) -> ToolResult:
        run = partial(self._tools.run, call.name, arguments_of(call), max(0, room - _LEAST_ROOM) * _BYTES_A_TOKEN)
        most = min(deadline - anyio.current_time(), CAPS.call_s + _SLACK_S)
        with anyio.move_on_after(max(0.0, most)):
            return await anyio.to_thread.run_sync(run, abandon_on_cancel=True)
        self._tools.close()
        return ToolResult(
            "nothing came in time; answer from what you have", call.name if call.name in TOOL_TEXTS else ""
        )


def rounds_of(
    candidate: Candidate, work: Assignment, bounds: Bounds, survey: Callable[[], Survey] | None
) -> Rounds | None:
    """The rounds of an attempt; None where its model has no tools.

    Args:
        candidate: whom to ask.
        work: the phase.
        bounds: what holds in this call.
        survey: makes one of the workspace; None where there is none.
    """
    if not candidate.tools or survey is None:
        return None

    def judge(forms: Sequence[str]) -> Sight | None:
        return sight(bounds.guard, work.routed.phase, forms, candidate.tokens)

    view = View(
        remote=candidate.locality is not Locality.LOCAL,
        tools=candidate.tools,
        judge=judge,
        secrets=SecretLabels(bounds.scans),
    )
    specs = tuple(map(spec, candidate.tools))
    factor = candidate.facts.token_factor
    return Rounds(
        ReadTools(survey(), view),
        specs,
        factor,
        Looking(specs, rounds=CAPS.rounds, grown=math.ceil(most_tokens() * factor)),
    )


def _piece(kind: PieceKind, name: str, text: str, label: Label | None, result: ToolResult | None = None) -> Piece:
    return Piece(
        block=Block(name, text),
        path=name,
        sha256=digest_of(text),
        tokens=count_tokens(text),
        required=False,
        restricted=result.restricted if result else None,
        label=label,
        kind=kind,
        forms=result.forms if result else (),
    )
