"""What git says about the workspace, asked of the `git` program so that nothing of a repository can run.

A repository's own configuration and attributes may name programs (file system monitor, hooks, external diffs, text
conversion, filters, a pager, helpers of a remote). Each is switched off here by options, which outrank the files.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from smista_mcp.context.gitchild import GitFailed, NoAnswer, answer_of
from smista_mcp.context.gitfolder import git_folder
from smista_mcp.context.workspace import git_top

_KEPT = re.findall(
    r"\w+",
    "PATH HOME XDG_CONFIG_HOME USER LOGNAME TMPDIR LD_LIBRARY_PATH SUDO_UID "
    "SYSTEMROOT SYSTEMDRIVE WINDIR USERPROFILE HOMEDRIVE HOMEPATH APPDATA PROGRAMDATA TEMP TMP PATHEXT",
)
_SWITCHES = (
    "--no-optional-locks",
    "--no-pager",
    "-c",
    "core.fsmonitor=",  # empty switches it off in every version; old ones would take `false` for a program
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.quotePath=false",
    "-c",
    "safe.bareRepository=explicit",  # a tracked folder may look like a repository of its own
)
_DIFF = (
    "diff",
    "--patch",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--submodule=short",
    "--ignore-submodules=dirty",  # looking for changes inside would run git with the submodule's own configuration
    "--find-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--relative",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--full-index",
    f"-O{os.devnull}",
)
_CHECK = (
    *("-c", "apply.whitespace=nowarn", "-c", "apply.ignoreWhitespace=no"),
    *("apply", "--check", "--numstat", "-z", "--whitespace=nowarn", "-"),
)
_EMPTY_TREES = (
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
)
"""The tree without files, in SHA-1 and SHA-256 repositories; git knows it without having it."""
_FILTER = re.compile(rb"filter\.(.*)\.[^.]+\Z", re.DOTALL)  # the name may be empty
_LISTING_CAP = 64_000_000
_CHECK_CAP = 1_000_000
_BLOB_HEAD = 3
"""Words before the content of an object: its hash, its kind, its size."""


class Repository:
    """The git repository that holds a workspace root. Every method runs one child process with a time-out."""

    def __init__(self, root: Path, top: Path, program: str, environ: Mapping[str, str], timeout_s: float) -> None:
        self._root = root
        self._top = top
        self._program = program
        self._timeout_s = timeout_s
        self._discovering = {name: environ[name] for name in _KEPT if name in environ} | {
            "LC_ALL": "C",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "",
        }
        if os.pathsep not in str(top.parent):
            self._discovering["GIT_CEILING_DIRECTORIES"] = str(top.parent)
        self._environ = self._discovering

    def settle_on(self, folder: Path) -> bool:
        """Makes git use this folder as the repository, whatever else it might find; false where it may not be used.

        Args:
            folder: what `git_folder` judged.
        """
        user = self._discovering.get("SUDO_UID", "")
        if not _own((self._top, self._top / ".git", folder), user) and not self._is_accepted(folder):
            return False
        self._environ = self._discovering | {"GIT_DIR": str(folder), "GIT_WORK_TREE": str(self._top)}
        return True

    def forget_repositories(self) -> None:
        """Makes git find no repository anywhere, a broken or foreign one neither."""
        self._environ = self._discovering | {"GIT_DIR": os.devnull}

    def _is_accepted(self, folder: Path) -> bool:
        """Whether git takes the repository of another user, as the user's own `safe.directory` may say.

        It would not ask for a folder that is named to it, so it has to find this one by itself.
        """
        try:
            found = self._run(("rev-parse", "--absolute-git-dir"), 100_000, at=self._top)
            return Path(os.fsdecode(found.removesuffix(b"\n"))).samefile(folder)
        except (GitFailed, OSError, ValueError):
            return False

    def tracked(self) -> tuple[str, ...]:
        """All tracked files below the root, relative to it, as the file system spells them.

        Raises:
            GitFailed: git did not answer.
        """
        return _names(self._run(("ls-files", "-z", "--cached"), _LISTING_CAP))

    def unignored(self, directory: str) -> tuple[str, ...]:
        """Files below a directory that are tracked, or not ignored; sorted.

        Raises:
            GitFailed: git did not answer.
        """
        listing = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", directory or ".")
        return _names(self._run(listing, _LISTING_CAP))

    def untracked(self) -> tuple[str, ...]:
        """Files below the root that are neither tracked nor ignored, a repository in them as one name; sorted.

        Raises:
            GitFailed: git did not answer.
        """
        return _names(self._run(("ls-files", "-z", "--others", "--exclude-standard"), _LISTING_CAP))

    def ignored(self, directory: str) -> tuple[str, ...]:
        """What git ignores below a directory, whole directories as one name with `/`; sorted.

        Raises:
            GitFailed: git did not answer.
        """
        listing = (
            "ls-files",
            "-z",
            "--others",
            "--ignored",
            "--exclude-standard",
            "--directory",
            "--",
            directory or ".",
        )
        return _names(self._run(listing, _LISTING_CAP))

    def ignores(self, name: str) -> bool:
        """Whether git leaves a path alone that it does not track, whether or not there is such a file.

        Args:
            name: relative to the root.

        Raises:
            GitFailed: git did not answer.
        """
        try:
            self._run(("check-ignore", "--quiet", "--", f"./{name}"), 1_000, literal=False)
        except NoAnswer as failure:
            if failure.status != 1:
                raise
            return False
        return True

    def check_patch(self, patch: bytes) -> int:
        """Proves that a patch applies to the working tree; nothing is written, the index neither.

        Args:
            patch: as `git apply` takes it. Where the root is not the top, names are relative to the top.

        Returns:
            How many files git would change; below the top it passes over those that lie elsewhere.

        Raises:
            GitFailed: git did not answer, or it does not apply.
        """
        listing = self._run((*self._unfiltered, *_CHECK), _CHECK_CAP, said=patch)
        if len(listing) >= _CHECK_CAP:  # cut, perhaps: then neither the number nor git's own verdict is known
            raise GitFailed("the patch changes too many files")
        return listing.count(b"\0")

    def diff(self, cap: int) -> str:
        """The difference between the last commit and the working tree, staged or not, of the files below the root.

        Bytes that are no UTF-8 come as lone surrogates (`surrogateescape`).

        Args:
            cap: the most bytes that are taken.

        Raises:
            GitFailed: git did not answer, or the difference is larger.
        """
        options = (*self._unfiltered, *_DIFF)
        try:
            data = self._run((*options, "HEAD", "--"), cap)
        except NoAnswer:
            if not self._is_unborn():
                raise
            data = self._diff_without_commits(options, cap)
        return data.decode("utf-8", "surrogateescape")

    def staged(self, cap: int) -> str:
        """The difference between the last commit and what is staged, like `diff`.

        Both sides come from git's own store, which no file of the working tree has a part in.

        Raises:
            GitFailed: git did not answer, or the difference is larger.
        """
        options = (*self._unfiltered, *_DIFF, "--cached")
        try:
            data = self._run((*options, "HEAD", "--"), cap)
        except NoAnswer:
            if not self._is_unborn():
                raise
            data = self._diff_without_commits(options, cap)
        return data.decode("utf-8", "surrogateescape")

    def unstaged(self, cap: int) -> str:
        """The difference between what is staged and the working tree, like `diff`.

        Raises:
            GitFailed: git did not answer, or the difference is larger.
        """
        return self._run((*self._unfiltered, *_DIFF, "--"), cap).decode("utf-8", "surrogateescape")

    def blobs(self, names: Sequence[str], cap: int) -> Mapping[str, bytes]:
        """The contents of objects in git's store, as far as there are any.

        Args:
            names: their hashes, whole or shortened.
            cap: the most bytes that are taken of all together; what comes behind is left out.

        Raises:
            GitFailed: git did not answer.
        """
        said = "".join(f"{name}\n" for name in names).encode()
        data = self._run(("cat-file", "--batch", "--buffer"), cap, said=said)
        found: dict[str, bytes] = {}
        at = 0
        for name in names:
            end = data.find(b"\n", at)
            if end < 0:
                break
            head = data[at:end].split(b" ")
            at = end + 1
            if len(head) == _BLOB_HEAD and head[2].isdigit():
                size = int(head[2])
                if at + size < len(data) and head[1] == b"blob":
                    found[name] = data[at : at + size]
                at += size + 1
        return found

    def _diff_without_commits(self, options: Sequence[str], cap: int) -> bytes:
        try:
            return self._run((*options, _EMPTY_TREES[0], "--"), cap)
        except NoAnswer:
            return self._run((*options, _EMPTY_TREES[1], "--"), cap)

    def _is_unborn(self) -> bool:
        try:
            self._run(("rev-parse", "--quiet", "--verify", "HEAD^{commit}"), 1_000)
        except NoAnswer as failure:
            return failure.status == 1
        return False

    @cached_property
    def _unfiltered(self) -> tuple[str, ...]:
        """Options that switch off every content filter that any configuration names: git has no single switch."""
        try:
            keys = self._run(("config", "-z", "--name-only", "--get-regexp", r"^filter\."), 1_000_000)
        except NoAnswer as failure:
            if failure.status != 1:
                raise
            return ()
        found: dict[str, None] = {}
        for key in keys.split(b"\0"):
            match = _FILTER.match(key)
            if match:
                found[os.fsdecode(match[1])] = None
        if any("=" in name for name in found):
            raise GitFailed("the repository names a content filter that cannot be switched off")
        switches: list[str] = []
        for name in found:
            for setting in ("clean=", "smudge=", "process=", "required=false"):
                switches += ("-c", f"filter.{name}.{setting}")
        return tuple(switches)

    def _run(
        self,
        arguments: Sequence[str],
        cap: int,
        *,
        at: Path | None = None,
        said: bytes | None = None,
        literal: bool = True,
    ) -> bytes:
        """What git answers; as for `answer_of`."""
        literally = ("--literal-pathspecs",) if literal else ()  # check-ignore refuses it: it knows no other way
        command = (self._program, *_SWITCHES, *literally, *arguments)
        return answer_of(command, at or self._root, self._environ, self._timeout_s, cap, said)


def git_alone(root: Path, environ: Mapping[str, str], timeout_s: float) -> Repository | None:
    """A git for what needs no repository, in a folder; None where there is none.

    Args:
        root: a real path.
        environ: as for `open_repository`.
        timeout_s: likewise.
    """
    program = _program(environ, root)
    if program is None:
        return None
    alone = Repository(root, root, program, environ, timeout_s)
    alone.forget_repositories()
    return alone


def open_repository(root: Path, environ: Mapping[str, str], timeout_s: float) -> Repository | None:
    """The repository that holds the root; None where there is none that may be asked, or no git.

    Args:
        root: a real path.
        environ: the environment; only what git needs to find itself and the user's own settings is passed on.
        timeout_s: seconds that git may take for one answer.
    """
    top = git_top(root)
    folder = git_folder(top) if top is not None else None
    program = _program(environ, top) if top is not None else None
    if top is None or folder is None or program is None:
        return None
    repository = Repository(root, top, program, environ, timeout_s)
    return repository if repository.settle_on(folder) else None


def _program(environ: Mapping[str, str], top: Path) -> str | None:
    """Finds git on the search path, never in a relative entry or inside the repository, which may ship its own."""
    name = "git.exe" if os.name == "nt" else "git"
    for entry in environ.get("PATH", os.defpath).split(os.pathsep):
        folder = Path(entry)
        program = folder / name
        try:
            inside = any(path.is_relative_to(top) for path in (folder, folder.resolve(), program.resolve()))
            if folder.is_absolute() and not inside and program.is_file() and os.access(program, os.X_OK):
                return str(program)
        except (OSError, RuntimeError, ValueError):
            continue  # a circle of links, or no path at all
    return None


def _own(paths: Iterable[Path], caller: str) -> bool:
    """Whether paths belong to the running user, as git itself asks; for root also to the caller of `sudo`."""
    if not hasattr(os, "geteuid"):
        return False
    users = {os.geteuid()}
    if 0 in users and caller.isdecimal():
        users.add(int(caller))
    try:
        return all(path.lstat().st_uid in users for path in paths)
    except OSError:
        return False


def _names(listing: bytes) -> tuple[str, ...]:
    return tuple(sorted({os.fsdecode(name) for name in listing.split(b"\0") if name}))
