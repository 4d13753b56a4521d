"""The program itself: versions, git, and what the clock can be held against."""

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from smista_mcp import __version__
from smista_mcp.context.gitchild import GitFailed, answer_of
from smista_mcp.core.diagnosis.ledgers import LedgerFacts
from smista_mcp.core.diagnosis.program import Clock, Git, Package, Running
from smista_mcp.hosts import HOSTS
from smista_mcp.loading.catalog_data import read_families

_NEEDED = ("mcp", "pydantic", "httpx", "anyio", "tomlkit")
_GIT_S = 2.0
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*([^;]*)")


def running() -> Running:
    """This installation."""
    wanted = dict(_wanted())
    packages = tuple(Package(name, _version(name), wanted.get(name, "")) for name in _NEEDED)
    release = re.match(r"[0-9.]*", platform.release())  # what follows may say whose kernel it is
    system = " ".join(filter(None, (platform.system(), release and release[0], platform.machine())))
    return Running(__version__, tuple(sys.version_info[:3]), sys.executable, system, packages)


def git(variables: Mapping[str, str]) -> Git:
    """The git on the search path."""
    search = variables.get("PATH", os.defpath)
    program = shutil.which("git", path=search)
    if program is None:
        return Git(None, "it is not on the PATH")
    try:
        said = answer_of([program, "--version"], Path(os.sep), {"PATH": search, "LC_ALL": "C"}, _GIT_S, 1000)
    except GitFailed as failure:
        return Git(None, str(failure))
    found = re.search(rb"\d+(?:\.\d+)+", said)
    return Git(found[0].decode()) if found else Git(None, "it does not say its version")


def clock(now: float, ledger: LedgerFacts, files: Sequence[tuple[str, Path]]) -> Clock:
    """What the clock can be held against.

    Args:
        now: what it says.
        ledger: whose last record has a time.
        files: of smista and its user, each with a word for it.
    """
    # not the days of the catalog, among which there are announced prices
    last = max(*(str(row["date"]) for row in read_families()), *(host.checked for host in HOSTS))
    shipped = datetime.fromisoformat(last).replace(tzinfo=UTC).timestamp()
    recorded = (("the last record of the ledger", ledger.latest),) if ledger.latest is not None else ()
    return Clock(now, shipped, (*recorded, *_times(files)))


def _times(files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, float]]:
    for what, path in files:
        try:
            yield what, path.stat().st_mtime
        except OSError:
            continue


def _wanted() -> Iterator[tuple[str, str]]:
    try:
        said = importlib.metadata.requires("smista-mcp") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for one in said:
        found = _REQUIREMENT.match(one)
        if found and "extra" not in one:
            yield found[1], found[2].strip()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
