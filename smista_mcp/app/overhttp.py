"""What a caller over HTTP has to be told: it sits elsewhere than the files and the models that an answer is about."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from smista_mcp.app.caller import Caller
from smista_mcp.core.routing import Routed
from smista_mcp.core.task import Task
from smista_mcp.core.values import Locality

LABELS_ONLY = (
    "this server reads no files: `paths` only say what the work is about and are never opened; send what a model has to"
    " see as `diff` or in `attachments`"
)
LOCAL_HERE = "`local` means on the machine of this server, not on yours"


def remarks_over_http(root: Path | None, task: Task, caller: Caller, routed: Sequence[Routed]) -> Iterator[str]:
    """What is worth saying of one call; nothing where the host holds our pipes.

    Args:
        root: below which files are read; None where none are.
        task: what is asked.
        caller: who asks.
        routed: what was decided.
    """
    if not caller.over_http:
        return
    if root is None and task.paths:
        yield LABELS_ONLY
    if any(one.decision.locality is Locality.LOCAL for one in routed):
        yield LOCAL_HERE
