"""What smista itself stands on: Python, its packages, git, SQLite, and the clock of this machine."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from smista_mcp.core.diagnosis.marks import place, words
from smista_mcp.core.diagnosis.remarks import Remark, fine, note, wrong

WAL_BUG_MENDED = (3, 51, 3)
_WAL_BUG_FROM = (3, 7, 0)
_OLDEST_SQLITE = (3, 9, 0)
"""The first with functions for JSON, which the ledger uses."""
_OLDEST_PYTHON = (3, 11)
_BOUND = re.compile(r"(>=|<=|==|<|>)\s*([0-9]+(?:\.[0-9]+)*)")
_DAY_S = 86_400
_SLACK_S = 300
"""Seconds by which clocks of machines that share a folder may differ."""
_OLD_S = 3 * 365 * _DAY_S


class Package(NamedTuple):
    """A package that smista needs.

    Attributes:
        version: that is installed; None where none is.
        wanted: what smista's own metadata ask for, for example `>=2.3,<3`.
    """

    name: str
    version: str | None
    wanted: str = ""


class Running(NamedTuple):
    """This installation.

    Attributes:
        python: its version.
        executable: its path.
    """

    version: str
    python: tuple[int, ...]
    executable: str
    system: str
    packages: tuple[Package, ...]


class Git(NamedTuple):
    """The git on the search path.

    Attributes:
        version: as it tells; None where it could not be asked, and `failure` says why.
    """

    version: str | None
    failure: str = ""


class Clock(NamedTuple):
    """What the clock can be held against without a network. Times are seconds since the epoch.

    Attributes:
        now: what the clock says.
        shipped: the day on which the newest of the facts that ship with smista were gathered.
        written: what smista or its user wrote on this machine, with its time.
    """

    now: float
    shipped: float
    written: tuple[tuple[str, float], ...] = ()


def judge_running(seen: Running) -> Iterator[Remark]:
    """The program, its Python and its packages."""
    yield fine("program", "version", f"smista-mcp {seen.version} on {seen.system}")
    figure = ".".join(map(str, seen.python))
    python = f"Python {figure} at {place(seen.executable)}"
    if seen.python < _OLDEST_PYTHON:
        yield wrong("program", "python", f"{python} is too old", "install smista-mcp under Python 3.11 or newer")
    else:
        yield fine("program", "python", python)
    misfits = [one for one in seen.packages if not _fits(one)]
    for one in misfits:
        there = f"is {one.version}, and {one.wanted} is needed" if one.version else "is not installed"
        fix = f"run `python -m pip install '{one.name}{one.wanted}'` in the environment of smista-mcp"
        yield wrong("program", "packages", f"the package {one.name} {there}", fix)
    if not misfits:
        there = ", ".join(f"{one.name} {one.version}" for one in seen.packages)
        yield fine("program", "packages", there or "no package is needed")


def judge_git(seen: Git) -> Remark:
    """git, without which no file of a repository is known."""
    if seen.version is not None:
        return fine("program", "git", f"git {seen.version}")
    said = f"git cannot be asked: {seen.failure}; diffs and paths of a repository are not known"
    return note("program", "git", said, "install git, and see that it is on the PATH that your host has")


def judge_sqlite(version: tuple[int, ...]) -> Remark:
    """The SQLite that this Python has."""
    figure = ".".join(map(str, version))
    if version < _OLDEST_SQLITE:
        said = f"SQLite {figure} cannot read JSON, which the ledger needs"
        return wrong("program", "sqlite", said, "use a Python that was built with SQLite 3.9 or newer")
    if _WAL_BUG_FROM <= version < WAL_BUG_MENDED:
        said = (
            f"SQLite {figure}; versions before 3.51.3 can damage a file in WAL mode when two programs write to it:"
            " the ledger does not use that mode"
        )
        return fine("program", "sqlite", said)
    return fine("program", "sqlite", f"SQLite {figure}")


def judge_clock(seen: Clock) -> Remark:
    """The clock: days and months of budgets, prices, and the 24 hours of an approval go by it."""
    fix = "set this machine's clock; budgets by day or month, prices and approvals go by it"
    if seen.now < seen.shipped - _DAY_S:
        said = "the clock is behind: it says a day before the facts that ship with smista were gathered"
        return wrong("program", "clock", said, fix)
    later = max(seen.written, key=lambda one: one[1], default=("", seen.now))
    ahead = later[1] - seen.now
    if ahead > _SLACK_S:
        said = f"the clock is behind, or was ahead: {later[0]} is from {_span(ahead)} later than now"
        return wrong("program", "clock", said, fix)
    if seen.now > seen.shipped + _OLD_S:
        said = "the clock is more than three years after the facts that ship with smista: one of them is out of date"
        return note("program", "clock", said, "set this machine's clock, or update smista-mcp: its prices are old")
    return fine("program", "clock", "the clock fits what was written on this machine")


def _span(seconds: float) -> str:
    if seconds >= 2 * _DAY_S:
        return f"{seconds / _DAY_S:.0f} days"
    if seconds >= 7200:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 60:.0f} minutes"


def _fits(package: Package) -> bool:
    if package.version is None:
        return False
    there = _figures(package.version)
    return all(_holds(there, sign, _figures(bound)) for sign, bound in _BOUND.findall(package.wanted))


def _figures(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _holds(there: Sequence[int], sign: str, bound: Sequence[int]) -> bool:
    length = max(len(there), len(bound))
    one, other = ((*figures, *(0,) * (length - len(figures))) for figures in (there, bound))
    match sign:
        case ">=":
            return one >= other
        case "<=":
            return one <= other
        case ">":
            return one > other
        case "<":
            return one < other
        case _:
            return one == other


def judge_defect(check: str, what: str) -> Remark:
    """A check of ours that failed itself."""
    said = f"the check `{check}` broke: {words(what)}; this is a defect of smista-mcp"
    return note("program", "defect", said, "run `smista-mcp doctor --debug` and report what that shows")


def judge_late(check: str, limit_s: float) -> Remark:
    """A check that was given up."""
    said = f"the check `{check}` did not end within {limit_s:g} s"
    return note("program", "late", said, "try again when this machine has less to do")
