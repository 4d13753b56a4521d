"""The working tree's difference where it only helps: without what is restricted, ignored, too large or secret.

A file goes or stays as a whole for its names; for a secret of one line the hunk that holds it is left out alone, and
leaves one line that says so. What is left is still a diff to read, and none to apply.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from smista_mcp.context.phasepaths import GIT_DIFF
from smista_mcp.context.reading import too_large
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.spelling import printable
from smista_mcp.context.survey import JudgedDiff
from smista_mcp.context.wholes import told_of, without_hashes
from smista_mcp.core.secretscan import told

_WHOLE_FILE = "[the changes of one file are left out here]\n"


class HelpfulDiff(NamedTuple):
    """What may go.

    Attributes:
        text: of all parts, each that stays replaced by a line; empty where none goes.
        forms: every form of the names in it.
        withheld: what stays, with the reason.
    """

    text: str
    forms: tuple[str, ...]
    withheld: tuple[tuple[str, str], ...]


class _Cut(NamedTuple):
    text: str
    reasons: tuple[str, ...]


def helpful_diff(
    parts: Iterable[JudgedDiff], labels: SecretLabels, cap: int, ignored: Callable[[JudgedDiff], str | None]
) -> HelpfulDiff:
    """Cuts a difference.

    Args:
        parts: of each file.
        labels: finds secrets.
        cap: the most characters that go.
        ignored: why an ignore file leaves a part out; None where none does.
    """
    text: list[str] = []
    forms: dict[str, None] = {}
    withheld: list[tuple[str, str]] = []
    size = 0
    for judged in parts:
        name = named_by(judged)
        reason = f"restricted by `{judged.restricted}`" if judged.restricted else ignored(judged)
        if reason is None and size + len(judged.part.text) > cap:
            reason = too_large(cap).reason
        cut = _Cut("", (reason,)) if reason else _without_secrets(judged, labels)
        withheld += ((name, why) for why in cut.reasons)
        text.append(cut.text or _WHOLE_FILE)
        if cut.text:
            size += len(cut.text)
            forms.update(dict.fromkeys(judged.forms))
    return HelpfulDiff("".join(text) if size else "", tuple(forms), tuple(withheld))


def named_by(judged: JudgedDiff) -> str:
    """What a part is called where it is left out: its file as it is now."""
    return printable(judged.part.names[-1]) if judged.part.names else GIT_DIFF


def _without_secrets(judged: JudgedDiff, labels: SecretLabels) -> _Cut:
    """A part of a diff without the hunks that hold secrets; without text where none is left, or a name is one."""
    from smista_mcp.context.diff import hunks  # noqa: PLC0415  most calls see no diff
    from smista_mcp.context.difflines import in_file  # noqa: PLC0415  likewise

    text = judged.part.text
    told_by_wholes = told_of(judged.wholes or (), labels)
    if told_by_wholes.runs_on:
        return _Cut("", (told(told_by_wholes.runs_on),))
    found = in_file(text, labels.of_part(text))
    if not found and not told_by_wholes.known:
        return _Cut(text, ())
    head, each = hunks(text)
    kept: list[str] = []
    reasons: list[str] = []
    at = len(head)
    for number, hunk in enumerate(each, 1):
        begin, at = at, at + len(hunk)
        inside = [fact for fact, start, end in found if start < at and end > begin]
        inside = inside or list(told_by_wholes.shown_in(hunk))
        if inside:
            lines = hunk.count("\n") + (not hunk.endswith("\n"))
            kept.append(f"[a hunk of {lines} lines is left out here]\n")
            reasons.append(f"hunk {number} of {len(each)} {told(inside)}")
        else:
            kept.append(hunk)
    rest = without_hashes(head) + "".join(kept)
    # of a key of many lines a hunk may show the middle alone, which looks like nothing
    if any("\n" in text[start:end] for _, start, end in found) or labels.of_part(rest):
        return _Cut("", (told([fact for fact, _, _ in found]),))
    return _Cut("" if len(reasons) == len(each) else rest, tuple(reasons))
