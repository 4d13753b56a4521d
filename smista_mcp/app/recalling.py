"""Sessions of a call: which one is meant, what its turns add to the context, and where the new turns go."""

from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.app.caller import Caller
from smista_mcp.app.world import World, utc_now
from smista_mcp.context.collection import Collected, Content
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.turns import NEW, Recalled, recalled, repetitions
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import Ledger
from smista_mcp.ledger.sessions import SessionKey

_UNBEGUN = "no session was begun: the ledger cannot be written"


def session_of(world: World, task: Task, caller: Caller) -> SessionKey | None:
    """The session that a call goes on with; None where it names none, or one that is yet to begin."""
    if task.session is None or task.session == NEW:
        return None
    return SessionKey(task.session, caller.owner, world.workspace_digest())


def with_turns(
    world: World, task: Task, caller: Caller, collected: Sequence[Collected], phases: Sequence[Phase]
) -> tuple[Collected, ...]:
    """The context of every phase with the turns of the session that a call goes on with behind it; writes nothing.

    Raises:
        InvalidTask: there is no such session of this caller here.
        StateUnavailable: the ledger cannot be read, so that nobody knows what the session holds.
    """
    session = session_of(world, task, caller)
    if session is None:
        return tuple(collected)
    turns = world.open_ledger().sessions.turns(session, utc_now())
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
    return Collected(context, (*collected.contents, *(Content(item, text) for item, text in found.items)))


class Opened(NamedTuple):
    """The session that the turns of a dispatch go to; where a call asks for one in vain, `trouble` says why."""

    session: SessionKey | None = None
    trouble: str = ""


def opened(world: World, ledger: Ledger | None, task: Task, caller: Caller) -> Opened:
    """The session of a dispatch, begun where the task asks for a new one. What is kept no longer is erased on the way.

    Raises:
        InvalidTask: the session has ended meanwhile.
        StateUnavailable: that session cannot be written.
    """
    if ledger is None:
        return Opened(None, _UNBEGUN if task.session else "")
    sessions, now = ledger.sessions, utc_now()
    session = session_of(world, task, caller)
    if session is not None:
        sessions.touch(session, now)
        return Opened(session)
    try:
        if task.session == NEW:
            return Opened(sessions.begin(caller.owner, world.workspace_digest(), now))
        sessions.forget(now)
    except StateUnavailable as error:
        return Opened(None, f"{_UNBEGUN}: {error.message}" if task.session else "")
    return Opened()
