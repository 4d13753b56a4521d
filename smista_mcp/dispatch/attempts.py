"""One try at one model: the payload built anew for it, sent, listened to, and recorded whatever happens."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Self

import anyio

from smista_mcp.context.survey import Survey
from smista_mcp.core.asked import destination_of
from smista_mcp.core.clearance import Bounds
from smista_mcp.core.costing import actual_cost
from smista_mcp.core.effective import DispatchLimits, ProviderSpec
from smista_mcp.core.estimating import in_scope
from smista_mcp.core.pieces import Piece
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.selection import Candidate
from smista_mcp.core.values import Locality
from smista_mcp.dispatch import spans
from smista_mcp.dispatch.allowance import Allowance
from smista_mcp.dispatch.answered import Answered, End, Failed, failed_after, joined, unrepaired
from smista_mcp.dispatch.bindings import Serves, check_bound, serves_none
from smista_mcp.dispatch.caching import Thread, opening_of, outlook
from smista_mcp.dispatch.claims import Claims
from smista_mcp.dispatch.clerk import Clerk
from smista_mcp.dispatch.cli_targets import ask_cli
from smista_mcp.dispatch.connections import CliConnection, Connection, Connections, LocalConnection, speaker_of
from smista_mcp.dispatch.cooldown import Cooldowns
from smista_mcp.dispatch.deadlines import check_time, ending_at, repair_output, repair_until
from smista_mcp.dispatch.exchanges import NO_LOOKING
from smista_mcp.dispatch.judging import cut_by, shortcoming
from smista_mcp.dispatch.listening import Listening, longest
from smista_mcp.dispatch.patching import Patching, patching_of
from smista_mcp.dispatch.payloads import Assignment, Payload, built
from smista_mcp.dispatch.reactions import cause_of, may_be_charged
from smista_mcp.dispatch.rounds import Rounds, rounds_of
from smista_mcp.dispatch.standing import Standing
from smista_mcp.dispatch.waiting import Waits
from smista_mcp.dispatch.watching import watch_over
from smista_mcp.errors import Cause, Code, NotFound, ProviderError, StateUnavailable
from smista_mcp.ledger import AttemptStart, BudgetExceeded, Followup, Settlement, SpendingLimit, TokenCounts
from smista_mcp.providers.base import Event, Timeouts, Usage, WireRequest
from smista_mcp.providers.sender import Sender


@dataclass(frozen=True, slots=True)
class Tools:
    """What an attempt works with.

    Attributes:
        clerk: records what is done; None where the ledger cannot be opened.
        budgets: those that the ledger holds, of a day or a month.
        bounds: what the gate judges by in this call.
        key: for hashes of what must not leave this machine.
        now: gives aware times in UTC.
        cooldowns: how the providers are, over all calls of this process.
        waits: before the same model is asked again.
        workspace: keyed hash of the root; `token` is the name of the one that the call came with.
        claims: what people have said yes to.
        survey: makes one of the workspace, for a model that looks around in it; None where there is none.
        known: what the call has read and been answered so far, for all of its phases. It grows.
        serves: whether a candidate is of the models that a rule names.
        standing: told how far the work is, and what it has cost.
        thread: the session that the task goes on with; None where it names none.
    """

    sender: Sender
    connections: Connections
    clerk: Clerk | None
    providers: Mapping[str, ProviderSpec]
    limits: DispatchLimits
    budgets: Sequence[SpendingLimit]
    allowance: Allowance
    bounds: Bounds
    now: Callable[[], datetime]
    cooldowns: Cooldowns
    waits: Waits
    key: bytes = field(repr=False)
    workspace: str | None = None
    token: str | None = None
    claims: Claims = field(default_factory=Claims)
    survey: Callable[[], Survey] | None = None
    known: list[Piece] = field(default_factory=list[Piece])
    serves: Serves = serves_none
    standing: Standing = field(default_factory=Standing)
    thread: Thread | None = None

    async def note(
        self,
        of: Answered | Failed,
        followup: Followup | None,
        *,
        wait_s: float | None = None,
        cause: Cause | None = None,
    ) -> None:
        """As `Clerk.follow_up`, of an attempt that has ended."""
        if self.clerk is not None and of.attempt_id is not None:
            await self.clerk.follow_up(of.attempt_id, followup, wait_s=wait_s, cause=cause)


Heard = Callable[[int], None]
"""Called with the number of pieces written so far."""


async def attempt(
    tools: Tools, work: Assignment, candidate: Candidate, *, deadline: float, heard: Heard
) -> Answered | Failed:
    """Asks one candidate. Whatever was sent is recorded, also where this is cancelled.

    Args:
        tools: what to work with.
        work: the phase.
        candidate: whom to ask.
        deadline: on the clock of the event loop.
        heard: told of progress.
    """
    try:
        with tools.cooldowns.visit(candidate.provider) as visit:
            outcome = await _attempted(tools, work, candidate, deadline, heard)
            visit.went(outcome.error if isinstance(outcome, Failed) else None)
            return outcome
    except ProviderError as error:
        return Failed(candidate, error)


async def _attempted(
    tools: Tools, work: Assignment, candidate: Candidate, deadline: float, heard: Heard
) -> Answered | Failed:
    try:
        check_bound(work.bound, candidate, tools.serves)
        tools.claims.check(work.routed, candidate)
        released = work.released(destination_of(candidate, tools.providers))
        tools = replace(tools, bounds=tools.bounds._replace(released=released))
        rounds = rounds_of(candidate, work, tools.bounds, tools.survey)
        looking = rounds.looking if rounds else NO_LOOKING
        ahead = outlook(tools.thread, candidate, work.trace_id, tools.now(), tools.key)
        work = replace(work, left=tools.allowance.left(work.routed, candidate), outlook=ahead)
        payload = await built(candidate, work, tools.bounds, looking)
        tools.allowance.check(work.routed, candidate, payload.most)
        async with AsyncExitStack() as opened:
            tools.standing.step = "waiting for its server"
            with ending_at(deadline, "its server was not ready in time", sent=False):
                connection = await opened.enter_async_context(
                    tools.connections.open(candidate, tools.providers[candidate.provider])
                )
            tools.standing.step = ""
            await tools.claims.spend(work.routed, candidate, work.trace_id)
            request = _Request(tools, work, candidate, payload, connection)
            patching = patching_of(candidate, work, tools.bounds, tools.survey)
            return await _conversed(request, rounds, patching, deadline, heard)
    except ProviderError as error:
        return Failed(candidate, error)


async def _conversed(
    request: "_Request", rounds: Rounds | None, patching: Patching | None, deadline: float, heard: Heard
) -> Answered | Failed:
    """Asks, and shows what the model asks to see, until it answers. Costs and tokens are those of all requests.

    Where the change in the answer does not apply, it is asked once more; a request that fails then loses no answer.
    """
    answers: list[Answered] = []
    until = deadline
    while True:
        try:
            check_time(request.work, until, after=len(answers))
            with spans.chat_span(request.candidate, request.payload, request.connection.target.base_url) as chat:
                outcome = chat.ended(await request.made(until, chat.hearing(heard)))
            if isinstance(outcome, Answered):
                answers.append(outcome)
                if rounds is not None and rounds.goes_on(outcome.calls):
                    request.tools.standing.step = f"round {len(answers) + 1} of looking around"
                    request = await request.next(rounds, outcome, deadline)
                    continue
                if patching is None:
                    return joined(answers)
                stop = outcome.finished.stop_reason
                patched = await patching.read(outcome.text, stop, outcome.sent, deadline)
                answers[-1] = outcome.with_change(patched)
                if not patched.why:
                    return joined(answers)
                await request.tools.note(outcome, None if patching.repaired else "repair", cause=Cause.PATCH)
                if patching.repaired:
                    return joined(answers)
                request.tools.standing.step = "mending its change"
                until = repair_until(request.work, deadline)
                request = await request.repaired(rounds, patching, outcome)
                continue
        except ProviderError as error:
            if not answers:
                raise
            outcome = Failed(request.candidate, error, label=answers[-1].label)
        if patching is not None and answers and answers[-1].patched:
            answers[-1] = unrepaired(answers[-1], outcome)
            return joined(answers)
        return failed_after(answers, outcome)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request with its row in the ledger."""

    tools: Tools
    work: Assignment
    candidate: Candidate
    payload: Payload
    connection: Connection

    async def made(self, deadline: float, heard: Heard) -> Answered | Failed:
        """Sends it and listens.

        Raises:
            ProviderError: it may not be sent; nothing is recorded.
        """
        wire, stream = self._departure()
        attempt_id = await self._begun(self._receipt(wire))
        listening = Listening(heard, longest(self.payload.request.max_output_tokens))
        self.tools.standing.asked(self.candidate, self.payload.request.prompt_tokens)
        end = End("uncertain")  # stands where something breaks that nobody foresaw
        try:
            with ending_at(deadline, "its answer was not complete in time", sent=True):
                await listening.to(stream)
            answer = replace(self._answer(listening), attempt_id=attempt_id)
            end = End("completed", None, answer.cost)
        except ProviderError as error:
            failed = replace(self._failed(error, listening.usage), attempt_id=attempt_id)
            end = End("uncertain" if failed.uncertain else "failed", error.code, failed.cost, error)
            return failed
        except anyio.get_cancelled_exc_class():
            end = End("cancelled", Code.CANCELLED, self._cost(listening.usage))
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await self._settled(attempt_id, listening, end)
        return answer

    async def next(self, rounds: Rounds, answer: Answered, deadline: float) -> Self:
        """The request that follows an answer with calls, built anew from all that was shown.

        Raises:
            ProviderError: it may not be made.
        """
        tools, room = self.tools, self.payload.room(self.candidate)
        pieces = await rounds.follow(answer.text, answer.calls, answer.label, room=room, deadline=deadline)
        tools.known.extend(pieces)
        own = {piece.sha256 for piece in pieces if piece.kind == "tool_call"}  # a model may have its own words back
        tools = replace(tools, bounds=tools.bounds._replace(released=tools.bounds.released | own))
        work = replace(self.work, left=tools.allowance.left(self.work.routed, self.candidate))
        payload = await built(self.candidate, work, tools.bounds, rounds.looking)
        tools.allowance.check(self.work.routed, self.candidate, payload.most)
        return replace(self, tools=tools, payload=payload)

    def _receipt(self, wire: WireRequest) -> Receipt:
        receipt = self.payload.receipt(wire, self.tools.key, self.connection.target.base_url)
        unmediated = getattr(self.connection.target, "unmediated", False)
        return receipt.model_copy(update={"unmediated": unmediated, "protocol": speaker_of(self.connection)})

    async def repaired(self, rounds: Rounds | None, patching: Patching, answer: Answered) -> Self:
        """The request that follows an answer whose change does not apply; as for `next`."""
        tools, looking = self.tools, rounds.looking if rounds else NO_LOOKING
        looking = await patching.repair(looking, answer.text, answer.label, answer.seen)
        tools.known.extend(looking.repair_pieces)
        left = tools.allowance.left(self.work.routed, self.candidate)
        work = replace(self.work, left=left, most_output=repair_output(answer.finished.usage.output_tokens))
        payload = await built(self.candidate, work, tools.bounds, looking)
        tools.allowance.check(self.work.routed, self.candidate, payload.most)
        return replace(self, payload=payload)

    def _departure(self) -> tuple[WireRequest, AsyncGenerator[Event]]:
        """The request as bytes, and its answer, for which nothing is sent before somebody listens."""
        limits, sender, request = self.tools.limits, self.tools.sender, self.payload.request
        timeouts = Timeouts(first_byte_s=limits.first_byte_s, idle_s=limits.idle_s)
        connection = self.connection
        if isinstance(connection, LocalConnection):
            protocol = connection.protocol
            wire = protocol.encode(request)
            decoder = protocol.decoder(request)
            return wire, sender.stream(wire, decoder, target=connection.target, timeouts=timeouts, protocol=protocol)
        if self.payload.cleared is None:
            raise ProviderError("nobody has cleared it for a remote model", code=Code.RESTRICTED_CONTENT)
        watch = watch_over(self.tools.bounds, self.tools.known, self.work)
        if isinstance(connection, CliConnection):
            return ask_cli(connection.target, self.payload.cleared, timeouts, watch)
        protocol = connection.adapter.protocol
        cleared = connection.adapter.encode(self.payload.cleared)
        decoder = protocol.decoder(request)
        return cleared.wire, sender.stream(
            cleared, decoder, target=connection.target, timeouts=timeouts, protocol=protocol, watch=watch
        )

    @property
    def _local(self) -> bool:
        return self.candidate.locality is Locality.LOCAL

    async def _begun(self, receipt: Receipt) -> str | None:
        """Records the request before it leaves; what may cost money does not leave unrecorded."""
        tools, work, candidate, phase = self.tools, self.work, self.candidate, self.work.routed.phase
        if tools.clerk is None or work.trace_id is None:
            return self._unrecorded("the ledger cannot be written")
        start = AttemptStart(
            phase=phase.index,
            intent=phase.intent.name,
            model=candidate.written,
            provider=candidate.provider,
            locality=candidate.locality,
            started_at=tools.now(),
            receipt=receipt,
            resolved_model=candidate.resolved,
            cost_kind=candidate.facts.price_kind,
            reserved=self.payload.most,
            workspace=tools.workspace,
            token=tools.token,
        )
        budgets = [budget for budget in tools.budgets if in_scope(budget.scope, candidate, phase.intent.name)]
        try:
            return await tools.clerk.begin(work.trace_id, start, budgets)
        except BudgetExceeded as error:
            raise ProviderError(error.message, fix=error.fix, code=error.code) from None
        except (StateUnavailable, NotFound) as error:  # NotFound: somebody moved the file away meanwhile
            return self._unrecorded(error.message, error.fix)

    def _unrecorded(self, why: str, fix: str = "") -> None:
        """Lets a request pass that costs nothing."""
        if not self._local:
            raise ProviderError(f"it may cost money, and {why}", fix=fix, code=Code.PROVIDER_UNAVAILABLE)

    async def _settled(self, attempt_id: str | None, listening: Listening, end: End) -> None:
        spans.note_settled(self.payload, listening.finished, end.status, end.cost, attempt_id)
        self.tools.allowance.note(self.work.routed, self.candidate, self.payload.most if end.cost is None else end.cost)
        self.tools.standing.bill.settled(self.candidate, end.cost)
        if attempt_id is None or self.tools.clerk is None:
            return
        usage = listening.usage
        settlement = Settlement(
            status=end.status,
            ended_at=self.tools.now(),
            code=end.code,
            usage=TokenCounts(**asdict(usage)),
            cost=end.cost,
            resolved_model=self._said_model(listening),
            unsent=end.error is not None and end.error.unsent,
            cause=end.error and cause_of(end.error),
            http_status=end.error and end.error.status,
            cut=cut_by(listening.finished) if end.status == "completed" else None,
            partial=None if end.status == "completed" else listening.partial(self.tools.key),
        )
        try:
            await self.tools.clerk.settle(attempt_id, settlement)
        except (StateUnavailable, NotFound):
            return  # the reservation stays until the clerk can write it; the answer is not lost for it

    def _said_model(self, listening: Listening) -> str | None:
        """What the server says that it used. Of a labelled request it is not repeated: it might be the content."""
        name = listening.finished.model if listening.finished else None
        if not name or self.payload.label or not spans.MODEL_NAME.fullmatch(name):
            return None
        return f"{self.candidate.provider}/{name}"

    def _answer(self, listening: Listening) -> Answered:
        text, calls = listening.text.strip(), tuple(listening.calls) if self.payload.request.tools else ()
        finished, short = listening.finished, shortcoming(listening.finished, text, calls=bool(calls))
        if short is not None or finished is None:
            raise short or ProviderError("the answer has no end", code=Code.PROVIDER_PROTOCOL, sent=True)
        seen = tuple(dict.fromkeys(form for piece in self.payload.sent for form in piece.forms))
        sent = self.payload.sent
        opening = opening_of(self.payload.request.messages, self.payload.request.tools)
        cost = self._cost(finished.usage)
        return Answered(text, finished, cost, self.payload.label, calls, seen, sent, opening=opening)

    def _failed(self, error: ProviderError, usage: Usage) -> Failed:
        cost = self._cost(usage) if may_be_charged(error) else Decimal(0)
        counted = usage if may_be_charged(error) or usage != Usage() else None
        return Failed(self.candidate, error, cost, uncertain=cost is None, label=self.payload.label, usage=counted)

    def _cost(self, usage: Usage) -> Decimal | None:
        """What the request has cost, by the provider's own count; None where nobody knows."""
        facts = self.candidate.facts
        if self._local or facts.price_kind in ("local", "plan"):
            return Decimal(0)
        if not usage.input_tokens or usage.output_tokens is None:  # a server that read nothing has not counted
            return None
        return actual_cost(
            facts,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens or 0,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens or 0,
            cache_write_tokens=usage.cache_write_tokens or 0,
        )
