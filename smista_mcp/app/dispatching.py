"""Dispatch as a running thing: jobs, one sender, embedded servers, ended together."""

import hashlib
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import anyio.to_thread

from smista_mcp.app.availability import models_folder
from smista_mcp.app.caller import Caller
from smista_mcp.app.preparing import Prepared, prepare
from smista_mcp.app.world import World, period_start, utc_now
from smista_mcp.context.collection import Collected
from smista_mcp.core.clearance import Bounds
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase, overall
from smista_mcp.core.facts import ContextItem
from smista_mcp.core.pieces import Block, Piece
from smista_mcp.core.redaction import redacted
from smista_mcp.core.secretscan import told
from smista_mcp.core.task import Task
from smista_mcp.dispatch.allowance import Allowance
from smista_mcp.dispatch.answerfiles import AnswerFiles
from smista_mcp.dispatch.attempts import Tools
from smista_mcp.dispatch.connections import Connections
from smista_mcp.dispatch.jobs import Job, Jobs, Listener, Standing
from smista_mcp.dispatch.phases import Delivery, PhaseWork, carry_out
from smista_mcp.ledger import SpendingLimit
from smista_mcp.providers.llamacpp import EmbeddedServers
from smista_mcp.providers.sender import Authorities, Sender

_UNRECORDED = "nothing of this was recorded: the ledger cannot be written (see `smista-mcp models`)"


class Dispatching:
    """What carries tasks out. Made by `dispatching`."""

    def __init__(self, world: World, jobs: Jobs, sender: Sender, servers: EmbeddedServers) -> None:
        self._world = world
        self._jobs = jobs
        self._sender = sender
        self._connections = Connections(
            servers, world.settings.environment.secret, lambda spec: models_folder(spec, world.state)
        )

    async def dispatch(
        self, task: Task, caller: Caller, *, listener: Listener | None, limit_s: float | None
    ) -> DispatchAnswer:
        """Carries a task out, or joins the job that carries the same one out for the same client right now."""

        async def work(job: Job) -> DispatchAnswer:
            prepared = await anyio.to_thread.run_sync(prepare, self._world, task, caller, abandon_on_cancel=True)
            job.decisions = tuple(one.decision.decision_id for one in prepared.routed)
            return await self._carried_out(prepared, job.standing)

        key = hashlib.sha256(f"{caller.owner}\0{task.model_dump_json()}".encode()).hexdigest()
        return await self._jobs.run(key, work, listener=listener, limit_s=limit_s, owner=caller.owner)

    async def join(
        self, job_id: str, caller: Caller, *, listener: Listener | None, limit_s: float | None
    ) -> DispatchAnswer:
        return await self._jobs.join(job_id, listener=listener, limit_s=limit_s, owner=caller.owner)

    def decisions_of(self, job_id: str, caller: Caller) -> tuple[str, ...]:
        """Ids of the decisions that a job of this process carries out for the caller."""
        job = self._jobs.find(job_id, caller.owner)
        return job.decisions if job else ()

    async def _carried_out(self, prepared: Prepared, standing: Standing) -> DispatchAnswer:
        policy, world = prepared.book.policy, self._world
        pieces = [_pieces(collected) for collected in prepared.collected]
        tools = Tools(
            sender=self._sender,
            connections=self._connections,
            ledger=prepared.ledger,
            providers=policy.providers,
            limits=policy.dispatch,
            budgets=[
                SpendingLimit(budget.scope, period_start(budget.period, utc_now()), budget.limit)
                for budget in policy.budgets
                if budget.period != "task"
            ],
            allowance=Allowance(policy.budgets),
            bounds=Bounds(prepared.book.guard, prepared.scans),
            now=utc_now,
            key=world.key() or secrets.token_bytes(32),  # no key can be kept: then nobody can compare either
            workspace=prepared.workspace,
            known=[piece for one in pieces for piece in one],
        )
        work = [
            PhaseWork(routed, collected.context, own)
            for routed, collected, own in zip(prepared.routed, prepared.collected, pieces, strict=True)
        ]
        files = AnswerFiles(world.state / "answers", world.state_refusal)
        delivery = Delivery(prepared.host, policy.host_answers, files)
        phases = await carry_out(tools, work, delivery, standing)
        unrecorded = () if prepared.ledger is not None else (_UNRECORDED,)
        return _answer(phases, (*policy.notices, *unrecorded))


def _pieces(collected: Collected) -> list[Piece]:
    return [
        Piece(
            block=Block(content.item.path, content.text),
            path=content.item.path,
            sha256=content.item.digest,
            tokens=content.item.tokens,
            required=content.item.required,
            place=place,
            restricted=_restriction(content.item),
            label="restricted" if content.item.derived else None,
            kind=content.item.kind,
            forms=content.item.forms,
        )
        for place, content in enumerate(collected.contents)
    ]


def _restriction(item: ContextItem) -> str | None:
    if item.restricted:
        return f"restricted by `{item.restricted}`"
    return told(item.secrets) if item.secrets else None


def _answer(phases: tuple[DispatchedPhase, ...], notices: tuple[str, ...]) -> DispatchAnswer:
    phases = tuple(phase.model_copy(update={"detail": redacted(phase.detail)}) for phase in phases)
    status = overall(phases)
    codes = [phase.code for phase in phases if phase.status == status and phase.code]
    traces = [phase.trace_id for phase in phases if phase.trace_id]
    return DispatchAnswer(
        status=status,
        code=codes[0] if codes else None,
        phases=phases,
        next=_next(phases),
        receipt_id=traces[0] if traces else None,
        trace_id=traces[0] if traces else None,
        notices=notices,
    )


def _next(phases: tuple[DispatchedPhase, ...]) -> str | None:
    """What the host should do now, in words."""
    return "\n".join(filter(None, map(_step, phases))) or None


def _step(phase: DispatchedPhase) -> str | None:
    name = f"phase {phase.phase} ({phase.intent})"
    if phase.status == "handoff":
        return f"{name} is yours: {phase.handoff.detail}" if phase.handoff else f"{name} {phase.detail}"
    if phase.status == "approval_required":
        return f"{name} needs a person: {phase.detail}"
    if phase.withheld is not None:
        return f"the answer of {name} is for the user alone, in {phase.withheld.path}"
    return f"{name}: {phase.detail}" if phase.status in ("failed", "refused") else None


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
        await group.__aenter__()
        # told of no exception, so that one that passes through here is not wrapped into a group
        stack.push_async_callback(group.__aexit__, None, None, None)
        stack.callback(group.cancel_scope.cancel)
        yield Dispatching(world, Jobs(group, lambda: secrets.token_hex(16)), sender, servers)
