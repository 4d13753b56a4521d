"""The organisation's policy files: found, judged and read through one descriptor, so that nobody else wrote them.

Such a file binds everybody on this machine, so it counts only where nobody but the administrator can change it: it and
every folder and link on the way to it belong to root, and nobody else may write there. What belongs to the user who
runs us is taken too, for containers without root and for trying things out, and said: it binds no process that has the
same rights. Windows keeps such rights in lists of another kind, which are not looked at: there the folder's own
protection has to do.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from smista_mcp.errors import OrgPolicyInvalid
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.files import Stamp, Unreadable, open_regular, stamps

_MOST_LINKS = 40
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_FIX = "have your administrator mend it; nothing is decided without the organisation's policy"


class OrganisationFile(NamedTuple):
    """One file as it was read.

    Attributes:
        added: whether a variable names it, so that it may only narrow.
        own: whether the user who runs us could change it.
    """

    path: Path
    data: bytes
    added: bool
    own: bool


class _Refused(Exception):
    """Why a file is not taken."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(why)
        self.path, self.why = path, why


def organisation_stamps(environment: Environment) -> tuple[Stamp, ...]:
    """What changes when one of the files, or the right to write it, changes; cheap where there is none."""
    added = environment.added_organisation_file
    found: list[Stamp] = []
    for path in (environment.organisation_file, *([added] if added else [])):
        (stamp,) = stamps([path])
        found.append(stamp)
        if stamp[1] != "absent":
            found += _folder_stamps(path)
    return tuple(found)


def _folder_stamps(path: Path) -> Iterator[Stamp]:
    """Owner and rights of each folder and link on the way to a file; not their times, for others may work beside it."""
    try:
        for place, info in _steps(path):
            yield (str(place), f"{info.st_mode:o} {info.st_uid} {info.st_ino}")
    except (_Refused, FileNotFoundError) as stopped:
        yield (str(path), type(stopped).__name__)


def organisation_files(environment: Environment) -> tuple[OrganisationFile, ...]:
    """The files that are there, that of the fixed place first.

    Raises:
        OrgPolicyInvalid: one is there and cannot be taken, or the one that the variable names is not there.
    """
    fixed, added = environment.organisation_file, environment.added_organisation_file
    found: list[OrganisationFile] = []
    for path, is_added in ((fixed, False), *([(added, True)] if added else [])):
        if is_added and found and _same(path, fixed):
            continue
        try:
            file = _read(path, added=is_added)
        except _Refused as refused:
            whose = ", which SMISTA_ORG_POLICY names," if is_added else ""
            where = f"`{path}`{whose}"
            what = refused.why if refused.path == path else f"cannot be relied on: `{refused.path}` {refused.why}"
            raise OrgPolicyInvalid(f"the organisation's policy {where} {what}", fix=_FIX) from None
        if file is not None:
            found.append(file)
    return tuple(found)


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _read(path: Path, *, added: bool) -> OrganisationFile | None:
    guards = _Guards()
    place = guards.walk(path)
    if place is None:
        if added:
            raise _Refused(path, "does not exist")
        return None
    data = open_regular(place)
    if isinstance(data, Unreadable):
        raise _Refused(path, data.message)
    guards.judge(place, data.info)
    return OrganisationFile(path, data.content, added, guards.own)


def _steps(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every folder and link on the way to a file, and last the file itself, as each of them is: no link is followed.

    Raises:
        FileNotFoundError: nothing is there, and no link has promised it.
        _Refused: the way ends otherwise.
    """
    absolute = path.absolute()
    here, waiting = Path(absolute.anchor), list(reversed(absolute.parts[1:]))
    links = 0
    try:
        yield here, here.stat()
        while waiting:
            part = waiting.pop()
            if part == "..":
                here = here.parent
                yield here, here.lstat()
                continue
            step = here / part
            info = step.lstat()
            yield step, info
            if not stat.S_ISLNK(info.st_mode):
                here = step
                continue
            links += 1
            if links > _MOST_LINKS:
                raise _Refused(path, "is a link that leads in a circle")
            target = step.readlink()
            here = Path(target.anchor) if target.is_absolute() else here
            waiting += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    except FileNotFoundError:
        if links:
            raise _Refused(path, "is a link to nothing, or lies behind one") from None
        raise
    except (OSError, ValueError) as error:
        raise _Refused(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


class _Guards:
    """Follows a path by hand, because each folder and link on it decides which file is read."""

    def __init__(self) -> None:
        self.own = False

    def walk(self, path: Path) -> Path | None:
        """The file that a path leads to, without links; None where nothing is there and no link has promised it.

        Where nothing is there, it does not matter whose the folders are: in a user namespace root's belong to nobody.
        """
        place, wrong = path, None
        try:
            for place, info in _steps(path):
                wrong = wrong or self._fault(place, info)
        except FileNotFoundError:
            return None
        if wrong is not None:
            raise wrong
        return place

    def _fault(self, place: Path, info: os.stat_result) -> _Refused | None:
        folder, link = stat.S_ISDIR(info.st_mode), stat.S_ISLNK(info.st_mode)
        try:
            if folder or link:
                self.judge(place, info, folder=folder, link=link)
        except _Refused as refused:
            return refused
        return None

    def judge(self, path: Path, info: os.stat_result, *, folder: bool = False, link: bool = False) -> None:
        """Refuses what somebody else than root and the user who runs us could change."""
        if os.name == "nt":
            return
        user = os.geteuid()
        if info.st_uid not in (0, user):
            raise _Refused(path, f"belongs to user {info.st_uid}; `chown root` it")
        self.own = self.own or (info.st_uid == user != 0)
        sticky = folder and info.st_mode & stat.S_ISVTX  # there, others cannot replace what is not theirs
        if info.st_mode & _OTHERS and not sticky and not link:
            raise _Refused(path, "can be written by others; `chmod go-w` it")
