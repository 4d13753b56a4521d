"""What a part of a text was cut from, and what the secret scan says of a part for the sake of the whole.

A line out of the middle of a key block looks like nothing, and a value on a line of its own is told by the line before
it. So where the whole can be read, the whole is searched.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from smista_mcp.context.judgeddiff import JudgedDiff
from smista_mcp.context.paths import Tree
from smista_mcp.context.reading import Octets, Unread, read_octets
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.core.secretscan import SecretFact

# patterns that most calls do not need are compiled by the first that does: `re` keeps them
_INDEX = r"(?m:^)index (?P<old>[0-9a-f]{7,64}(?:,[0-9a-f]{7,64}){0,64})\.\.(?P<new>[0-9a-f]{7,64})"
_INDEX_LINE = r"(?m:^)index [0-9a-f,]+\.\.[^\n]*\n"
_HEADING = r"(?m:^)@@+ [-+0-9, ]+ @@+ (?P<words>[^\n]*)"
_OF_A_SUBMODULE = r"\n@@ [^\n]*@@\n(?:[-+]Subproject commit [0-9a-f]{40,64}(?:-dirty)?\n?){1,2}\Z"
_NOT_LOOKED_AT = "(what it was cut from cannot be looked at)"
_NOT_THIS_FILE = "(git read something else there than this file)"


class Whole(NamedTuple):
    """What a part of git's difference was cut from.

    Attributes:
        texts: what its file was and is.
        doubt: why the part may hold what another file holds, or cannot be judged by its wholes; None where neither is.
    """

    texts: tuple[str, ...] = ()
    doubt: str | None = None


class Told(NamedTuple):
    """What wholes tell of a part of a diff.

    Attributes:
        known: their secrets, wherever they stand.
        runs_on: those of several lines: of these the part may show any.
        values: those of one line.
        lines: the lines that these stand on, without the space around them.
    """

    known: tuple[SecretFact, ...] = ()
    runs_on: tuple[SecretFact, ...] = ()
    values: tuple[tuple[SecretFact, str], ...] = ()
    lines: tuple[tuple[SecretFact, str], ...] = ()

    def shown_in(self, text: str) -> tuple[SecretFact, ...]:
        """The secrets of which a diff shows something, be it in the words behind the figures of a hunk."""
        found = [*self.runs_on, *(fact for fact, value in self.values if value in text)]
        for heading in re.finditer(_HEADING, text) if self.lines else ():
            words = heading["words"].strip()
            found += (fact for fact, line in self.lines if words and line.startswith(words))
        return tuple(dict.fromkeys(found))


def told_of(wholes: Iterable[str], labels: SecretLabels) -> Told:
    """Searches what a part was cut from."""
    known: list[SecretFact] = []
    runs_on: list[SecretFact] = []
    values: list[tuple[SecretFact, str]] = []
    lines: list[tuple[SecretFact, str]] = []
    for whole in dict.fromkeys(wholes):
        for fact, start, end in labels.of_whole(whole):
            known.append(fact)
            value = whole[start:end].strip()
            if "\n" in value:
                runs_on.append(fact)
            else:
                values.append((fact, value))
                last = whole.find("\n", start)
                lines.append((fact, whole[whole.rfind("\n", 0, start) + 1 : last if last >= 0 else None].strip()))
    return Told(tuple(dict.fromkeys(known)), tuple(dict.fromkeys(runs_on)), tuple(values), tuple(lines))


def of_files(
    found: Sequence[SecretFact], parts: Iterable[tuple[str, JudgedDiff]], labels: SecretLabels
) -> tuple[SecretFact, ...]:
    """Secrets that wholes tell of, each with the file of the first part that was cut from such a whole.

    Args:
        found: with lines of the wholes.
        parts: with the names of their files.
        labels: finds secrets.
    """
    if not found:
        return ()
    from smista_mcp.context.difflines import as_file  # noqa: PLC0415  most calls see no diff

    known: dict[SecretFact, str] = {}
    for name, part in parts:
        for fact in told_of(part.wholes or (), labels).known:
            known.setdefault(fact, as_file(name))
    return tuple(fact._replace(file=known.get(fact)) for fact in found)


def without_hashes(head: str) -> str:
    """The head of a part of a diff without the hashes of contents, by which whoever guesses one can check it."""
    return re.sub(_INDEX_LINE, "", head)


def blobs_of(parts: Iterable[JudgedDiff]) -> tuple[str, ...]:
    """The objects of git that parts of a diff say they are between."""
    found = (name for judged in parts for name in (*_names(judged.part.text)[0], _names(judged.part.text)[1]))
    return tuple(dict.fromkeys(name for name in found if name.strip("0")))


def _names(text: str) -> tuple[tuple[str, ...], str]:
    """The objects that the head of a part names, the old ones and the new one; empty where it names none."""
    head = text.partition("\n@@")[0]
    match = re.search(_INDEX, head)
    return (tuple(match["old"].split(",")), match["new"]) if match else ((), "")


class Ground(NamedTuple):
    """Where git looked at files.

    Attributes:
        tree: the names below the root.
        most: bytes of a file that are read to compare it with what git says of it.
        judge: what restricts a file that was read, by another of its names; None where nothing does.
    """

    tree: Tree
    most: int
    judge: Callable[[Octets], str | None]


def whole_of(judged: JudgedDiff, blobs: Mapping[str, bytes], ground: Ground | None) -> Whole:
    """What a part of git's own difference was cut from.

    Args:
        judged: a part.
        blobs: objects of git by name, as far as there are any.
        ground: where the new side is, as it is now; None where that is in git's store as well.
    """
    text = judged.part.text
    if "\n@@" not in text:
        return Whole()
    now = None if ground is None else _now(judged, ground)
    if isinstance(now, str):
        return Whole(doubt=now)
    old, new = _names(text)
    wanted = [name for name in (*old, new if ground is None else "") if name.strip("0")]
    if not new or not (all(name in blobs for name in wanted) or re.search(_OF_A_SUBMODULE, text)):
        return Whole(doubt=_NOT_LOOKED_AT)
    data = [blobs[name] for name in wanted if name in blobs]
    data += [now.data] if now is not None else []
    return Whole(tuple(one.decode("utf-8", "surrogateescape") for one in data))


def said_of(parts: Iterable[JudgedDiff], blobs: Mapping[str, bytes]) -> Iterator[str]:
    """What parts of a given diff say that they are between, as far as git has it."""
    for name in blobs_of(parts):
        if name in blobs:
            yield blobs[name].decode("utf-8", "surrogateescape")


def _now(judged: JudgedDiff, ground: Ground) -> Octets | str | None:
    """A changed file as it is now, None where it is gone, a link or a submodule, or why git read something else."""
    from smista_mcp.context.newside import (  # noqa: PLC0415  most calls see no difference
        LINK,
        SUBMODULE,
        is_of_file,
        is_of_link,
        is_of_submodule,
        new_side,
    )

    side = new_side(judged.part.text)
    root = ground.tree.root
    if not side.runs or root is None:
        return None
    if not judged.part.names:
        return _NOT_THIS_FILE
    name = judged.part.names[-1]
    if side.mode == SUBMODULE:
        return None if is_of_submodule(side) else _NOT_THIS_FILE
    place = judged.places[-1]
    if side.mode == LINK:
        return None if is_of_link(side, ground.tree.target(name)) else _NOT_THIS_FILE
    if "/".join(place.parts) != name:
        return _NOT_THIS_FILE
    read = read_octets(root, place.parts, ground.most, place.identity)
    if isinstance(read, Unread):
        return f"({read.reason})"
    if not is_of_file(side, read.data):
        return _NOT_THIS_FILE
    return ground.judge(read) or read
