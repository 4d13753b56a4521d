"""Where a written path leads: its name below the root, every form that policy must judge, and what stands there.

Nothing is opened here. A path is walked step by step as the system would walk it, so that each link on the way is seen.
"""

import os
import posixpath
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from smista_mcp.context.spelling import Lines, Spelling, alike, composed, looks_like_a_directory, printable, spellings
from smista_mcp.core.globs import folded

Kind = Literal["file", "directory", "missing", "outside", "special", "unknown", "unrooted"]
_MAX_LINKS = 40
_MAX_ALIAS_DEPTH = 64
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = r"(?i:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\..*)?\Z"
_OUTSIDE = "outside the workspace"
_STORE = re.compile(r"(?:\A|/)(?:\.(?:git|hg|svn|bzr|jj)|git~[0-9]+)(?:/|\Z)", re.IGNORECASE)
"""Where version control keeps what any file once held, under names that say nothing of the file."""
_IN_A_STORE = "(in a store of version control)"
_ANOTHER_NAME = re.compile(r"[^\x00-\x7f]|[~:]|[. ]\Z")
"""What the other names have under which some file systems find a file (8.3 names, streams, unseen characters)."""


class Place(NamedTuple):
    """Where a written path leads.

    Attributes:
        path: its name relative to the root, `/` at the end for a directory; the path as written where it is outside.
        forms: `path`, as written (relative to the root), each link step, the real path, and the NFC form of each.
        kind: `special` is no file and no directory (a pipe, a socket, a device), `unknown` could not be looked at,
            `unrooted` says that there is no workspace, so that the path is only a name.
        parts: the real names from the root, without links, as the system spells them; empty unless it exists.
        lines: the range of lines that was asked for.
        why: what is wrong with an `outside`, `special` or `unknown` path.
        unjudged: what stands in place of a pattern where not every form is known, so that it counts as restricted.
        doubtful: true for words that only look like a path (`and/or`): nothing of it exists, and it has no extension.
        identity: device and number of a file, as it was looked at.
    """

    path: str
    forms: tuple[str, ...]
    kind: Kind
    parts: tuple[str, ...] = ()
    lines: Lines | None = None
    why: str = ""
    doubtful: bool = False
    unjudged: str = ""
    identity: tuple[int, int] | None = None


class _Walk(NamedTuple):
    kind: Kind
    parts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    why: str = ""
    identity: tuple[int, int] | None = None


class _Seen(NamedTuple):
    kind: Literal["link", "file", "directory", "special", "missing", "unknown"]
    detail: str = ""
    identity: tuple[int, int] | None = None


class Tree:
    """The names below one root (None: no workspace; then every path is only a name).

    What was seen is remembered, so one `Tree` serves one call. `windows` says how paths are written.
    """

    def __init__(self, root: Path | None, *, windows: bool = os.name == "nt") -> None:
        self.root = root
        self._windows = windows
        self._base = str(root).rstrip("/\\") if root is not None else ""
        self._seen: dict[str, _Seen] = {}
        self._listings: dict[str, frozenset[str]] = {}

    def place(self, written: str) -> Place:
        """Understands a path as a person or a host writes it (see `spellings`). Never raises."""
        found = None
        for spelling in spellings(written):
            found = (
                self._foreign(spelling) if spelling.foreign else self.locate(spelling.text, spelling.lines, guess=True)
            )
            if found.kind not in ("missing", "unrooted"):
                return found
        return found or self.locate(written)

    def locate(self, name: str, lines: Lines | None = None, *, guess: bool = False) -> Place:
        """Understands a path literally, as a diff or a listing names it. Never raises.

        Args:
            name: relative to the root, or absolute.
            lines: kept in the answer.
            guess: whether a name without extension that does not exist is taken for a directory.
        """
        text = name.replace("\\", "/") if self._windows else name
        if self.root is None or not text:
            return self._unrooted(text, lines, guess=guess)
        relative = self._below_root(text)
        if relative is None or "\0" in text:
            why = "not a path" if "\0" in text else _OUTSIDE
            return Place(printable(text), _forms([text], directory=False), "outside", lines=lines, why=why)
        walk = self._walk(relative)
        if walk.kind == "outside":
            forms = _forms([_normal(relative), relative, *walk.steps], directory=False)
            return Place(printable(_normal(relative)), forms, "outside", lines=lines, why=walk.why)
        return self._placed(name, relative, walk, guess=guess)._replace(lines=lines)

    def target(self, name: str) -> str:
        """Where the link of that name leads, as it is written in it; empty where there is none."""
        seen = self._look(name)
        return seen.detail if seen.kind == "link" else ""

    def _placed(self, name: str, relative: str, walk: _Walk, *, guess: bool) -> Place:
        written = relative.endswith("/")
        guessed = guess and walk.kind == "missing" and not written and looks_like_a_directory(relative)
        directory = walk.kind == "directory" or (walk.kind == "missing" and (guessed or written))
        doubtful = guessed and self._look(relative.split("/", 1)[0]).kind == "missing"
        real = "/".join(walk.parts)
        label = _normal(relative)
        if label == ".." or label.startswith("../"):
            label = real  # it left and came back through a link
        spelled = [name] if self._windows and not self._is_absolute(name.replace("\\", "/")) else []
        forms = _forms([label, relative, *spelled, *walk.steps, real], directory=directory)
        unjudged = _IN_A_STORE if any(map(_STORE.search, forms)) else ""
        place = Place(forms[0], forms, walk.kind, walk.parts, why=walk.why, doubtful=doubtful)
        return place._replace(unjudged=unjudged, identity=walk.identity)

    def _unrooted(self, text: str, lines: Lines | None, *, guess: bool) -> Place:
        directory = text.endswith("/") or (guess and looks_like_a_directory(text))
        forms = _forms([_normal(text), text], directory=directory)
        return Place(forms[0], forms, "unrooted" if self.root is None else "unknown", lines=lines, why="not a path")

    def _foreign(self, spelling: Spelling) -> Place:
        return Place(printable(spelling.text), _forms([spelling.text], directory=False), "outside", why=_OUTSIDE)

    def _below_root(self, text: str) -> str | None:
        """The path relative to the root, not normalised; None where it cannot be below it."""
        if text.startswith("~"):
            first = text.split("/", 1)[0]
            return text if self._look(first).kind != "missing" else None
        if self._is_absolute(text):
            return self._inside(text)
        if self._windows and any(_odd_on_windows(segment) for segment in text.split("/")):
            return None
        if text == ".." or text.startswith("../"):
            return self._inside(posixpath.normpath(f"{self._posix_base()}/{text}"))
        return text

    def _is_absolute(self, text: str) -> bool:
        return text.startswith("/") or (self._windows and bool(_DRIVE.match(text)))

    def _posix_base(self) -> str:
        return self._base.replace("\\", "/") if self._windows else self._base

    def _inside(self, absolute: str) -> str | None:
        """An absolute path as one below the root, also where it names the root in another way."""
        base = self._posix_base()
        head, rest = absolute[: len(base)], absolute[len(base) + 1 :]
        if (head == base or (self._windows and head.lower() == base.lower())) and absolute[len(base) :][:1] in (
            "",
            "/",
        ):
            odd = self._windows and any(_odd_on_windows(segment) for segment in rest.split("/"))
            return None if odd else rest or "."
        if self._windows:
            return None  # looking at a share of another machine would send it our credentials
        return self._alias(posixpath.normpath(absolute))

    def _alias(self, absolute: str) -> str | None:
        parts = absolute.split("/")[1:]
        try:
            root = Path(self._base or "/").stat()
            for depth in range(1, min(len(parts), _MAX_ALIAS_DEPTH) + 1):
                facts = Path("/", *parts[:depth]).stat()
                if (facts.st_dev, facts.st_ino) == (root.st_dev, root.st_ino):
                    return "/".join(parts[depth:]) or "."
        except (OSError, ValueError):
            return None
        return None

    def _walk(self, relative: str) -> _Walk:
        pending = relative.split("/")[::-1]
        parts: list[str] = []
        steps: list[str] = []
        kind: Kind = "directory"
        while pending:
            segment = pending.pop()
            if segment in ("", "."):
                continue
            if segment == "..":
                if not parts:
                    return _Walk("outside", (), tuple(steps), _OUTSIDE)
                parts.pop()
                continue
            seen = self._look("/".join((*parts, segment)))
            if seen.kind == "link":
                stop = self._follow(seen.detail, parts, pending, steps)
                if stop is not None:
                    return stop
                continue
            parts.append(segment)
            if seen.kind == "directory":
                continue
            if seen.kind != "missing" and not any(rest not in ("", ".") for rest in pending):
                return _Walk(seen.kind, tuple(parts), tuple(steps), seen.detail, seen.identity)
            return _absent(seen, parts, pending, steps)
        return _Walk(kind, tuple(parts), tuple(steps))

    def _follow(self, target: str, parts: list[str], pending: list[str], steps: list[str]) -> _Walk | None:
        """Puts the target of a link before what is still to be walked; returns the end of the walk, if this is it."""
        if len(steps) >= _MAX_LINKS:
            return _Walk("unknown", (), tuple(steps[:_MAX_LINKS]), "its links lead in a circle")
        if self._is_absolute(target):
            inside = self._inside(target)
            if inside is None:
                return _Walk("outside", (), tuple(steps), f"a link that leads {_OUTSIDE}")
            target = inside
            parts.clear()
        pending.extend(target.split("/")[::-1])
        steps.append(_normal("/".join((*parts, *pending[::-1]))))
        return None

    def _look(self, name: str) -> _Seen:
        known = self._seen.get(name)
        if known is None:
            known = self._seen[name] = self._look_anew(name)
        return known

    def _look_anew(self, name: str) -> _Seen:
        path = f"{self._base}/{name}"
        try:
            facts = os.lstat(path)  # a Path for each step of each path would double the time
            reparse = getattr(facts, "st_file_attributes", 0) & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)
            if stat.S_ISLNK(facts.st_mode) or reparse:
                target = str(Path(path).readlink())
                return _Seen("link", target.removeprefix("\\\\?\\").replace("\\", "/") if self._windows else target)
        except (FileNotFoundError, NotADirectoryError):
            return _Seen("missing")
        except OSError as error:
            return _Seen("unknown", f"cannot be looked at: {error.strerror or 'no reason given'}")
        except ValueError:
            return _Seen("unknown", "not a path")
        if self._is_another_name(name):
            return _Seen("unknown", "not the name under which its folder has it")
        if stat.S_ISDIR(facts.st_mode):
            return _Seen("directory")
        if not stat.S_ISREG(facts.st_mode):
            return _Seen("special", "not a regular file")
        return _Seen("file", identity=(facts.st_dev, facts.st_ino))

    def _is_another_name(self, name: str) -> bool:
        """Whether something exists under a name that its folder does not list, but for case and composition."""
        folder, _, last = name.rpartition("/")
        if not _ANOTHER_NAME.search(last):
            return False
        known = self._listings.get(folder)
        if known is None:
            try:
                known = frozenset(folded(composed(entry)) for entry in os.listdir(f"{self._base}/{folder}"))  # noqa: PTH208
            except OSError:
                known = frozenset[str]()
            self._listings[folder] = known
        return folded(composed(last)) not in known


def lines_of(place: Place, text: str) -> tuple[str, str]:
    """The text and the name of what was asked for: a range of lines or all."""
    if place.lines is None:
        return text, place.path
    return place.lines.cut(text), f"{place.path}:{place.lines.first}-{place.lines.last}"


def _absent(seen: _Seen, parts: Sequence[str], pending: Sequence[str], steps: Sequence[str]) -> _Walk:
    """What lies behind something that does not exist, or is no directory: names only."""
    whole = _normal("/".join((*parts, *pending[::-1])))
    if whole == ".." or whole.startswith("../"):
        return _Walk("outside", (), tuple(steps), _OUTSIDE)
    kind: Kind = "unknown" if seen.kind == "unknown" else "missing"
    return _Walk(kind, (), (*steps, whole), seen.detail)


def _forms(names: Iterable[str], *, directory: bool) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in names:
        if not name:
            continue
        for text in alike(name):
            found[text if not directory or text.endswith("/") else f"{text}/"] = None
    return tuple(found)


def _normal(text: str) -> str:
    if "\0" in text:
        return text
    normal = posixpath.normpath(text)
    return normal[1:] if normal.startswith("//") else normal


def _odd_on_windows(segment: str) -> bool:
    """Names that Windows reads as another file or a device: streams, dots and spaces at the end, reserved words."""
    return segment not in ("", ".", "..") and (
        ":" in segment or segment.endswith((".", " ")) or bool(re.match(_DEVICE, segment))
    )
