"""Which files of a workspace an ignore file leaves out: of each folder's own, the deepest that says something decides.

`.smistaignore` takes files out of what is collected; it is not trusted, and need not be, for it only takes away: what
the paths of a phase demand holds with it as without. Where no git repository can be asked, `.gitignore` is read too.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from smista_mcp.context.paths import Tree
from smista_mcp.context.reading import Unread, read_file
from smista_mcp.context.spelling import printable
from smista_mcp.core.redaction import shown

if TYPE_CHECKING:
    from smista_mcp.core.globs.ignoring import IgnoreRules

SMISTAIGNORE = ".smistaignore"
GITIGNORE = ".gitignore"
_MOST_BYTES = 64_000
_MOST_LINES = 2_000
_MOST_FAULTS = 20


class Ignores:
    """What the ignore files of a workspace leave out. What somebody names is not asked about, as with git.

    Args:
        tree: the names below the root.
        without_git: whether there is no git repository to ask, so that `.gitignore` is applied here.
    """

    def __init__(self, tree: Tree, *, without_git: bool) -> None:
        ours = IgnoreFiles(tree, SMISTAIGNORE, forbidding=True)
        self._files = (ours, IgnoreFiles(tree, GITIGNORE, forbidding=False)) if without_git else (ours,)
        self._tree = tree

    def reason(self, name: str, *, directory: bool = False) -> tuple[str, str] | None:
        """What is ignored of a path, itself or a folder above it, and why; None where nothing is.

        Args:
            name: real names from the root.
            directory: whether it is a directory.
        """
        if self._tree.root is None or not name:
            return None
        found = (files.ignored(name, directory=directory) for files in self._files)
        return next(((what, f"ignored by `{file}`") for what, file in filter(None, found)), None)

    def folder(self, name: str) -> tuple[str, str] | None:
        """The folder above a file that is ignored, with the reason; cheap for many files of one folder."""
        found = (files.ignored_folder(name) for files in self._files)
        return next(((what, f"ignored by `{file}`") for what, file in filter(None, found)), None)

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of the files that were read so far."""
        return tuple(notice for files in self._files for notice in files.notices)


class IgnoreFiles:
    """The ignore files of one name below a root, each read at first need, once in a call.

    Args:
        tree: the names below the root.
        name: `.smistaignore` or `.gitignore`.
        forbidding: as for `ignore_rules`; a file that cannot be read then ignores all beside and below it.
    """

    def __init__(self, tree: Tree, name: str, *, forbidding: bool) -> None:
        self._tree = tree
        self._name = name
        self._forbidding = forbidding
        self._rules: dict[str, IgnoreRules | None] = {}
        self._folders: dict[str, str] = {}
        self.notices: dict[str, None] = {}

    def ignored(self, path: str, *, directory: bool = False) -> tuple[str, str] | None:
        """What is ignored of a path, itself or a folder above it, and by which file; None where nothing is.

        Args:
            path: real names from the root.
            directory: whether it is a directory.
        """
        above = self.ignored_folder(path)
        if above is not None:
            return above
        found = self._verdict(path, directory=directory)
        return (printable(path), found) if found else None

    def ignored_folder(self, path: str) -> tuple[str, str] | None:
        """The first folder above a path that is ignored, and by which file."""
        at = path.find("/")
        while at >= 0:
            folder = path[:at]
            known = self._folders.get(folder)
            if known is None:
                known = self._folders[folder] = self._verdict(folder, directory=True)
            if known:
                return f"{printable(folder)}/", known
            at = path.find("/", at + 1)
        return None

    def _verdict(self, path: str, *, directory: bool) -> str:
        """The file that ignores an entry, none of whose folders is ignored; empty where none does."""
        end = len(path)
        while end >= 0:
            end = path.rfind("/", 0, end)
            folder = path[:end] if end >= 0 else ""
            rules = self._of(folder)
            if rules is None:
                continue
            said = rules.verdict(path[len(folder) + 1 if folder else 0 :], directory=directory)
            if said is not None:
                return shown(self._file(folder)) if said else ""
        return ""

    def _file(self, folder: str) -> str:
        return f"{printable(folder)}/{self._name}" if folder else self._name

    def _of(self, folder: str) -> "IgnoreRules | None":
        if folder not in self._rules:
            self._rules[folder] = self._read(folder)
        return self._rules[folder]

    def _read(self, folder: str) -> "IgnoreRules | None":
        root = self._tree.root
        place = self._tree.locate(f"{folder}/{self._name}" if folder else self._name)
        if root is None or place.kind in ("missing", "directory"):
            return None
        if "/".join(place.parts) != (f"{folder}/{self._name}" if folder else self._name) and place.kind == "file":
            return self._unreadable(folder, "is a link")
        text = self._text(root, place.parts) if place.kind == "file" else place.why
        if isinstance(text, Unread) or place.kind != "file":
            reason = text.reason if isinstance(text, Unread) else place.why
            return self._unreadable(folder, reason)
        rules = _rules_of(text, forbidding=self._forbidding)
        if self._forbidding:
            self._tell(folder, rules)
        return rules

    def _text(self, root: Path, parts: tuple[str, ...]) -> str | Unread:
        reading = read_file(root, parts, _MOST_BYTES)
        if isinstance(reading, Unread):
            return reading
        if self._forbidding and reading.names > 1:
            return Unread("has another name (a hard link)")  # of which nothing may be told
        many = reading.text.count("\n") >= _MOST_LINES
        return Unread(f"too long: over {_MOST_LINES} lines") if many else reading.text

    def _unreadable(self, folder: str, reason: str) -> "IgnoreRules | None":
        if not self._forbidding:
            return None
        self.notices[f"`{shown(self._file(folder))}` {reason}: all beside and below it is left out"] = None
        return _rules_of("*", forbidding=True)

    def _tell(self, folder: str, rules: "IgnoreRules") -> None:
        """Notes which lines are faulty; none is quoted, for a notice goes to whoever calls."""
        for fault in rules.faults[:_MOST_FAULTS]:
            where = f"line {fault.line} of `{shown(self._file(folder))}` is not understood: {fault.why}"
            done = "a wider pattern stands for it" if fault.instead else "it lets nothing in"
            self.notices[f"{where}; {done}"] = None


def _rules_of(text: str, *, forbidding: bool) -> "IgnoreRules":
    from smista_mcp.core.globs.ignoring import ignore_rules  # noqa: PLC0415  most workspaces have no such file

    return ignore_rules(text, forbidding=forbidding)
