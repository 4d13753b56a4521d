"""The phases of a task, carried out in order: each on the first candidate that answers, fed by those it waits for."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

import anyio
import anyio.to_thread

from smista_mcp.core.approval import HOST_DESTINATION
from smista_mcp.core.digests import digest_of
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.facts import HostFacts, PhaseContext
from smista_mcp.core.handing import handoff
from smista_mcp.core.modelref import CURRENT, HOST
from smista_mcp.core.pieces import Block, Piece
from smista_mcp.core.routing import Routed
from smista_mcp.core.secretscan import told
from smista_mcp.core.selection import Candidate
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Locality, Status
from smista_mcp.dispatch import outcomes, spans
from smista_mcp.dispatch.answerfiles import AnswerFiles
from smista_mcp.dispatch.attempts import Answered, Failed, Tools, attempt
from smista_mcp.dispatch.bindings import Bound, bound_by_answers
from smista_mcp.dispatch.conversation import Conversation, answer_name
from smista_mcp.dispatch.deadlines import is_late, is_unsent_for_time, least_of, out_of_time
from smista_mcp.dispatch.earlier import all_of
from smista_mcp.dispatch.escalations import Cut, escalates, proven
from smista_mcp.dispatch.payloads import SMALL, Assignment
from smista_mcp.dispatch.reactions import cause_of, reaction
from smista_mcp.dispatch.releases import Done, Releases, hold_on, known_by, let_go, stands
from smista_mcp.dispatch.standing import Standing
from smista_mcp.errors import Code, ProviderError, StateUnavailable


@dataclass(frozen=True, slots=True)
class PhaseWork:
    """A decided phase with its context and the content of that.

    Attributes:
        place: of the decision in the ledger; None where it could not be recorded.
    """

    routed: Routed
    context: PhaseContext
    pieces: Sequence[Piece]
    place: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """To whom answers go.

    Attributes:
        host: the host that calls.
        host_answers: `[privacy] host_answers`: what becomes of restricted answers. Nobody is asked here, so `ask` is
            as strict as `file`, until the text is among the released ones.
        files: where withheld answers are kept.
        releases: texts that a person has let go.
        conversation: where answers are taken down for later steps and calls; None where they are not.
        look_up: what people have let go of the answers so far; None where it cannot have become more.
    """

    host: HostFacts
    host_answers: str
    files: AnswerFiles
    releases: Releases = field(default_factory=Releases)
    conversation: Conversation | None = None
    look_up: Callable[[Mapping[int, Done]], Releases] | None = None

    @property
    def shows_restricted(self) -> bool:
        return self.host_answers == "return" or self.host.locality is Locality.LOCAL


async def carry_out(
    tools: Tools,
    phases: Sequence[PhaseWork],
    delivery: Delivery,
    standing: Standing,
    kept: MutableMapping[int, Done] | None = None,
) -> tuple[DispatchedPhase, ...]:
    """Runs every phase whose dependencies completed; the others say what they wait for.

    Args:
        tools: what to work with.
        phases: in order.
        delivery: to whom answers go.
        standing: told of progress.
        kept: completed phases by index; those that are in it and still the same are not done again.
    """
    standing.phases = len(phases)
    run = _Run(replace(tools, standing=standing), delivery, standing, {} if kept is None else kept)
    done: dict[int, DispatchedPhase] = {}
    for work in phases:
        phase = work.routed.phase
        blocking = next((done[d] for d in phase.depends_on if done[d].status != "completed"), None)
        with spans.phase_span(work.routed) as span:
            became = outcomes.waiting(work.routed, blocking) if blocking else await run.phase(work)
            done[phase.index] = spans.note_phase(span, became)
    return tuple(done.values())


class _Run:
    """One task under way. `kept` holds what completed phases said, by index, for those that wait for it."""

    def __init__(self, tools: Tools, delivery: Delivery, standing: Standing, kept: MutableMapping[int, Done]) -> None:
        self._tools = tools
        self._delivery = delivery
        self._standing = standing
        self._kept = kept

    async def phase(self, work: PhaseWork) -> DispatchedPhase:
        routed = work.routed
        earlier = stands(self._kept, routed)
        if earlier is not None:
            self._tools.known.append(earlier.piece)
            return self._shown(earlier)
        answers = [self._kept[d].piece for d in routed.phase.depends_on]
        bound = bound_by_answers(self._tools.bounds.guard, routed, answers)
        if routed.decision.status is Status.HANDOFF and not self._host_may_have(answers, bound):
            return outcomes.kept_from_host(routed)
        if routed.decision.status is not Status.ROUTED and not routed.barred:
            return outcomes.decided(routed)
        before = all_of(self._kept[d].before for d in routed.phase.depends_on)
        assigned = Assignment(
            routed, work.context, work.pieces, answers, None, self._let_go, bound=bound, before=before
        )
        clerk = self._tools.clerk
        if clerk is None:
            return await self._walk(assigned)
        trace_id = clerk.open(routed.decision.decision_id, self._tools.now(), work.place)
        if routed.permit is not None:  # what is claimed because of a yes names the trace
            return await self._walk(replace(assigned, trace_id=trace_id if await clerk.close(trace_id) else None))
        try:
            done = await self._walk(replace(assigned, trace_id=trace_id))
        finally:
            recorded = await clerk.close(trace_id)
        return done if recorded else done.model_copy(update={"trace_id": None})

    def _let_go(self, destination: str) -> frozenset[str]:
        return let_go(self._delivery.releases, self._kept.values(), destination)

    async def _walk(self, work: Assignment) -> DispatchedPhase:
        """Asks one candidate after the other, until one answers, one may not be passed over, or the time is up."""
        routed = work.routed
        own = routed.rule.deadline_s if routed.rule else None
        seconds = own or self._tools.limits.deadline_s
        deadline = anyio.current_time() + seconds
        work = replace(work, least_s=least_of(seconds))
        failures: list[Failed] = []
        for candidate in routed.candidates:
            if candidate.provider == HOST:
                if self._host_may_have(work.answers, work.bound, candidate):
                    return self._handed_over(work, failures, candidate)
                failures.append(_kept_from_host(candidate))
                continue
            answer = await self._tried(work, candidate, deadline, failures)
            if answer is not None and not escalates(routed, answer):
                return await self._completed(work, candidate, answer, failures)
            if answer is not None:
                return await self._escalated(work, deadline, failures, Cut(candidate, answer))
            if proven(routed, failures[-1]) and not self._may_cost_twice(failures[-1]):
                return await self._escalated(work, deadline, failures)
            if is_late(work, deadline) or self._must_stop(failures[-1]):
                return outcomes.failed(routed, failures, work.trace_id)
        if self._may_hand_over(work, failures):
            return self._handed_over(work, failures)
        return outcomes.failed(routed, failures, work.trace_id, exhausted=True)

    async def _escalated(
        self, work: Assignment, deadline: float, failures: list[Failed], cut: Cut | None = None
    ) -> DispatchedPhase:
        """What becomes of a phase whose model provably failed, noted with the attempt that failed."""
        spans.note_escalation(work.routed.escalation)
        proof = cut.failed() if cut else failures[-1]
        done = await self._on_a_stronger(work, deadline, failures, cut)
        followup = "yes_awaited" if done.status == "approval_required" else "escalated" if done.escalated else None
        await self._tools.note(proof, followup, cause=cause_of(proof.error))
        return done

    async def _on_a_stronger(
        self, work: Assignment, deadline: float, failures: list[Failed], cut: Cut | None
    ) -> DispatchedPhase:
        """Asks those that the rule escalates to; an answer that was only cut stands where none of them has a better."""
        before = tuple(failures)
        failures += [cut.failed()] if cut else []
        first = len(failures)
        for candidate in work.routed.escalation:
            if candidate.provider == HOST:
                if self._host_may_have(work.answers, work.bound, candidate):
                    return outcomes.escalated(self._handed_over(work, failures, candidate))
                failures.append(_kept_from_host(candidate))
                continue
            answer = await self._tried(work, candidate, deadline, failures, stronger=True)
            if answer is not None:
                return await self._completed(work, candidate, answer, failures, escalated=True)
            if is_late(work, deadline) or self._must_stop(failures[-1]):
                break
        stronger = failures[first:]
        escalated = any(map(outcomes.was_asked, stronger))
        if cut is not None:
            asks = any(failure.error.code is Code.APPROVAL_REQUIRED for failure in stronger)
            spent = (*before, *stronger)
            return await self._completed(work, cut.candidate, cut.answer, spent, escalated=escalated, asks=asks)
        if self._may_hand_over(work, failures):
            return outcomes.escalated(self._handed_over(work, failures))
        late = is_unsent_for_time(failures[-1].error)
        undone = outcomes.failed(work.routed, failures, work.trace_id, exhausted=not late)
        return outcomes.escalated(undone) if escalated else undone

    async def _tried(
        self, work: Assignment, candidate: Candidate, deadline: float, failures: list[Failed], *, stronger: bool = False
    ) -> Answered | None:
        """The candidate's answer, or None with the failure noted; the same model again only as the table says."""
        standing = self._standing
        if stronger and is_late(work, deadline):
            failures.append(Failed(candidate, out_of_time()))
            return None
        spans.note_turn(candidate, failures)
        if failures and not stronger:
            await self._tools.note(failures[-1], "fallback")
        for repetition in range(1 + self._tools.limits.max_retries):
            standing.phase = work.routed.phase.index
            standing.begin(f"{work.routed.phase.intent.name} on {candidate.written}{', escalated' if stronger else ''}")
            outcome = await attempt(self._tools, work, candidate, deadline=deadline, heard=self._heard)
            if isinstance(outcome, Answered):
                return outcome
            outcome = self._tellable(outcome)
            failures.append(outcome)
            spans.note_failure(outcome)
            law = reaction(outcome.error)
            if repetition == self._tools.limits.max_retries or not law.again or self._must_stop(outcome):
                return None
            wait = self._tools.waits.before(repetition, outcome.error.retry_after_s)
            if is_late(work, deadline - wait):
                return None
            standing.step = f"waiting {wait:.0f} s before it is asked again"
            spans.note_retry(outcome, wait)
            await self._tools.note(outcome, "again", wait_s=wait)
            await anyio.sleep(wait)
        return None

    def _tellable(self, failure: Failed) -> Failed:
        """A failure as the host may hear of it: a server's own words may repeat what it was sent."""
        if failure.label is None or self._delivery.shows_restricted:
            return failure
        return replace(failure, error=failure.error.without_words())

    def _heard(self, tokens: int) -> None:
        self._standing.tokens = tokens

    def _may_cost_twice(self, failure: Failed) -> bool:
        return failure.uncertain and self._tools.limits.on_uncertain == "stop"

    def _must_stop(self, failure: Failed) -> bool:
        return self._may_cost_twice(failure) or not reaction(failure.error).go_on

    def _host_may_have(self, answers: Sequence[Piece], bound: Bound, candidate: Candidate | None = None) -> bool:
        """Whether the host may do what builds on these answers; without a candidate nobody knows on which model."""
        if bound.only and (candidate is None or self._tools.serves(candidate, bound.only) is not None):
            return False
        free = self._let_go(HOST_DESTINATION)
        held = any(answer.label and answer.sha256 not in free for answer in answers)
        return self._delivery.host.locality is Locality.LOCAL or not (held or bound.local)

    def _may_hand_over(self, work: Assignment, failures: Sequence[Failed]) -> bool:
        """Whether the host takes over where no candidate is left. What waits for a person is not taken from them."""
        asks = any(failure.error.code is Code.APPROVAL_REQUIRED for failure in failures)
        return work.routed.host_model is not None and not asks and self._host_may_have(work.answers, work.bound)

    def _handed_over(
        self, work: Assignment, failures: Sequence[Failed], candidate: Candidate | None = None
    ) -> DispatchedPhase:
        routed, host = work.routed, self._delivery.host
        model = candidate.facts.ref.model if candidate else routed.host_model or CURRENT
        handed = handoff(routed.phase, work.context, routed.floor, host, routed.decision.effort, model)
        return outcomes.handed_over(routed, handed, failures, work.trace_id)

    async def _completed(
        self,
        work: Assignment,
        candidate: Candidate,
        answer: Answered,
        failures: Sequence[Failed],
        *,
        escalated: bool = False,
        asks: bool = False,
    ) -> DispatchedPhase:
        """The phase with an answer; `asks` where a person's yes to a better one is waited for."""
        phase, delivery = work.routed.phase, self._delivery
        text = answer.whole
        digest = digest_of(text)
        if len(text) <= SMALL:
            secrets = self._tools.bounds.scans.of(text, digest)
        else:
            secrets = await anyio.to_thread.run_sync(self._tools.bounds.scans.of, text, digest)
        if secrets:
            answer = replace(answer, label="restricted")  # wherever the model has it from
        if delivery.conversation is not None and not asks:
            await delivery.conversation.note(work, candidate.resolved, answer, secrets)
        piece = Piece(
            block=Block(f"Answer of the step before ({phase.intent.name})", text),
            path=answer_name(phase.index),
            sha256=digest,
            tokens=count_tokens(text),
            label=answer.label,
            kind="answer",
            forms=answer.seen,
        )
        self._tools.known.append(piece)
        withheld = answer.label == "restricted" and not delivery.shows_restricted
        done = outcomes.completed(work.routed, candidate, answer, failures, work.trace_id, named=not withheld)
        done = outcomes.escalated(done) if escalated else done
        done = outcomes.awaits_yes(done) if asks else done
        whole, patch = done, done.patch
        if withheld:
            try:
                kept = await anyio.to_thread.run_sync(delivery.files.keep, text, patch)
                done = outcomes.in_a_file(done, kept.model_copy(update={"reason": told(secrets) if secrets else ""}))
            except StateUnavailable as error:
                return outcomes.lost(done, error)
        holds = [self._kept[d].hold for d in phase.depends_on]
        hold = hold_on(work, answer.seen, self._tools.bounds.guard, holds, secret=bool(secrets))
        before = work.before
        if patch is not None and answer.patched is not None:
            before = before.with_patch(phase.index, patch, answer.patched.after)
        stands_by = () if asks else known_by(work.routed)  # what is waited for is asked anew
        self._kept[phase.index] = Done(stands_by, done, piece, hold, whole, before)
        if answer.label and delivery.look_up is not None:  # somebody may have let this very text go before
            found = await anyio.to_thread.run_sync(delivery.look_up, self._kept)
            self._delivery = replace(delivery, releases=found)
        return self._shown(self._kept[phase.index])

    def _shown(self, done: Done) -> DispatchedPhase:
        """A completed phase as the host may see it now."""
        if done.phase.withheld is None or done.piece.sha256 not in self._let_go(HOST_DESTINATION):
            return done.phase
        return outcomes.released(done.whole)


def _kept_from_host(candidate: Candidate) -> Failed:
    text = "it builds on an answer that must stay on this machine"
    return Failed(candidate, ProviderError(text, code=Code.RESTRICTED_CONTENT))
