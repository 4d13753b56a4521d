"""A short note on delegating, inside marked lines of a file of instructions. What is outside them is never touched."""

import re
from typing import Final

from smista_mcp.hostfiles.unfit import Unfit

NOTE: Final = (
    "## smista",
    "",
    "The MCP server `smista` decides by a policy that your user has written which model does a piece of work, and has"
    " it done.",
    "",
    "- Hand it pieces that stand alone: a review, a commit message, a summary, tests, one contained change. Call"
    " `dispatch` with the task in words and the `paths` that it is about, then use the answer.",
    "- Where `dispatch` returns `running`, call it again with the `job_id`.",
    "- To know who would do a piece of work, and why, call `route`; it sends nothing.",
    "- A refusal is your user's own rule: say so, and do not send that content anywhere else.",
)
_BEGIN = re.compile(r"^<!-- smista-mcp begin: ([a-z0-9 -]+) -->[ \t]*\r?$", re.MULTILINE)
_END = re.compile(r"^<!-- smista-mcp end -->[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_HEADS: Final = {
    ".mdc": ("---", "description: When to hand work to smista", "alwaysApply: true", "---", ""),
    ".instructions.md": ("---", 'applyTo: "**"', "---", ""),
}
"""What stands above the note in a file that is ours alone."""


def _words(text: str) -> str:
    """A note as it is compared: a program that lays out Markdown may have broken its lines anew."""
    return " ".join(text.replace("*", "-").split())


_KNOWN: Final = (_words("\n".join(NOTE)),)
"""Every note that was ever written: where `NOTE` changes, what it was comes in here too."""


def put_note(text: str, host: str, file_name: str) -> str:
    """The text with the note, which says for which hosts it is there.

    Raises:
        Unfit: the marked lines are there and broken, or hold what is not ours.
    """
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    found = _found(text)
    if found is None:
        head = "" if text else _head(file_name, newline)
        gap = "" if not text else newline if text.endswith("\n") else newline * 2
        return f"{text}{head}{gap}{_block({host}, newline)}"
    start, end, hosts = found
    return text[:start] + _block({*hosts, host}, newline) + text[end:]


def removed_note(text: str, host: str) -> str:
    """The text without the note for this host; as it was where it has none.

    Raises:
        Unfit: as for `put_note`.
    """
    found = _found(text)
    if found is None:
        return text
    start, end, hosts = found
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    others = {*hosts} - {host}
    if others == {*hosts}:
        return text
    if others:
        return text[:start] + _block(others, newline) + text[end:]
    before, after = text[:start], text[end:]
    blank = re.search(r"(?<=\n)\r?\n\Z", before)
    if blank and (not after or after.startswith(("\n", "\r\n"))):
        before = before[: blank.start()]
    return before + after


def is_head(text: str, file_name: str) -> bool:
    """Whether a text is what we write above the note in a new file of that name, and no more."""
    return text in (_head(file_name, "\n"), _head(file_name, "\r\n"))


def is_ours_alone(text: str, file_name: str) -> bool:
    """Whether a text is our note, and nothing of anybody else."""
    try:
        found = _found(text)
    except Unfit:
        return False
    rest = text if found is None else text[: found[0]] + text[found[1] :]
    return found is not None and (not rest.strip() or is_head(rest, file_name))


def has_marks(text: str) -> bool:
    """Whether a text has a marked line of ours, whole or not."""
    return _BEGIN.search(text) is not None or _END.search(text) is not None


def _found(text: str) -> tuple[int, int, tuple[str, ...]] | None:
    """Where the marked lines begin and end, and for which hosts they are."""
    begins, ends = list(_BEGIN.finditer(text)), list(_END.finditer(text))
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0].start() < begins[0].end():
        line = text.count("\n", 0, (begins or ends)[0].start()) + 1
        raise Unfit("has marked lines of smista-mcp without their begin or end, or twice", line)
    if _words(text[begins[0].end() : ends[0].start()]) not in _KNOWN:
        line = text.count("\n", 0, begins[0].start()) + 1
        raise Unfit("has other text than our note between the marked lines of smista-mcp: move yours out of them", line)
    return begins[0].start(), ends[0].end(), tuple(begins[0][1].split())


def _block(hosts: set[str], newline: str) -> str:
    lines = (f"<!-- smista-mcp begin: {' '.join(sorted(hosts))} -->", *NOTE, "<!-- smista-mcp end -->", "")
    return newline.join(lines)


def _head(file_name: str, newline: str) -> str:
    head = next((lines for end, lines in _HEADS.items() if file_name.endswith(end)), ())
    return newline.join(head)
