"""What every decision sees, kept fresh: policy files, catalog, servers, money left. The only reader of the clock."""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from smista_mcp import __version__, hosts
from smista_mcp.app.availability import availability, named_models
from smista_mcp.app.caller import NOBODY, Caller
from smista_mcp.app.enclosing import folder_patterns, without_code
from smista_mcp.app.protocols import Protocols
from smista_mcp.app.skillshelf import Shelf, shelf
from smista_mcp.core.approval import Approved
from smista_mcp.core.catalog import Catalog
from smista_mcp.core.costing import plain
from smista_mcp.core.effective import Policy
from smista_mcp.core.evidence import NO_EVIDENCE, Evidence
from smista_mcp.core.facts import BudgetLeft, ProviderFacts
from smista_mcp.core.plugin import Plugin
from smista_mcp.core.policy import Budget
from smista_mcp.core.snapshot import Circumstances, Rulebook, Snapshot, rulebook, snapshot
from smista_mcp.core.sources import BUILTIN, LayerDocument
from smista_mcp.core.values import Locality
from smista_mcp.errors import StateUnavailable
from smista_mcp.hosts import HostSpec
from smista_mcp.ledger import Ledger, Scope, installation_key
from smista_mcp.loading.catalog_data import read_extract, read_families
from smista_mcp.loading.layers import Settings, Signature, load, signature

if TYPE_CHECKING:
    from smista_mcp.dispatch.cooldown import Cooldowns
    from smista_mcp.dispatch.waiting import Waits


def utc_now() -> datetime:
    """The time, for the ledger and for what depends on the day: never for a choice between models."""
    return datetime.now(UTC)  # noqa: TID251  the composition root reads the clock for everyone


class _Loaded(NamedTuple):
    signature: Signature
    shelf: Shelf
    book: Rulebook
    documents: tuple[LayerDocument, ...]


@dataclass(slots=True)
class World:
    """The state of one process, shared by its threads.

    Attributes:
        settings: which policy files apply; `settings.workspace` is the root, or None.
        ticks: seconds on a clock that never jumps.
        draw: gives figures from 0 to below 1, for waits; None for the system's own.
    """

    settings: Settings
    ticks: Callable[[], float] = time.monotonic
    draw: Callable[[], float] | None = None
    _cooldowns: "Cooldowns | None" = None
    _loaded: _Loaded | None = None
    _catalogs: dict[tuple[str, str], Catalog] = field(default_factory=dict[tuple[str, str], Catalog])
    _plugins: dict[str, Plugin] = field(default_factory=dict[str, Plugin])
    protocols: Protocols = field(init=False)
    _ledger: Ledger | None = None
    _key: bytes | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.protocols = Protocols(self.settings)

    @property
    def state(self) -> Path:
        """Where the state lies, or would: to be shown. What reads or writes there asks `own_state`."""
        return self.settings.environment.state_folder

    @property
    def believed_state(self) -> Path | None:
        """The state folder, or None where a repository could have brought its own."""
        return None if self.settings.state_came_along else self.state

    @property
    def state_refusal(self) -> StateUnavailable | None:
        """Why the state folder is not used; None where it is."""
        if self.believed_state is not None:
            return None
        return StateUnavailable(
            f"the state folder `{self.state}` lies in the workspace, its repository or the working directory:"
            " what is in it may not be ours",
            fix="set SMISTA_HOME to a folder of your own outside of it",
        )

    def own_state(self) -> Path:
        """The state folder: ledger, key, answers and models of this user.

        Raises:
            StateUnavailable: a repository could have brought its own; nothing in it is believed or added to.
        """
        refusal = self.state_refusal
        if refusal is not None:
            raise refusal
        return self.state

    def book(self) -> Rulebook:
        """The policy in force with the names of skills, read anew when one of its files or the skills changed.

        Raises:
            PolicyInvalid: a file cannot be used.
            OrgPolicyInvalid: an organisation's file is there and cannot be applied.
        """
        with self._lock:
            there = self.shelf()
            if self._loaded is None or (self._loaded.signature, self._loaded.shelf) != (
                signature(self.settings),
                there,
            ):
                found = load(self.settings)
                policy = self.guarded(found.policy)
                policy = policy._replace(notices=(*policy.notices, *there.notices))
                known = frozenset(there.known)
                self._loaded = _Loaded(found.signature, there, rulebook(policy, known), found.documents)
            return self._loaded.book

    def documents(self, revision: str) -> tuple[LayerDocument, ...] | None:
        """What the policy of a revision is made of; None where another one is in force by now."""
        loaded = self._loaded
        return loaded.documents if loaded is not None and loaded.book.policy.revision == revision else None

    def shelf(self) -> Shelf:
        """The skills on disk right now."""
        return shelf(self.settings)

    def guarded(self, policy: Policy) -> Policy:
        """The policy with our own state restricted, wherever it lies in the workspace and whatever is freed."""
        return with_guarded(policy, self.own_patterns())

    def own_patterns(self) -> tuple[str, ...]:
        """Patterns of our own state, where it lies in the workspace."""
        return folder_patterns(self.state, self.settings.workspace)

    def catalog(self, policy: Policy) -> Catalog:
        """Facts of models, with the prices of today."""
        which = (policy.revision, utc_now().date().isoformat())
        catalog = self._catalogs.get(which)
        if catalog is None:
            self._catalogs.clear()
            catalog = self._catalogs[which] = Catalog(read_extract(), read_families(), policy.catalog, which[1])
        return catalog

    def plugin(self, policy: Policy) -> Plugin | None:
        """The function that the policy names; None where it names none.

        What was loaded stays as it is: Python loads no module anew, so another version of it takes a new process.
        """
        name = policy.plugin
        if name is None:
            return None
        with self._lock:
            plugin = self._plugins.get(name)
            if plugin is None:
                from smista_mcp.loading.plugin_calls import guarded  # noqa: PLC0415  few policies name one
                from smista_mcp.loading.plugins import load_plugin  # noqa: PLC0415

                plugin = load_plugin(name, without_code(self.settings.workspace, self.settings.enclosing))
                if plugin.select is not None:
                    plugin = self._plugins[name] = plugin._replace(select=guarded(plugin.select))
            return plugin

    def open_ledger(self) -> Ledger:
        """The ledger.

        Raises:
            StateUnavailable: it cannot be opened, and why; the next call tries again.
        """
        if self._ledger is None:
            self._ledger = Ledger.open(self.own_state())
        return self._ledger

    def ledger(self) -> Ledger | None:
        """The ledger; None where it cannot be opened."""
        try:
            return self.open_ledger()
        except StateUnavailable:
            return None

    def approvals(self, owner: str) -> tuple[Approved, ...]:
        """Every yes of a person that holds now for calls of this caller in this workspace; none if unreadable."""
        try:
            return self.open_ledger().approvals.granted(self.workspace_digest(), utc_now(), owner)
        except StateUnavailable:
            return ()

    def key(self) -> bytes:
        """The secret that keyed hashes of this installation use; an empty one for as long as none can be kept."""
        if self._key is None:
            try:
                self._key = installation_key(self.own_state())
            except StateUnavailable:
                return b""
        return self._key

    @property
    def cooldowns(self) -> "Cooldowns":
        """How the providers are, as this process has seen it."""
        if self._cooldowns is None:
            from smista_mcp.dispatch.cooldown import Cooldowns  # noqa: PLC0415  what only routes asks nobody

            self._cooldowns = Cooldowns(lambda: self.ticks())  # noqa: PLW0108  a clock that is set later counts too
        return self._cooldowns

    @property
    def waits(self) -> "Waits":
        """The waits before a model is asked again."""
        import secrets  # noqa: PLC0415  as above

        from smista_mcp.dispatch.waiting import Waits  # noqa: PLC0415

        return Waits(self.draw or secrets.SystemRandom().random)

    def scope(self, owner: str | None) -> Scope:
        """What was recorded for this workspace, and for this caller where one is given."""
        return Scope(self.workspace_digest(), None if owner is None else keyed(self.key(), owner))

    def scope_of(self, caller: Caller) -> Scope:
        """What a caller may look up: what was recorded for this workspace; over HTTP its own alone."""
        return self.scope(caller.owner if caller.over_http else None)

    def workspace_digest(self) -> str | None:
        """The workspace as the ledger knows it."""
        root = self.settings.workspace
        return None if root is None else keyed(self.key(), str(root))

    def host(self, client_name: str | None) -> HostSpec:
        """The host that calls."""
        return self.detected(client_name)[0]

    def detected(self, client_name: str | None) -> tuple[HostSpec, str]:
        """The host that calls, and what decided that: `override`, `client`, `environment` or `nothing`."""
        env = self.settings.environment
        present = {"CLAUDECODE": env.claude_code, "GEMINI_CLI": env.gemini_cli, "OPENCODE": env.opencode}
        marks = frozenset(name for name, there in present.items() if there)
        by = "override" if env.host else "client" if client_name else "environment" if marks else "nothing"
        return hosts.detect(env.host, client_name, marks), by

    def snapshot(
        self, book: Rulebook, host: HostSpec, model: str | None = None, *, caller: Caller = NOBODY
    ) -> Snapshot:
        """What a decision sees now.

        Args:
            book: the policy in force.
            host: the host that calls.
            model: a target that the call names itself.
            caller: who calls. Where it came over HTTP, anyone may give the name of the host: unless SMISTA_HOST says
                who calls, what the policy says of that name does not hold then.
        """
        policy = book.policy
        providers = self.available(policy, named_models(policy, model))
        for name in self._cooldowns.cooled() if self._cooldowns else ():
            if name in providers:
                providers[name] = providers[name]._replace(cooldown=True)
        believed = self.believes(over_http=caller.over_http)
        locality = policy.host_localities.get(host.name, Locality.REMOTE) if believed else Locality.REMOTE
        readable = self.settings.workspace is not None
        budgets, plugin = self.budgets(policy, caller), self.plugin(policy)
        now = Circumstances(providers, hosts.facts(host, locality), budgets, plugin, readable, self.evidence(policy))
        return snapshot(book, self.catalog(policy), now, key=self.key(), version=__version__)

    def evidence(self, policy: Policy, *, keep: bool = True) -> Evidence | None:
        """What was counted of models up to this day; None where the policy wants none.

        Args:
            policy: the one that asks.
            keep: whether it may be written down, so that all of this day see the same.
        """
        if not policy.adaptive.enabled:
            return None
        try:
            if not keep and not Ledger.is_there(self.own_state()):
                return NO_EVIDENCE
            return self.open_ledger().evidence.current(utc_now(), policy.adaptive.window_days, keep=keep)
        except StateUnavailable:  # nobody can tell: then nothing speaks against the policy's own order
            return NO_EVIDENCE

    def available(self, policy: Policy, named: Mapping[str, Iterable[str]]) -> dict[str, ProviderFacts]:
        """What is known of the named providers now; `named` holds the models of each that are meant."""
        around = self.settings.environment
        return availability(
            policy,
            named,
            around.secret,
            self.believed_state,
            now=utc_now().timestamp(),
            variables=around.variables,
            unfit=self.protocols.unfit,
        )

    def believes(self, *, over_http: bool) -> bool:
        """Whether what a policy says of a host by its name holds for one that came so."""
        return not over_http or bool(self.settings.environment.host)

    def budgets(self, policy: Policy, caller: Caller = NOBODY) -> tuple[BudgetLeft, ...]:
        """What is left of each budget that can count this caller's calls. Where the ledger cannot tell: nothing."""
        if not policy.budgets:
            return ()
        spent: dict[tuple[str, str], Decimal | None] = {}
        found: list[BudgetLeft] = []
        for budget in policy.budgets:
            if not caller.counts_for(budget.scope):
                continue
            which = budget.scope, budget.period
            if which not in spent:
                spent[which] = Decimal(0) if budget.period == "task" else self._spent(budget)
            gone = spent[which]
            left = Decimal(0) if gone is None else max(budget.limit - gone, Decimal(0))
            limit, rest = plain(budget.limit), plain(left)
            found.append(BudgetLeft(budget.scope, budget.period, limit, rest, gone is not None))
        return tuple(found)

    def _spent(self, budget: Budget) -> Decimal | None:
        """What a budget's period has cost so far; None where the ledger cannot tell."""
        try:
            since = period_start(budget.period, utc_now())
            return self.open_ledger().spent(budget.scope, since, self.workspace_digest())
        except StateUnavailable:
            return None


def with_guarded(policy: Policy, patterns: Iterable[str]) -> Policy:
    """The policy with further restricted patterns, which nobody lifts."""
    return policy._replace(restricted=(*policy.restricted, *((pattern, BUILTIN) for pattern in patterns)))


def period_start(period: str, now: datetime) -> datetime:
    """Where the current day or month begins, in UTC."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return day.replace(day=1) if period == "month" else day


def keyed(key: bytes, text: str) -> str:
    """A hash that tells equal texts apart from others and reveals nothing to whoever lacks the key."""
    return hmac.digest(key or b"\0", text.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:32]
