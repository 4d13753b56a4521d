"""Dispatch as a running thing: jobs, one sender, embedded servers, ended together."""

import hashlib
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Literal

import anyio
import anyio.to_thread

from smista_mcp.app.answered import after_refusals
from smista_mcp.app.availability import models_folder
from smista_mcp.app.caller import Caller
from smista_mcp.app.consents import Consents
from smista_mcp.app.deliveries import note_deliveries
from smista_mcp.app.jobrecords import JobRecords
from smista_mcp.app.outcome import cut_short, has_labels, told, without_labelled
from smista_mcp.app.preparing import Prepared, prepare
from smista_mcp.app.recalling import Talk
from smista_mcp.app.tidying import keep_tidy
from smista_mcp.app.world import World, period_start, utc_now
from smista_mcp.context.collection import Collected
from smista_mcp.context.survey import Caps, Survey
from smista_mcp.core.clearance import Bounds
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.facts import ContextItem
from smista_mcp.core.pieces import Block, Piece
from smista_mcp.core.secretscan import told as told_secrets
from smista_mcp.core.task import Task
from smista_mcp.core.turns import Turn
from smista_mcp.dispatch.allowance import Allowance
from smista_mcp.dispatch.answerfiles import AnswerFiles
from smista_mcp.dispatch.attempts import Tools
from smista_mcp.dispatch.bindings import serves_none, serving
from smista_mcp.dispatch.caching import Thread
from smista_mcp.dispatch.claims import Claims
from smista_mcp.dispatch.clerk import Clerk
from smista_mcp.dispatch.cli_targets import cli_target
from smista_mcp.dispatch.connections import Connections
from smista_mcp.dispatch.conversation import Conversation
from smista_mcp.dispatch.jobs import AT_ONCE, Job, Jobs, Wait
from smista_mcp.dispatch.phases import Delivery, PhaseWork, carry_out
from smista_mcp.dispatch.releases import Done
from smista_mcp.errors import PolicyInvalid
from smista_mcp.ledger import Ledger, SpendingLimit
from smista_mcp.providers.llamacpp import EmbeddedServers
from smista_mcp.providers.sender import Authorities, Sender

_UNRECORDED = "nothing of this was recorded: the ledger cannot be written (see `smista-mcp models`)"


class Dispatching:
    """What carries tasks out. Made by `dispatching`."""

    def __init__(self, world: World, jobs: Jobs, sender: Sender, servers: EmbeddedServers) -> None:
        self._world = world
        self.consents = Consents(world)
        self._records = JobRecords(world)
        self._jobs = jobs
        self._sender = sender
        self._clerk: Clerk | None = None
        self._connections = Connections(
            servers,
            world.settings.environment.secret,
            lambda spec: models_folder(spec, world.state),
            lambda spec, model: cli_target(
                spec, model, world.settings.environment.variables, world.own_state() / "clis"
            ),
            world.protocols.spoken,
        )

    async def dispatch(self, task: Task, caller: Caller, wait: Wait) -> DispatchAnswer:
        """Carries a task out, or joins the job that carries the same one out for the same client right now."""
        kept: dict[int, Done] = {}
        talk = Talk(self._world, task, caller)

        async def work(job: Job) -> DispatchAnswer:
            await self.catch_up()  # what is late counts in what budgets have left
            turns = await anyio.to_thread.run_sync(talk.turns)
            # awaited also where the job is cancelled: what is recorded here, a running job among it, needs its end
            prepared = await anyio.to_thread.run_sync(self._decided, task, caller, turns, job.job_id)
            job.decisions = tuple(one.decision.decision_id for one in prepared.routed)
            job.revision = prepared.book.policy.revision
            try:
                conversation = await anyio.to_thread.run_sync(talk.conversation, prepared.ledger)
                session = conversation.session
                thread = None if session is None else Thread(session.session_id, turns)
                answer = job.answer = await self._carried_out(prepared, job, kept, conversation, thread)
            except anyio.get_cancelled_exc_class():
                job.answer = cut_short(prepared.routed, kept)
                raise
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self._records.ended, job.job_id, job.answer, kept)
            return answer

        key = hashlib.sha256(f"{caller.owner}\0{task.model_dump_json()}".encode()).hexdigest()
        earlier = self._jobs.asking(key, caller.owner)
        if earlier is not None and await self._may_go_on(earlier):
            return await self._now(await self._jobs.again(earlier, wait))
        return await self._jobs.run(key, work, wait, owner=caller.owner)

    def _decided(self, task: Task, caller: Caller, turns: Sequence[Turn] | None, job_id: str) -> Prepared:
        prepared = prepare(self._world, task, caller, turns, job_id)
        self._records.begun(job_id)
        return prepared

    async def join(self, job_id: str, caller: Caller, wait: Wait, *, anywhere: bool = False) -> DispatchAnswer:
        """Waits for a job; one that had to stop for a person's yes goes on once there is one.

        What was shown of labelled answers when the job ended is shown again only under the same policy. Of a job that
        this process does not know, the record is told: `anywhere` whoever began it.
        """
        job = self._jobs.find(job_id, caller.owner)
        if job is None:
            return await self._now(await self._records.joined(job_id, caller, wait, anywhere=anywhere))
        if job.ended.is_set() and await self._may_go_on(job):
            return await self._now(await self._jobs.again(job, wait))
        return await self._stands(job, wait)

    async def kept(self, job_id: str, caller: Caller) -> DispatchAnswer:
        """The answer of a job as it stands, told as by `join`; nothing goes on and nobody waits."""
        job = self._jobs.find(job_id, caller.owner)
        if job is None:
            return await self._now(await self._records.joined(job_id, caller, AT_ONCE, anywhere=False))
        return await self._stands(job, AT_ONCE)

    async def _stands(self, job: Job, wait: Wait) -> DispatchAnswer:
        answer = await self._now(await self._jobs.join(job.job_id, wait, owner=job.owner))
        if not has_labels(answer) or await anyio.to_thread.run_sync(self._still_holds, job.revision):
            return answer
        return without_labelled(answer)

    def cancel(self, theirs: Callable[[str], bool]) -> None:
        """Ends every running job of the owners that this says."""
        self._jobs.cancel(theirs)

    async def catch_up(self) -> None:
        """Writes what could not be written when it was due, as far as that can be done now."""
        if self._clerk is not None:
            await self._clerk.catch_up()

    async def _now(self, answer: DispatchAnswer) -> DispatchAnswer:
        """An answer that was told before, as it stands after what people have said since."""
        if answer.approval_id is None:
            return answer
        return await anyio.to_thread.run_sync(after_refusals, answer, self.consents)

    def _still_holds(self, revision: str) -> bool:
        try:
            return self._world.book().policy.revision == revision
        except PolicyInvalid:
            return False

    async def _may_go_on(self, job: Job) -> bool:
        return bool(job.asked) and await anyio.to_thread.run_sync(self.consents.any_granted, set(job.asked))

    def decisions_of(self, job_id: str, caller: Caller) -> tuple[str, ...]:
        """Ids of the decisions that a job of this process carries out for the caller."""
        job = self._jobs.find(job_id, caller.owner)
        return job.decisions if job else ()

    async def _carried_out(
        self,
        prepared: Prepared,
        job: Job,
        kept: dict[int, Done],
        conversation: Conversation,
        thread: Thread | None,
    ) -> DispatchAnswer:
        policy, world, consents = prepared.book.policy, self._world, self.consents
        limits = [budget for budget in policy.budgets if prepared.caller.counts_for(budget.scope)]
        pieces = [_pieces(collected) for collected in prepared.collected]
        tools = Tools(
            sender=self._sender,
            connections=self._connections,
            clerk=self._clerk_of(prepared.ledger),
            providers=policy.providers,
            limits=policy.dispatch,
            budgets=[
                SpendingLimit(budget.scope, period_start(budget.period, utc_now()), budget.limit)
                for budget in limits
                if budget.period != "task"
            ],
            allowance=Allowance(limits, job.spent),
            claims=Claims(await anyio.to_thread.run_sync(consents.book_or_none), utc_now),
            bounds=Bounds(prepared.book.guard, prepared.scans),
            now=utc_now,
            cooldowns=world.cooldowns,
            waits=world.waits,
            key=world.key() or secrets.token_bytes(32),  # no key can be kept: then nobody can compare either
            workspace=prepared.workspace,
            token=prepared.caller.token,
            survey=self._survey(prepared),
            known=[piece for one in pieces for piece in one],
            serves=serving(policy, prepared.catalog) if prepared.catalog is not None else serves_none,
            thread=thread,
        )
        work = [
            PhaseWork(routed, collected.context, own, place)
            for routed, collected, own, place in zip(
                prepared.routed, prepared.collected, pieces, prepared.places, strict=True
            )
        ]
        files = AnswerFiles(world.state / "answers", world.state_refusal)
        await anyio.to_thread.run_sync(files.forget, utc_now().timestamp())
        releases = await anyio.to_thread.run_sync(consents.releases, prepared, kept)
        look_up = partial(consents.releases, prepared)
        delivery = Delivery(prepared.host, policy.host_answers, files, releases, conversation, look_up)
        phases = await carry_out(tools, work, delivery, job.standing, kept)
        if prepared.ledger is not None and (key := world.key()):
            await anyio.to_thread.run_sync(note_deliveries, prepared.ledger, phases, kept, prepared.host.name, key)
        asked = await anyio.to_thread.run_sync(consents.ask, prepared, phases, kept)
        job.asked = asked.ids
        unrecorded = () if prepared.ledger is not None else (_UNRECORDED,)
        answer = told(phases, asked, job.job_id, (*prepared.notices, *unrecorded, *conversation.troubles))
        session = conversation.session
        return answer if session is None else answer.model_copy(update={"session": session.session_id})

    def _clerk_of(self, ledger: Ledger | None) -> Clerk | None:
        """The one clerk of a ledger, so that what several dispatches record can go together."""
        if ledger is not None and (self._clerk is None or self._clerk.ledger is not ledger):
            self._clerk = Clerk(ledger)
        return None if ledger is None else self._clerk

    def _survey(self, prepared: Prepared) -> Callable[[], Survey] | None:
        settings = self._world.settings
        root, environ = settings.workspace, settings.environment.variables
        return None if root is None else lambda: Survey(root, prepared.book.guard.unsendable, Caps(), environ)


_FOLLOWED: Mapping[str, Literal["workflow", "conventions"]] = {"skill": "workflow", "instructions": "conventions"}


def _pieces(collected: Collected) -> list[Piece]:
    return [
        Piece(
            block=Block(_title(content.item), content.text, followed=_FOLLOWED.get(content.item.kind)),
            path=content.item.path,
            sha256=content.item.digest,
            tokens=content.item.tokens,
            required=content.item.required,
            place=place,
            restricted=_restriction(content.item),
            label=content.item.derived,
            kind="turn" if content.item.kind == "answer" else content.item.kind,
            forms=content.item.forms,
        )
        for place, content in enumerate(collected.contents)
    ]


def _title(item: ContextItem) -> str:
    return f"Earlier in this conversation ({item.path})" if item.kind == "answer" else item.path


def _restriction(item: ContextItem) -> str | None:
    if item.restricted:
        return f"restricted by `{item.restricted}`"
    return told_secrets(item.secrets) if item.secrets else None


def _authorities(environ: Mapping[str, str]) -> Authorities:
    """What the user wants to be believed in place of the customary authorities, as OpenSSL's own variables say it."""
    return Authorities(environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR"))


@asynccontextmanager
async def dispatching(world: World) -> AsyncGenerator[Dispatching]:
    """Opens what dispatch needs; on leaving, running jobs are cancelled and every child is ended."""
    async with (
        Sender(lambda: utc_now().timestamp(), _authorities(world.settings.environment.variables)) as sender,
        EmbeddedServers() as servers,
        AsyncExitStack() as stack,
    ):
        group = anyio.create_task_group()
        at_work = Dispatching(world, Jobs(group, lambda: secrets.token_hex(16)), sender, servers)
        stack.push_async_callback(at_work.catch_up)
        await group.__aenter__()
        # told of no exception, so that one that passes through here is not wrapped into a group
        stack.push_async_callback(group.__aexit__, None, None, None)
        stack.callback(group.cancel_scope.cancel)
        group.start_soon(keep_tidy, world)
        yield at_work
