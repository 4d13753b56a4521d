"""The whole examination: every look with its limit, the failure of each one told, and the remarks of all."""

import getpass
import os
import platform
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Generic, TypeVar

from smista_mcp import __version__
from smista_mcp.app.diagnosing.entries import Surroundings, hosts_seen, this_platform
from smista_mcp.app.diagnosing.machine import clock, git, running
from smista_mcp.app.diagnosing.policy import PolicyLooked, policy_looked
from smista_mcp.app.diagnosing.providers import embedded_seen, key_variables, providers_seen
from smista_mcp.app.diagnosing.starting import measured
from smista_mcp.app.world import World, utc_now
from smista_mcp.core.diagnosis import program
from smista_mcp.core.diagnosis.ledgers import LedgerFacts, judge_ledger
from smista_mcp.core.diagnosis.marks import Mask, place
from smista_mcp.core.diagnosis.policies import judge_policy, judge_workspace
from smista_mcp.core.diagnosis.registered import HostSeen, StartSeen, judge_host, judge_start
from smista_mcp.core.diagnosis.remarks import Remark
from smista_mcp.core.diagnosis.servers import judge_embedded, judge_providers
from smista_mcp.core.diagnosis.whole import Diagnosis, diagnosis
from smista_mcp.hosts import HOSTS
from smista_mcp.ledger.inspection import inspect
from smista_mcp.loading.environment import account_home
from smista_mcp.loading.layers import layer_files

START_S: Final = 19.0
"""Seconds for the two starts of the server, which come first, so that nothing else of ours disturbs their clock."""
LOOK_S: Final = 5.0
"""Seconds for everything else; twice, because providers are known only once the policy is."""
_CHECKED_S: Final = 2.0
_LIMITS: Final = {host.name: host.start_limit_s for host in HOSTS if host.start_limit_s is not None}

T = TypeVar("T")


def examine(world: World, *, redacted: bool = False) -> Diagnosis:
    """Looks at everything, changes nothing, and ends within a few seconds, whatever it finds.

    Args:
        world: of this process.
        redacted: whether what belongs to the machine and its user is masked.
    """
    return diagnosis(tuple(_remarks(world)), __version__, mask_of(world), masked=redacted)


def mask_of(world: World) -> Mask:
    """What of this machine may not be seen by others."""
    around, root = world.settings.environment, world.settings.workspace
    account = account_home()
    homes = [str(home) for home in (around.home, account) if home is not None and home != Path(home.anchor)]
    names = [*_machine_names(), *(Path(home).name for home in homes), *([root.name] if root else [])]
    return Mask(homes[0] if homes else "", str(root) if root else "", tuple(names))


def _machine_names() -> Iterator[str]:
    with suppress(OSError, KeyError, ImportError):
        yield getpass.getuser()
    node = platform.node()
    yield node
    yield node.partition(".")[0]


class _Look(Generic[T]):
    """One look, in a thread of its own: one that hangs is left behind."""

    def __init__(self, name: str, look: Callable[[], T]) -> None:
        self.name = name
        self._found: list[T] = []
        self._broken = ""
        self._thread = threading.Thread(target=self._run, args=(look,), name=f"doctor {name}", daemon=True)
        self._thread.start()

    def _run(self, look: Callable[[], T]) -> None:
        try:
            self._found.append(look())
        except Exception as error:  # noqa: BLE001  one broken look may not take the others with it
            self._broken = type(error).__name__

    def wait(self, end: float) -> None:
        self._thread.join(max(0.0, end - time.monotonic()))

    @property
    def found(self) -> T | None:
        return self._found[0] if self._found else None

    def remarks(self, limit_s: float, judge: Callable[[T], Iterable[Remark]]) -> Iterator[Remark]:
        """What is to be said of it; where it brought nothing, that."""
        if self._found:
            yield from judge(self._found[0])
        elif self._broken:
            yield program.judge_defect(self.name, self._broken)
        else:
            yield program.judge_late(self.name, limit_s)


def _remarks(world: World) -> Iterator[Remark]:
    around = world.settings.environment
    start = _Look("start", lambda: measured(around.variables))
    start.wait(time.monotonic() + START_S)
    yield from start.remarks(START_S, lambda seen: judge_start(seen, _LIMITS))
    policy = _Look("policy", lambda: policy_looked(world))
    ledger = _Look("ledger", lambda: ledger_seen(world))
    of_git = _Look("git", lambda: git(around.variables))
    of_hosts = _Look("hosts", lambda: hosts_seen(_surroundings(world)))
    of_program = _Look("program", running)
    end = time.monotonic() + LOOK_S
    for look in (policy, ledger, of_git, of_hosts, of_program):
        look.wait(end)
    yield from of_program.remarks(LOOK_S, program.judge_running)
    yield from of_git.remarks(LOOK_S, lambda seen: (program.judge_git(seen),))
    yield program.judge_sqlite(sqlite3.sqlite_version_info)
    yield from _clock(world, ledger.found)
    root = world.settings.workspace
    yield judge_workspace(str(root) if root else None)
    yield from policy.remarks(LOOK_S, lambda looked: judge_policy(looked.seen))
    yield from ledger.remarks(LOOK_S, judge_ledger)
    yield from _providers(world, policy.found)
    keys = key_variables(policy.found.policy) if policy.found and policy.found.policy else ()

    def judge_hosts(seen: tuple[HostSeen, ...]) -> Iterator[Remark]:
        for one in seen:
            yield from judge_host(one, start.found or StartSeen(), keys)

    yield from of_hosts.remarks(LOOK_S, judge_hosts)


def _providers(world: World, looked: PolicyLooked | None) -> Iterator[Remark]:
    policy = looked.policy if looked else None
    embedded = _Look("embedded model", lambda: embedded_seen(world, policy))
    end = time.monotonic() + LOOK_S
    if policy is not None:
        providers = _Look("providers", lambda: providers_seen(world, policy))
        providers.wait(end)
        handoff = policy.handoff != "never"
        yield from providers.remarks(LOOK_S, lambda seen: judge_providers(seen, handoff=handoff))
    embedded.wait(end)
    yield from embedded.remarks(LOOK_S, lambda seen: (judge_embedded(seen),))


def ledger_seen(world: World) -> LedgerFacts:
    """The state folder, unless it is not to be believed."""
    refusal = world.state_refusal
    if refusal is not None:
        state = str(world.state)
        return LedgerFacts(state, refusal=(refusal.message.replace(f"`{state}`", place(state)), refusal.fix))
    return inspect(world.state, _CHECKED_S)


def _clock(world: World, ledger: LedgerFacts | None) -> Iterator[Remark]:
    facts = ledger or LedgerFacts(str(world.state))
    files = [(f"the {one.layer.value} policy file", one.path) for one in layer_files(world.settings)]
    files += [("the installation's key", world.state / "key"), ("the program itself", Path(__file__))]
    yield program.judge_clock(clock(utc_now().timestamp(), facts, files))


def _surroundings(world: World) -> Surroundings:
    around = world.settings.environment
    moved = around.config_file.parent if "SMISTA_HOME" in around.variables else None
    home = around.home or account_home() or Path(os.sep)
    return Surroundings(home, world.settings.workspace, around.variables, this_platform(), moved)
