"""The phases of a task, carried out in order: each on the first candidate that answers, fed by those it waits for."""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace

import anyio
import anyio.to_thread

from smista_mcp.core.digests import digest_of
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.facts import HostFacts, LeftOut, PhaseContext
from smista_mcp.core.handing import handoff
from smista_mcp.core.modelref import CURRENT, HOST
from smista_mcp.core.pieces import Block, Piece
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Intent, Locality, Status
from smista_mcp.dispatch import outcomes
from smista_mcp.dispatch.answerfiles import AnswerFiles
from smista_mcp.dispatch.attempts import Answered, Failed, Tools, attempt
from smista_mcp.dispatch.conversation import Conversation, answer_name
from smista_mcp.dispatch.earlier import all_of
from smista_mcp.dispatch.jobs import Standing
from smista_mcp.dispatch.payloads import Assignment
from smista_mcp.dispatch.reactions import reaction
from smista_mcp.dispatch.releases import Done, Releases, hold_on, known_by
from smista_mcp.errors import Code, ProviderError, StateUnavailable


@dataclass(frozen=True, slots=True)
class PhaseWork:
    """A decided phase with its context and the content of that."""

    routed: Routed
    context: PhaseContext
    pieces: Sequence[Piece]


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
    """

    host: HostFacts
    host_answers: str
    files: AnswerFiles
    releases: Releases = field(default_factory=Releases)
    conversation: Conversation | None = None

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
    run = _Run(tools, delivery, standing, {} if kept is None else kept)
    done: dict[int, DispatchedPhase] = {}
    for work in phases:
        phase = work.routed.phase
        blocking = next((done[d] for d in phase.depends_on if done[d].status != "completed"), None)
        done[phase.index] = outcomes.waiting(work.routed, blocking) if blocking else await run.phase(work)
    return tuple(done.values())


def _missing(work: PhaseWork) -> list[LeftOut]:
    """The files that a phase should read, where it is about them alone and none of them could be read.

    A model that is asked to sum up a file and does not get it makes one up. A change may create its file.
    """
    if work.routed.phase.intent.name not in _READING or any(
        item.required and item.kind != "answer" for item in work.context.items
    ):
        return []
    files = [left for left in work.context.left_out if left.kind == "file" and left.part]
    return [left for left in files if not left.reason.startswith("restricted")]


_READING = frozenset({Intent.CHAT, Intent.ANALYZE, Intent.REVIEW, Intent.SUMMARIZE})


class _Run:
    """One task under way. `kept` holds what completed phases said, by index, for those that wait for it."""

    def __init__(self, tools: Tools, delivery: Delivery, standing: Standing, kept: MutableMapping[int, Done]) -> None:
        self._tools = tools
        self._delivery = delivery
        self._standing = standing
        self._kept = kept

    async def phase(self, work: PhaseWork) -> DispatchedPhase:
        routed = work.routed
        earlier = self._kept.get(routed.phase.index)
        if earlier is not None and earlier.known_by == known_by(routed):
            self._tools.known.append(earlier.piece)
            return self._shown(earlier)
        answers = [self._kept[d].piece for d in routed.phase.depends_on]
        if routed.decision.status is Status.HANDOFF and not self._host_may_have(answers):
            return outcomes.kept_from_host(routed)
        if routed.decision.status is not Status.ROUTED:
            return outcomes.decided(routed)
        missing = _missing(work)
        if missing:
            return outcomes.nothing_to_read(routed, missing)
        trace_id = await self._open_trace(routed)
        released = self._delivery.releases.to
        before = all_of(self._kept[d].before for d in routed.phase.depends_on)
        return await self._walk(Assignment(routed, work.context, work.pieces, answers, trace_id, released, before))

    async def _walk(self, work: Assignment) -> DispatchedPhase:
        """Asks one candidate after the other, until one answers, one may not be passed over, or the time is up."""
        routed = work.routed
        own = routed.rule.deadline_s if routed.rule else None
        deadline = anyio.current_time() + (own or self._tools.limits.deadline_s)
        failures: list[Failed] = []
        for candidate in routed.candidates:
            if candidate.provider == HOST:
                if self._host_may_have(work.answers):
                    return self._handed_over(work, failures, candidate)
                failures.append(_kept_from_host(candidate))
                continue
            answer = await self._tried(work, candidate, deadline, failures)
            if answer is not None:
                return await self._completed(work, candidate, answer, failures)
            if anyio.current_time() >= deadline or self._must_stop(failures[-1]):
                return outcomes.failed(routed, failures, work.trace_id)
        if self._may_hand_over(work, failures):
            return self._handed_over(work, failures)
        return outcomes.failed(routed, failures, work.trace_id, exhausted=True)

    async def _tried(
        self, work: Assignment, candidate: Candidate, deadline: float, failures: list[Failed]
    ) -> Answered | None:
        """The candidate's answer, or None with the failure noted; the same model again only as the table says."""
        standing = self._standing
        for left in reversed(range(1 + self._tools.limits.max_retries)):
            standing.phase, standing.tokens = work.routed.phase.index, 0
            standing.message = f"{work.routed.phase.intent.name} on {candidate.written}"
            outcome = await attempt(self._tools, work, candidate, deadline=deadline, heard=self._heard)
            if isinstance(outcome, Answered):
                return outcome
            outcome = self._tellable(outcome)
            failures.append(outcome)
            wait = outcome.error.retry_after_s
            if not left or wait is None or not reaction(outcome.error).again or self._must_stop(outcome):
                return None
            if anyio.current_time() + wait >= deadline:
                return None
            standing.message = f"waiting {wait:.0f} s, as {candidate.written} asks for"
            await anyio.sleep(wait)
        return None

    def _tellable(self, failure: Failed) -> Failed:
        """A failure as the host may hear of it: a server's own words may repeat what it was sent."""
        if failure.label is None or self._delivery.shows_restricted:
            return failure
        return replace(failure, error=failure.error.without_words())

    def _heard(self, tokens: int) -> None:
        self._standing.tokens = tokens

    def _must_stop(self, failure: Failed) -> bool:
        if failure.uncertain and self._tools.limits.on_uncertain == "stop":
            return True
        return not reaction(failure.error).go_on

    def _host_may_have(self, answers: Sequence[Piece]) -> bool:
        """Whether the host may do what builds on these answers."""
        free = self._delivery.releases.to_host()
        held = any(answer.label and answer.sha256 not in free for answer in answers)
        return self._delivery.host.locality is Locality.LOCAL or not held

    def _may_hand_over(self, work: Assignment, failures: Sequence[Failed]) -> bool:
        """Whether the host takes over where no candidate is left. What waits for a person is not taken from them."""
        asks = any(failure.error.code is Code.APPROVAL_REQUIRED for failure in failures)
        return work.routed.host_model is not None and not asks and self._host_may_have(work.answers)

    def _handed_over(
        self, work: Assignment, failures: Sequence[Failed], candidate: Candidate | None = None
    ) -> DispatchedPhase:
        routed, host = work.routed, self._delivery.host
        model = candidate.facts.ref.model if candidate else routed.host_model or CURRENT
        told = handoff(routed.phase, work.context, routed.floor, host, routed.decision.effort, model)
        return outcomes.handed_over(routed, told, failures, work.trace_id)

    async def _open_trace(self, routed: Routed) -> str | None:
        ledger, decision_id = self._tools.ledger, routed.decision.decision_id
        if ledger is None:
            return None
        try:
            return await anyio.to_thread.run_sync(ledger.open_trace, decision_id, self._tools.now())
        except StateUnavailable:
            return None

    async def _completed(
        self, work: Assignment, candidate: Candidate, answer: Answered, failures: Sequence[Failed]
    ) -> DispatchedPhase:
        phase, delivery = work.routed.phase, self._delivery
        text = answer.whole
        digest = digest_of(text)
        secrets = await anyio.to_thread.run_sync(self._tools.bounds.scans.of, text, digest)
        if secrets:
            answer = replace(answer, label="restricted")  # wherever the model has it from
        if delivery.conversation is not None:
            await delivery.conversation.note(work, candidate.resolved, answer, secrets)
        piece = Piece(
            block=Block(f"Answer of the step before ({phase.intent.name})", text),
            path=answer_name(phase.index),
            sha256=digest,
            tokens=count_tokens(text),
            label=answer.label,
            kind="answer",
        )
        self._tools.known.append(piece)
        withheld = answer.label == "restricted" and not delivery.shows_restricted
        done = outcomes.completed(work.routed, candidate, answer, failures, work.trace_id, named=not withheld)
        whole, patch = done, done.patch
        if withheld:
            try:
                done = outcomes.in_a_file(done, await anyio.to_thread.run_sync(delivery.files.keep, text, patch))
            except StateUnavailable as error:
                return outcomes.lost(done, error)
        holds = [self._kept[d].hold for d in phase.depends_on]
        hold = hold_on(work, answer.seen, self._tools.bounds.guard, holds, secret=bool(secrets))
        before = work.before
        if patch is not None and answer.patched is not None:
            before = before.with_patch(phase.index, patch, answer.patched.after)
        self._kept[phase.index] = Done(known_by(work.routed), done, piece, hold, whole, before)
        return self._shown(self._kept[phase.index])

    def _shown(self, done: Done) -> DispatchedPhase:
        """A completed phase as the host may see it now."""
        if done.phase.withheld is None or done.piece.sha256 not in self._delivery.releases.to_host():
            return done.phase
        return outcomes.released(done.whole)


def _kept_from_host(candidate: Candidate) -> Failed:
    text = "it builds on an answer that must stay on this machine"
    return Failed(candidate, ProviderError(text, code=Code.RESTRICTED_CONTENT))
