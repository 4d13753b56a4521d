"""Sessions of a call: which one is meant, what its turns add to the context, and where the new turns go."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smista_mcp.app.caller import Caller
from smista_mcp.app.world import World, utc_now
from smista_mcp.context.collection import Collected, Content
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.turns import NEW, Recalled, Turn, recalled, repetitions
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import Ledger
from smista_mcp.ledger.sessions import SessionKey

if TYPE_CHECKING:
    from smista_mcp.dispatch.conversation import Conversation

_UNBEGUN = "no session was begun: the ledger cannot be written"


def _session_of(world: World, task: Task, caller: Caller) -> SessionKey | None:
    """The session that a call goes on with; None where it names none, or one that is yet to begin."""
    if task.session is None or task.session == NEW:
        return None
    return SessionKey(task.session, caller.owner, world.workspace_digest())


def earlier_turns(world: World, task: Task, caller: Caller) -> tuple[Turn, ...]:
    """The turns of the session that a call goes on with. Nothing is written.

    Raises:
        InvalidTask: there is no such session of this caller here.
        StateUnavailable: the ledger cannot be read, so that nobody knows what the session holds.
    """
    session = _session_of(world, task, caller)
    return () if session is None else world.open_ledger().sessions.turns(session, utc_now())


def with_turns(
    turns: Sequence[Turn], task: Task, collected: Sequence[Collected], phases: Sequence[Phase]
) -> tuple[Collected, ...]:
    """The context of every phase with earlier turns behind it."""
    given = (task.diff or "", *(attachment.content for attachment in task.attachments))
    repeated = repetitions(turns, task.text, phases, given)
    return tuple(
        _joined(one, recalled(turns, phase, one.context, numbers))
        for one, phase, numbers in zip(collected, phases, repeated, strict=True)
    )


def _joined(collected: Collected, found: Recalled) -> Collected:
    context = collected.context
    context = context._replace(
        items=(*context.items, *(item for item, _ in found.items)), left_out=(*context.left_out, *found.left_out)
    )
    return collected._replace(
        context=context, contents=(*collected.contents, *(Content(item, text) for item, text in found.items))
    )


class Talk:
    """The session of one job, however often the job goes on: where it stood at first, and where its answers go.

    A job that goes on sees the turns that it saw at first. Its own are among the session's by then, and what was
    decided with the former would be decided anew.
    """

    def __init__(self, world: World, task: Task, caller: Caller) -> None:
        self._world = world
        self._task = task
        self._caller = caller
        self._turns: tuple[Turn, ...] | None = None
        self._conversation: Conversation | None = None

    def turns(self) -> tuple[Turn, ...]:
        """The turns before the job.

        Raises:
            InvalidTask: there is no such session of this caller here.
            StateUnavailable: the ledger cannot be read.
        """
        if self._turns is None:
            self._turns = earlier_turns(self._world, self._task, self._caller)
        return self._turns

    def conversation(self, ledger: Ledger | None) -> "Conversation":
        """Where answers are taken down; the session is begun where the task asks for a new one.

        What is kept no longer is erased on the way.

        Raises:
            InvalidTask: the session has ended meanwhile.
            StateUnavailable: that session cannot be written.
        """
        from smista_mcp.dispatch.conversation import Conversation  # noqa: PLC0415  what only routes has none

        if self._conversation is None:
            session, trouble = self._opened(ledger)
            self._conversation = Conversation(ledger, session, utc_now, [trouble] if trouble else [])
        return self._conversation

    def _opened(self, ledger: Ledger | None) -> tuple[SessionKey | None, str]:
        """The session that is written to, and why there is none for a task that asks for one."""
        task, now = self._task, utc_now()
        if ledger is None:
            return None, _UNBEGUN if task.session else ""
        session = _session_of(self._world, task, self._caller)
        if session is not None:
            ledger.sessions.touch(session, now)
            return session, ""
        try:
            sessions = ledger.sessions  # needs the key, which nobody may be able to make
            if task.session == NEW:
                return sessions.begin(self._caller.owner, self._world.workspace_digest(), now), ""
            sessions.forget(now)
        except StateUnavailable as error:
            return None, f"{_UNBEGUN}: {error.message}" if task.session else ""
        return None, ""
