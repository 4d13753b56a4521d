"""What git says about the workspace, asked of the `git` program so that nothing of a repository can run.

A repository's own configuration and attributes may name programs (file system monitor, hooks, external diffs, text
conversion, filters, a pager, helpers of a remote). Each is switched off here by options, which outrank the files.
"""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from smista_mcp.context.workspace import git_top

_KEPT = re.findall(
    r"\w+",
    "PATH HOME XDG_CONFIG_HOME USER LOGNAME TMPDIR LD_LIBRARY_PATH SUDO_UID "
    "SYSTEMROOT SYSTEMDRIVE WINDIR USERPROFILE HOMEDRIVE HOMEPATH APPDATA PROGRAMDATA TEMP TMP PATHEXT",
)
_SWITCHES = (
    "--no-optional-locks",
    "--no-pager",
    "--literal-pathspecs",
    "-c",
    "core.fsmonitor=",  # empty switches it off in every version; old ones would take `false` for a program
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.quotePath=false",
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
_EMPTY_TREES = (
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
)
"""The tree without files, in SHA-1 and SHA-256 repositories; git knows it without having it."""
_FILTER = re.compile(rb"filter\.(.+)\.[^.]+\Z", re.DOTALL)
_LISTING_CAP = 64_000_000
_GROUPS = os.name == "posix"


class GitFailed(Exception):
    """git did not answer; the text says why, in plain words."""


class Repository:
    """The git repository that holds a workspace root. Every method runs one child process with a time-out."""

    def __init__(self, root: Path, top: Path, program: str, environ: Mapping[str, str], timeout_s: float) -> None:
        self._root = root
        self._program = program
        self._timeout_s = timeout_s
        self._environ = {name: environ[name] for name in _KEPT if name in environ} | {
            "LC_ALL": "C",
            "GIT_WORK_TREE": str(top),  # outranks core.worktree
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "",
        }
        if os.pathsep not in str(top.parent):
            self._environ["GIT_CEILING_DIRECTORIES"] = str(top.parent)

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
        except _NoAnswer:
            if not self._is_unborn():
                raise
            data = self._diff_without_commits(options, cap)
        return data.decode("utf-8", "surrogateescape")

    def _diff_without_commits(self, options: Sequence[str], cap: int) -> bytes:
        try:
            return self._run((*options, _EMPTY_TREES[0], "--"), cap)
        except _NoAnswer:
            return self._run((*options, _EMPTY_TREES[1], "--"), cap)

    def _is_unborn(self) -> bool:
        try:
            self._run(("rev-parse", "--quiet", "--verify", "HEAD^{commit}"), 1_000)
        except _NoAnswer as failure:
            return failure.status == 1
        return False

    @cached_property
    def _unfiltered(self) -> tuple[str, ...]:
        """Options that switch off every content filter that any configuration names: git has no single switch."""
        try:
            keys = self._run(("config", "-z", "--name-only", "--get-regexp", r"^filter\."), 1_000_000)
        except _NoAnswer as failure:
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

    def _run(self, arguments: Sequence[str], cap: int) -> bytes:
        try:
            child = subprocess.Popen(
                (self._program, *_SWITCHES, *arguments),
                cwd=self._root,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=0 if _GROUPS else None,
            )
        except (OSError, ValueError) as error:
            raise GitFailed("git cannot be started") from error
        late = threading.Event()

        def stop() -> None:
            late.set()
            if _GROUPS:
                os.killpg(child.pid, signal.SIGKILL)  # also whatever it may have started and that holds its output
            else:
                child.kill()

        watch = threading.Timer(self._timeout_s, stop)
        watch.daemon = True
        watch.start()
        try:
            with child:
                stdout = child.stdout
                data = stdout.read(cap + 1) if stdout is not None else b""
                if len(data) > cap:
                    child.kill()
        finally:
            watch.cancel()
        if late.is_set():
            raise GitFailed(f"git did not answer within {self._timeout_s:g} s")
        if len(data) > cap:
            raise GitFailed(f"too large: over {cap / 1_000_000:g} MB")
        if child.returncode:
            raise _NoAnswer(child.returncode)
        return data


class _NoAnswer(GitFailed):
    def __init__(self, status: int) -> None:
        super().__init__(f"git refused (exit status {status})")
        self.status = status


def open_repository(root: Path, environ: Mapping[str, str], timeout_s: float) -> Repository | None:
    """The repository that holds the root; None where there is none that may be asked, or no git.

    Args:
        root: a real path.
        environ: the environment; only what git needs to find itself and the user's own settings is passed on.
        timeout_s: seconds that git may take for one answer.
    """
    top = git_top(root)
    if top is None or not _is_whole(top):
        return None
    program = _program(environ, root)
    return Repository(root, top, program, environ, timeout_s) if program else None


def _program(environ: Mapping[str, str], root: Path) -> str | None:
    """Finds git on the search path, never in a relative entry or inside the workspace, which may ship its own."""
    name = "git.exe" if os.name == "nt" else "git"
    for entry in environ.get("PATH", os.defpath).split(os.pathsep):
        folder = Path(entry)
        if not folder.is_absolute() or folder.is_relative_to(root):
            continue
        program = folder / name
        if program.is_file() and os.access(program, os.X_OK) and not program.resolve().is_relative_to(root):
            return str(program)
    return None


def _is_whole(top: Path) -> bool:
    """Whether the repository's own data lie where git puts them.

    A `.git` that arrived in an archive could lead to the repository of another project, whose contents would then be
    read as the old side of every difference.
    """
    entry = top / ".git"
    try:
        if entry.is_symlink():
            return False
        if entry.is_dir():
            return _holds_its_own(entry)
        private = (top / os.fsdecode(entry.read_bytes()[8:].strip(b"\r\n"))).resolve(strict=True)
        if (private / "commondir").exists():
            return _is_linked_worktree(private, entry)
        holders = (folder / ".git" / "modules" for folder in top.parents)
        return any(private.is_relative_to(holder) for holder in holders) and _holds_its_own(private)
    except (OSError, ValueError, RuntimeError):
        return False


def _is_linked_worktree(private: Path, entry: Path) -> bool:
    back = Path(os.fsdecode((private / "gitdir").read_bytes().strip(b"\r\n")))
    shared = private.parent.parent
    return private.parent.name == "worktrees" and (private / back).samefile(entry) and _holds_its_own(shared)


def _holds_its_own(private: Path) -> bool:
    if (private / "commondir").exists():
        return False
    inner = ("HEAD", "refs", "objects", "packed-refs", "index", "config")
    return all((private / name).resolve().is_relative_to(private.resolve()) for name in inner)


def _names(listing: bytes) -> tuple[str, ...]:
    return tuple(sorted({os.fsdecode(name) for name in listing.split(b"\0") if name}))
