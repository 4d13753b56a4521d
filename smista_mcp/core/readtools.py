"""Which tools a delegate looks around the workspace with, and how far they go.

Only reading is ever offered. A tool is of use where the work is about the code that lies there; what needs no more
than it is given (a commit message, a summary, a prompt, layout) is asked as before, without any.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.values import Grant, Intent

READ_TOOLS: Final = ("read_file", "list_files", "search", "git_diff")
"""All tools that there are, in the order in which they are offered."""

_LOOKING = frozenset(
    {
        *(Intent.ANALYZE, Intent.PLAN, Intent.EDIT, Intent.REFACTOR, Intent.TEST),
        *(Intent.DOCUMENT, Intent.REVIEW, Intent.SKILL),
    }
)
"""Work that is about a workspace whatever its words name. `summarize`, `commit`, `format` and `prompt` work on what
they are given; a question profits only where it names something of the workspace."""


class ToolCaps(NamedTuple):
    """How far the tools of one attempt go.

    Attributes:
        rounds: answers with calls that are followed up; then the model is asked once more, without tools.
        calls: of one answer that are carried out.
        result_bytes: of one result; `total_bytes` of all.
        listed: names that one listing gives; `hits` that one search gives.
        files: that one listing or search looks at.
        file_bytes: of one file; `searched_bytes` of all that one search reads.
        line: characters of a line that a search shows.
        call_s: seconds of one call; `all_s` of all.
    """

    rounds: int = 6
    calls: int = 8
    result_bytes: int = 24_000
    total_bytes: int = 64_000
    listed: int = 400
    hits: int = 100
    files: int = 5_000
    file_bytes: int = 1_000_000
    searched_bytes: int = 32_000_000
    line: int = 240
    call_s: float = 10.0
    all_s: float = 60.0


CAPS: Final = ToolCaps()
_BYTES_A_TOKEN = 3
"""Of the text that tools give: cautious, for code has three to four."""


def most_tokens(caps: ToolCaps = CAPS) -> int:
    """What the results of one attempt add to its prompt at most, with factor 1; so many in every further round."""
    return -(-caps.total_bytes // _BYTES_A_TOKEN)


def tools_of(
    intent: Intent, grants: Mapping[str, Grant], context: PhaseContext, allowed: Collection[str] | None = None
) -> tuple[str, ...]:
    """The tools that a phase offers to a model that can call any.

    `ask` gives none: nobody can be asked while a model works. A diff shows what files hold, so it needs both grants.

    Args:
        intent: of the phase.
        grants: `file_read` and `git`, as they hold for the phase.
        context: of the phase.
        allowed: the tools that a skill leaves; None where there is none that says so.
    """
    if grants["file_read"] is not Grant.ALLOW or not _profits(intent, context):
        return ()
    given = READ_TOOLS if grants["git"] is Grant.ALLOW else READ_TOOLS[:-1]
    return tuple(tool for tool in given if allowed is None or tool in allowed)


def _profits(intent: Intent, context: PhaseContext) -> bool:
    return intent in _LOOKING or (intent is Intent.CHAT and any(path.required for path in context.paths))
