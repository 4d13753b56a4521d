"""Which tools a delegate looks around the workspace with, and how far they go.

Only reading is ever offered. A tool is of use where the work is about the code that lies there; what needs no more
than it is given (a commit message, a summary, a prompt, layout) is asked as before, without any.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, cast

from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.values import DELEGATE_TOOLS, Grant, Intent

READ_TOOLS: Final = DELEGATE_TOOLS
"""All tools that there are, in the order in which they are offered."""

_PATH = {"type": "string", "description": "Relative to the workspace, such as src/app.py"}
_GLOB = {"type": "string", "description": "Only files that this gitignore pattern matches, such as *.py or src/**"}
_LINE = {"type": "integer", "minimum": 1}
TOOL_TEXTS: Final[Mapping[str, tuple[str, Mapping[str, object]]]] = {
    "read_file": (
        "Reads a text file of the workspace, all of it or some lines.",
        {"path": _PATH, "first_line": _LINE, "last_line": _LINE},
    ),
    "list_files": (
        "Lists the files below a directory of the workspace. Files that git ignores are left out.",
        {"path": {**_PATH, "description": "A directory; left out, all of the workspace"}, "pattern": _GLOB},
    ),
    "search": (
        "Finds lines that hold a text, taken literally, in the files of the workspace.",
        {
            "text": {"type": "string", "description": "On one line, no pattern"},
            "path": {**_PATH, "description": "A file or directory; left out, all of the workspace"},
            "pattern": _GLOB,
            "ignore_case": {"type": "boolean"},
        },
    ),
    "git_diff": (
        "Shows what has changed in the workspace since the last commit.",
        {"path": {**_PATH, "description": "A file or directory; left out, all of the workspace"}},
    ),
}
"""What a model is told of each tool: a sentence, and its arguments as the properties of a JSON schema."""
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {"read_file": ("path",), "search": ("text",)}
"""Arguments that a tool cannot do without."""

TOOLS_TOKENS: Final = 512
"""No fewer than all of these descriptions have in a prompt, with what is said of them."""
_FILE_TOOLS = frozenset(("read_file", "list_files", "search"))
UNKNOWN_TOOL: Final = "unknown_tool"
"""Stands for a tool that we do not have: not every server takes every name back."""

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
        file_bytes: of one file; `searched_bytes` of all in which one search finds something.
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


def texts_of_tools() -> Iterator[str]:
    """Every text that a request with tools holds because of them: names, descriptions, and what schemas say."""
    yield UNKNOWN_TOOL
    pending: list[object] = [TOOL_TEXTS]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            pending += [*cast("Mapping[str, object]", one), *cast("Mapping[str, object]", one).values()]
        elif isinstance(one, tuple):
            pending += cast("tuple[object, ...]", one)


def most_tokens(caps: ToolCaps = CAPS) -> int:
    """What the results of one attempt add to its prompt at most, with factor 1; so many in every further round."""
    return -(-caps.total_bytes // _BYTES_A_TOKEN)


def tools_of(intent: Intent, grants: Mapping[str, Grant], context: PhaseContext) -> tuple[str, ...]:
    """The tools that a phase offers to a model that can call any.

    `ask` gives none: nobody can be asked while a model works. A diff shows what files hold, so it needs both grants.

    Args:
        intent: of the phase.
        grants: `file_read` and `git`, as they hold for the phase.
        context: of the phase; its skill may leave fewer tools.
    """
    if grants["file_read"] is not Grant.ALLOW or not _profits(intent, context):
        return ()
    given = READ_TOOLS if grants["git"] is Grant.ALLOW else READ_TOOLS[:-1]
    return tuple(tool for tool in given if context.tools is None or tool in context.tools)


def _profits(intent: Intent, context: PhaseContext) -> bool:
    return intent in _LOOKING or (intent is Intent.CHAT and any(path.required for path in context.paths))


def narrowed_grants(grants: Mapping[str, Grant], tools: frozenset[str] | None) -> dict[str, Grant]:
    """Permissions without those that a phase's skill leaves no tool for."""
    found = dict(grants)
    if tools is not None:
        if not tools & _FILE_TOOLS:
            found["file_read"] = Grant.DENY
        if "git_diff" not in tools:
            found["git"] = Grant.DENY
    return found
