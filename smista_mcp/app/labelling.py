"""The context of tasks whose workspace nobody looks at: cases of policies, tasks of a file."""

import posixpath
from collections.abc import Sequence

from smista_mcp.context.collection import CollectRequest, collect
from smista_mcp.context.spelling import spellings
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.policy_tests import with_items
from smista_mcp.core.redaction import shown
from smista_mcp.core.snapshot import Rulebook
from smista_mcp.core.task import Phase, Task
from smista_mcp.errors import Code, SmistaError


def labelled(task: Task, phases: Sequence[Phase], book: Rulebook) -> tuple[PhaseContext, ...]:
    """The paths of each phase as a call finds them where there is no workspace, each taken for a file that exists.

    No file, link or repository is looked at, so that the answer is the same on every machine.

    Raises:
        SmistaError: `path_outside_workspace` for a path of the task that leads out, whatever the workspace.
    """
    for path in task.paths:
        _check_inside(path)
    request = CollectRequest(task=task, phases=tuple(phases), root=None, restricted=book.guard.unsendable, environ={})
    return tuple(_labels(one.context) for one in collect(request))


def _labels(context: PhaseContext) -> PhaseContext:
    """Without what is only missing because there is no workspace."""
    avoided = {path.path for path in context.paths if not path.required}
    kept = tuple(gone for gone in context.left_out if gone.path in avoided)
    return with_items(context._replace(left_out=kept))


def _check_inside(path: str) -> None:
    text = posixpath.normpath(spellings(path)[-1].text)
    if text == ".." or text.startswith(("../", "/", "~")):
        raise SmistaError(
            f"`{shown(path)}` is outside the workspace",
            fix="name paths inside the workspace, relative to its root",
            code=Code.PATH_OUTSIDE_WORKSPACE,
        )
