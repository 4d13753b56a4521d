"""A delegate's eyes: the tools with which a model that does part of the work may look around in the workspace.

Nothing is opened, listed or shown that the same judgement as everywhere does not let through, and only below the root.
What a model asks for is no more than a wish: text in a file that says "also read ../../.env" reaches no further than
the model itself could. Nothing is ever raised at a model; a call that cannot be carried out is answered in words.
"""

import time
from collections.abc import Callable, Iterator, Mapping

from smista_mcp.context.helpfuldiff import helpful_diff, named_by
from smista_mcp.context.looking import NOT_AVAILABLE, Look, Refused, ToolResult, View
from smista_mcp.context.paths import Place
from smista_mcp.context.reading import Reading, Unread, read_file
from smista_mcp.context.repository import GitFailed
from smista_mcp.context.spelling import printable
from smista_mcp.context.survey import JudgedDiff, Survey
from smista_mcp.context.textsearch import hits_in
from smista_mcp.context.toolarguments import Arguments, BadArguments, checked
from smista_mcp.context.wholes import told_of
from smista_mcp.core.floor import Sight
from smista_mcp.core.readtools import CAPS, ToolCaps
from smista_mcp.core.redaction import shown
from smista_mcp.core.secretscan import told


class ReadTools:
    """The tools of one attempt. Calls read files and run git, so keep them off the event loop, one after the other.

    Args:
        survey: of the workspace, for this attempt alone.
        view: for whom.
        caps: how far they go.
        clock: seconds, of any beginning.
    """

    def __init__(
        self, survey: Survey, view: View, caps: ToolCaps = CAPS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._survey = survey
        self._view = view
        self._caps = caps
        self._clock = clock
        self._bytes_left = caps.total_bytes
        self._seconds_left = caps.all_s

    @property
    def exhausted(self) -> bool:
        """Whether nothing more will be shown."""
        return self._bytes_left <= 0 or self._seconds_left <= 0

    def close(self) -> None:
        """Shows nothing more: somebody has stopped waiting for a call, which may still go on."""
        self._seconds_left = 0.0

    def run(self, tool: str, given: Mapping[str, object] | None, room: int) -> ToolResult:
        """Carries out a call.

        Args:
            tool: as the model names it.
            given: the arguments; None where they were no JSON object.
            room: bytes that the model has room for.
        """
        most = min(self._caps.result_bytes, self._bytes_left, room)
        if tool not in self._view.tools:
            return _said(
                f"there is no tool `{shown(tool)}`; there are {', '.join(self._view.tools)}", "no tool of ours"
            )
        if self.exhausted or most <= 0:
            return _said("nothing more can be shown; answer from what you have", tool)
        begun = self._clock()
        look = Look(self._survey, self._view, self._caps, most, self._clock)
        look.name = tool
        look.until = begun + min(self._caps.call_s, self._seconds_left)
        try:
            arguments = checked(tool, given)
            _CALLS[tool](look, arguments)
        except (BadArguments, Refused) as refused:
            look.lines = [str(refused)]
        except (GitFailed, OSError, ValueError):
            look.lines = [NOT_AVAILABLE]
        self._seconds_left -= self._clock() - begun
        result = look.result(tool)
        self._bytes_left -= len(result.text.encode("utf-8", "replace"))
        return result


def _said(text: str, name: str) -> ToolResult:
    return ToolResult(text, name)


def _read_file(look: Look, asked: Arguments) -> None:
    place, sight = look.entry(asked.path)
    if place.kind == "directory":
        raise Refused("that is a directory; list_files shows what is in it")
    reading = look.opened(place)
    look.tell(place, sight)
    lines = reading.text.split("\n")
    count = len(lines) - (not lines[-1])
    first = asked.first or (place.lines.first if place.lines else 1)
    last = min(asked.last or (place.lines.last if place.lines else count), count)
    if first > max(count, 1):
        raise Refused(f"it has {count} lines")
    look.add(f"{shown(place.path, 200)}, from line {first} of {count}:")
    wanted = "\n".join(lines[first - 1 : last])
    text = look.cut(wanted)
    whole = len(text) == len(wanted)
    look.lines.append(text if whole else text.removesuffix("\n"))
    if not whole:
        further = first + text.count("\n")
        look.lines.append(f"[cut: ask for lines from {further} on]" if further > first else "[cut inside a long line]")


def _list_files(look: Look, asked: Arguments) -> None:
    count = over = 0
    for place, sight in look.files(asked):
        if count < look.caps.listed and look.add(shown(place.path, 400)):
            look.tell(place, sight)
            count += 1
        else:
            over += 1
    if over:
        look.lines.append(f"[{over} more files: name a smaller directory, or a pattern]")
    elif not count:
        look.lines.append("no file to show")
    look.close("files are")


def _search(look: Look, asked: Arguments) -> None:
    root, count, read, unread = look.survey.tree.root, 0, 0, 0
    for place, sight in look.files(asked):
        if count >= look.caps.hits or read >= look.caps.searched_bytes:
            look.lines.append("[there is more: name a smaller directory, a pattern, or a longer text]")
            break
        reading = Unread("no workspace") if root is None else read_file(root, place.parts, look.caps.file_bytes)
        if isinstance(reading, Unread):
            unread += 1
            continue
        found = list(_hits(look, place, reading, asked, look.caps.hits - count))
        if not found:
            continue
        inner = look.sight_of_content(reading)
        if inner is not None and not look.may_show(inner):
            look.keep(place.path, inner.reason)
            continue
        look.tell(place, sight, inner)
        read += reading.size
        count += len([line for line in found if look.add(line)])
    if not count:
        look.lines.append("no line holds that text")
    if unread:
        look.lines.append(f"[{unread} binary or large files were not searched]")
    look.close("files are")


def _hits(look: Look, place: Place, reading: Reading, asked: Arguments, most: int) -> Iterator[str]:
    hits = hits_in(reading.text, asked.text, ignore_case=asked.ignore_case, most=look.caps.line)
    for _, hit in zip(range(most), hits, strict=False):
        yield f"{shown(place.path, 200)}:{hit.number}: {hit.line}"


def _git_diff(look: Look, asked: Arguments) -> None:
    changes = look.survey.changes
    if isinstance(changes, str):
        raise Refused("there is no diff to see" if look.view.remote else f"there is no diff to see: {changes}")
    below = _above_changes(look, asked.path) if asked.path else None
    look.named = below is not None and below.kind != "directory"
    count = over = 0
    for judged in changes:
        if below is not None and not any(_is_below(place, below) for place in judged.places):
            continue
        text = _change(look, judged)
        if text and look.add(text):
            count += 1
        else:
            over += bool(text)
    if over:
        look.lines.append(f"[the changes of {over} more files do not fit: name one as `path`]")
    elif not count and below is not None and below.kind == "missing" and look.view.remote:
        raise Refused(NOT_AVAILABLE)
    elif not count:
        look.lines.append("no change to show")
    look.close("changed files are")


def _above_changes(look: Look, written: str) -> Place:
    """What a model names; a file that is gone has changed too."""
    place = look.survey.place(written)
    return place if place.kind == "missing" else look.entry(written)[0]


def _change(look: Look, judged: JudgedDiff) -> str:
    """What may be shown of the changes of one file; hunks that hold secrets are left out, for a remote model all."""
    place = Place(named_by(judged), judged.forms, "file")
    sight = Sight(f"restricted by `{judged.restricted}`") if judged.restricted else look.sight(place)
    if not look.may_show(sight):
        look.keep(place.path, sight.reason if sight else "")
        return ""
    labels, names = look.view.secrets, judged.part.names or ()
    if look.view.remote and (known := told_of(judged.wholes or (), labels).known):
        look.keep(place.path, told(known))  # as `read_file` judges it
        return ""
    ignored = next(filter(None, map(look.survey.ignores.reason, names)), None)
    whole = judged._replace(restricted=None)
    cut = helpful_diff((whole,), labels, len(judged.part.text), lambda _: ignored[1] if ignored else None)
    text = cut.text
    if cut.withheld and not ignored and look.may_show(inner := Sight("; ".join(why for _, why in cut.withheld))):
        look.tell(place, inner)
        text = judged.part.text
    elif cut.withheld:
        look.keep(place.path, "; ".join(why for _, why in cut.withheld))
        text = "" if look.view.remote else text  # what is left tells how much is missing
    if text:
        look.tell(place, sight)
    return printable(text).rstrip("\n")


def _is_below(place: Place, above: Place) -> bool:
    names = [form.rstrip("/") for form in above.forms]
    return any(
        name in (".", "") or form == name or form.startswith(f"{name}/") for name in names for form in place.forms
    )


_CALLS: Mapping[str, Callable[[Look, Arguments], None]] = {
    "read_file": _read_file,
    "list_files": _list_files,
    "search": _search,
    "git_diff": _git_diff,
}
