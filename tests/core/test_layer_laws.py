"""The laws of layers over a hundred thousand random sets of them, drawn anew from one seed in every run.

Documents come from a pool, because to check one against its model takes longer than to join several.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from deciding import decide, world
from pydantic import ValidationError

from smista_mcp.core.decision import Decision
from smista_mcp.core.effective import Policy
from smista_mcp.core.globs import GlobSet, name_matches
from smista_mcp.core.layering import merge
from smista_mcp.core.locks import Lock, locks_of
from smista_mcp.core.policy import PolicyDocument
from smista_mcp.core.restrictions import SCALES, Scale
from smista_mcp.core.snapshot import rulebook
from smista_mcp.core.sources import AUTHORITY, LayerDocument
from smista_mcp.core.values import Layer, Locality, Status

SETS = 100_000
"""Over all laws together."""
POOL = 1_500
SCALE_OF = {".".join(scale.path): scale for scale in SCALES}
PATHS = (".env", "*.pem", "a/**", "b", "c")
MODELS = ("openai/*", "anthropic/*", "*", "*/*", "ollama/*")
LOCKS = (
    *("*", "privacy", "privacy.remote.mode", "privacy.*.mode", "privacy.restricted_paths", "privacy.host_answers"),
    *("routing", "routing.rules", "routing.overrides", "routing.default", "routing.handoff", "classes.c", "classes"),
    *("models.allowed", "models.denied", "budgets", "dispatch.*", "dispatch.max_retries", "hosts.*", "preset"),
    *("providers.*.base_url", "providers.ollama", "providers", "catalog", "tools.permissions.git", "nonsense.key"),
)
ODD: tuple[object, ...] = (
    *(None, True, -1, 1.5, 10**30, "", "deny\n", "ALLOW", ["deny"], {"allow": True}),
    *json.loads("[[], {}, [[]]]"),
)


# ------------------------------------------------------------------------------------------------------- documents


def documents(draw: random.Random) -> list[PolicyDocument]:
    """Documents that a file can make; what is odd about one makes its file refused, which permits nothing."""
    found: list[PolicyDocument] = []
    refused = 0
    while len(found) < POOL:
        raw = table(draw)
        if draw.random() < 0.3:
            spoil(raw, draw)
        try:
            found.append(PolicyDocument.model_validate(raw))
        except ValidationError:
            refused += 1
    assert refused > POOL / 20
    return found


def table(draw: random.Random) -> dict[str, object]:
    pick = draw.choice

    def some(of: Sequence[object], most: int = 3) -> list[object]:
        return [pick(of) for _ in range(draw.randrange(most + 1))]

    def maybe(**makers: Callable[[], object]) -> dict[str, object]:
        return {name: make() for name, make in makers.items() if draw.random() < 0.35}

    def rules() -> list[object]:
        names = draw.sample(["r1", "r2", "r3"], draw.randrange(1, 3))
        optional = (
            maybe(
                local_only=lambda: pick([True, False]),
                only_models=lambda: [pick(["openai/gpt-5", "class:c", "class:d"])],
                paths=lambda: [pick(PATHS)],
                priority=lambda: draw.randrange(3),
                overridable=lambda: pick([True, False]),
            )
            for _ in names
        )
        return [
            {"name": n, "model": pick(["openai/gpt-5", "ollama/x"]), **more}
            for n, more in zip(names, optional, strict=True)
        ]

    grant = ["allow", "ask", "deny"]
    privacy = maybe(
        restricted_paths=lambda: some(PATHS),
        free_paths=lambda: some(PATHS),
        host_answers=lambda: pick(["file", "ask", "return"]),
        remote=lambda: maybe(mode=lambda: pick(grant), blocked_paths=lambda: some(PATHS)),
    )
    routing = maybe(
        rules=rules,
        default=lambda: {"model": pick(["openai/gpt-5", "ollama/x"])},
        overrides=lambda: pick(["allow", "within_route", "deny"]),
        handoff=lambda: pick(["never", "when_unavailable"]),
    )
    provider = maybe(
        base_url=lambda: pick(["http://127.0.0.1:1", "https://x.example", "http://10.0.0.9:1"]),
        locality=lambda: pick(["local", "remote"]),
        allow_plain_lan=lambda: True,
        api_key=lambda: "${secret:K}",
    )
    names = ["file_read", "git", "file_write", "shell"]
    return maybe(
        preset=lambda: "balanced",
        locked=lambda: some(LOCKS, 2),
        privacy=lambda: privacy,
        routing=lambda: routing,
        models=lambda: maybe(allowed=lambda: some(MODELS, 2), denied=lambda: some(MODELS, 2)),
        tools=lambda: {"permissions": {name: pick(grant) for name in names if draw.random() < 0.4}},
        budgets=lambda: [{"scope": pick(["all", "project"]), "period": "day", "limit": pick(["1", "2"])}],
        hosts=lambda: {"h": {"locality": pick(["local", "remote"])}},
        classes=lambda: {pick(["c", "d"]): {"models": [pick(["openai/gpt-5", "anthropic/claude-sonnet"])]}},
        catalog=lambda: {"openai/gpt-5": {"context_window": pick([4096, 8192])}},
        dispatch=lambda: {"max_retries": draw.randrange(3)},
        providers=lambda: {pick(["ollama", "openai-compat:x"]): provider},
    )


def spoil(raw: dict[str, object], draw: random.Random) -> None:
    """Puts something odd in the place of one value."""
    here: object = raw
    while isinstance(here, dict) and here:
        inner: dict[str, object] = here  # pyright: ignore[reportUnknownVariableType]  made here, of texts and tables
        name = draw.choice(sorted(inner))
        if not isinstance(inner[name], dict) or draw.random() < 0.3:
            inner[name] = draw.choice(ODD)
            return
        here = inner[name]


class Draw:
    """Sets of layers, one after the other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  the same sets in every run
        self._pool = documents(self.random)
        self._serial = 0

    def layer(self, place: Layer, *, trusted: bool | None = None, bounded: bool = False) -> LayerDocument:
        self._serial += 1
        fixed = place in (Layer.PRESET, Layer.ORGANISATION)
        believed = fixed or (self.random.random() < 0.6 if trusted is None else trusted)
        number = self.random.randrange(POOL)
        digest = f"{number:04}{self._serial % 3}"
        return LayerDocument(
            place, self._pool[number], f"{place}{self._serial}.toml", {}, believed, digest, (), bounded
        )

    def layers(self, share: float = 0.5) -> list[LayerDocument]:
        """Up to seven layers in any order, each with this likelihood; two files of one layer now and then."""
        places = [place for place in Layer if place is not Layer.BUILTIN and self.random.random() < share]
        found = [self.layer(place) for place in places]
        if self.random.random() < share:
            found.append(self.layer(Layer.ORGANISATION, bounded=self.random.random() < 0.8))
        if found and self.random.random() < 0.1:
            found.append(self.layer(self.random.choice(found).layer))
        self.random.shuffle(found)
        return found


def sets(count: int, seed: int, share: float = 0.5) -> Iterator[tuple[Draw, list[LayerDocument]]]:
    draw = Draw(seed)
    for _ in range(count):
        yield draw, draw.layers(share)


# ------------------------------------------------------------------------------------------------- what is forbidden

Ban = tuple[object, ...]


def forbidden(policy: Policy) -> set[Ban]:
    """Everything that a policy forbids, as a set: the more is in it, the narrower it is."""
    values = {"privacy.remote.mode": policy.remote_mode, "privacy.host_answers": policy.host_answers}
    values |= {"routing.overrides": policy.overrides}
    values |= {f"tools.permissions.{name}": grant for name, grant in policy.permissions.items()}
    local_hosts = {name for name, locality in policy.host_localities.items() if locality is Locality.LOCAL}
    return {
        *(ban for key, value in values.items() for ban in ranks(SCALE_OF[key], value)),
        *(("restricted", pattern) for pattern, _ in policy.restricted),
        *(("blocked", pattern) for pattern, _ in policy.blocked),
        *(("denied", pattern) for pattern in policy.denied),
        *(("allowed", names) for names in policy.allowed),
        *(("budget", (b.scope, b.period, b.limit)) for b in policy.budgets),
        *(("local_only", p.rule.name, p.rule.paths) for p in policy.bindings if p.rule.local_only),
        *(("only_models", p.rule.name) for p in policy.bindings if p.rule.only_models is not None),
        *(("host", name) for name in ("h",) if name not in local_hosts),
        *(("handoff", "never") for _ in (1,) if policy.handoff == "never"),
    }


def ranks(scale: Scale, value: str) -> Iterator[Ban]:
    """A value of a scale as one ban for each step that it is stricter than the loosest."""
    return ((".".join(scale.path), step) for step in range(1, scale.values.index(value) + 1))


def stated(source: LayerDocument) -> set[Ban]:
    """What one layer forbids, in the words of `forbidden`."""
    document = source.document
    told = ((scale, scale.read(document)) for scale in SCALES)
    rules = document.routing.rules
    return {
        *(ban for scale, value in told if value is not None for ban in ranks(scale, value)),
        *(("restricted", pattern) for pattern in document.privacy.restricted_paths or ()),
        *(("blocked", pattern) for pattern in document.privacy.remote.blocked_paths),
        *(("denied", pattern) for pattern in document.models.denied),
        *(("allowed", names) for names in (document.models.allowed,) if names is not None),
        *(("budget", (b.scope, b.period, b.limit)) for b in document.budgets),
        *(("local_only", rule.name, rule.paths) for rule in rules if rule.local_only),
        *(("only_models", rule.name) for rule in rules if rule.only_models is not None),
        *(("host", name) for name, host in document.hosts.items() if host.locality is Locality.REMOTE),
        *(("handoff", "never") for _ in (1,) if document.routing.handoff == "never"),
    }


def freed_above(layers: Sequence[LayerDocument], place: Layer) -> set[Ban]:
    """Restrictions of a layer that somebody of its own or a higher authority may lift, and does."""
    owners = (s for s in layers if s.owner and AUTHORITY.index(s.layer) <= AUTHORITY.index(place))
    patterns = {pattern for owner in owners for pattern in owner.document.privacy.free_paths}
    return {(kind, pattern) for kind in ("restricted", "blocked") for pattern in patterns}


def shown(layers: Sequence[LayerDocument]) -> str:
    """The set, for whoever has to mend a law that was broken."""
    plain = ({"layer": s.layer, "trusted": s.trusted, "bounded": s.bounded, **said(s)} for s in layers)
    return json.dumps(list(plain), indent=1, default=str)


def said(source: LayerDocument) -> dict[str, object]:
    return source.document.model_dump(exclude_defaults=True, mode="json")


# ---------------------------------------------------------------------------------------------------------------- laws


@pytest.mark.timeout(600)
def test_nobody_permits_what_a_layer_forbids_unless_that_layer_or_one_above_it_frees_it() -> None:
    for _, layers in sets(SETS * 3 // 10, seed=1):
        bans = forbidden(merge(layers))
        for source in layers:
            if source.layer is not Layer.PRESET:
                missing = stated(source) - freed_above(layers, source.layer) - bans
                assert not missing, f"{missing}\n{shown(layers)}"


@pytest.mark.timeout(600)
def test_adding_a_layer_that_may_only_narrow_or_has_less_authority_than_the_user_never_widens() -> None:
    lower = (Layer.WORKSPACE, Layer.LOCAL, Layer.CALL)
    for draw, layers in sets(SETS * 3 // 10, seed=2):
        place = draw.random.choice((*lower, *lower, Layer.USER, Layer.ORGANISATION))
        if place is Layer.ORGANISATION:
            added = draw.layer(place, bounded=True)
        else:
            added = draw.layer(place, trusted=None if place in lower else False)
        before, after = merge(layers), merge([*layers, added])
        lost = forbidden(before) - forbidden(after)
        if added.trusted and added.layer in lower and added.document.routing.handoff == "when_unavailable":
            lost -= {("handoff", "never")}  # where nobody says never, that is only what is built in
        assert not lost, f"{lost}\n{shown([added])}\n{shown(layers)}"
        assert remote_addresses(before).isdisjoint(local_addresses(after)), f"{shown([added])}\n{shown(layers)}"
        narrow = bound(before, added.layer)
        grown = [one for one, models in bound(after, added.layer).items() if not models <= narrow.get(one, models)]
        assert not grown, f"{grown}\n{shown([added])}\n{shown(layers)}"
        if not added.leads:
            led = {(p.rule.name, p.origin.layer, p.origin.file) for p in after.rules}
            assert led <= {(p.rule.name, p.origin.layer, p.origin.file) for p in before.rules}
            assert set(after.classes) <= set(before.classes)


def remote_addresses(policy: Policy) -> set[tuple[str, str | None]]:
    return {(spec.name, spec.base_url) for spec in policy.providers.values() if spec.locality is Locality.REMOTE}


def local_addresses(policy: Policy) -> set[tuple[str, str | None]]:
    return {(spec.name, spec.base_url) for spec in policy.providers.values() if spec.locality is Locality.LOCAL}


def bound(policy: Policy, place: Layer) -> dict[object, set[str]]:
    """The models that each binding rule of a higher authority than this layer leaves.

    A class that nobody above defines is whatever those below make of it.
    """
    higher = AUTHORITY[: AUTHORITY.index(place)]
    told = ((p.origin, p.rule.only_models) for p in policy.bindings if p.origin.layer in higher)
    return {
        (origin.file, origin.key): set(only)
        for origin, only in told
        if only and not any(target.startswith("class:") for target in only)
    }


@pytest.mark.timeout(600)
def test_adding_an_organisations_file_lifts_nothing_that_anybody_has_said() -> None:
    """But for what it frees itself, and for what presets and the product only propose."""
    for draw, layers in sets(SETS * 2 // 10, seed=3):
        added = draw.layer(Layer.ORGANISATION)
        before, after = forbidden(merge(layers)), forbidden(merge([*layers, added]))
        spoken = {ban for source in layers if source.layer is not Layer.PRESET for ban in stated(source)}
        freed = freed_above([*layers, added], Layer.ORGANISATION)
        lost = (before & spoken) - after - freed
        assert not lost, f"{lost}\n{shown([added])}\n{shown(layers)}"


@pytest.mark.timeout(600)
def test_a_locked_key_is_led_by_the_organisation_alone_and_only_ever_narrowed_from_below() -> None:
    for _, layers in sets(SETS * 1 // 10, seed=4):
        locks = locks_of(layers)
        policy = merge(layers)
        broken = [key for key, layer in leading(policy) if layer not in _ABOVE and held(key, locks)]
        assert not broken, f"{broken}\n{shown(layers)}"
        for key, scale in SCALE_OF.items():
            if held(scale.path, locks):
                above = [s for s in layers if s.layer is Layer.ORGANISATION and s.owner]
                values = [value for s in above if (value := scale.read(s.document)) is not None] or [scale.default]
                least = max(map(scale.values.index, values))
                effective = {ban[1] for ban in forbidden(policy) if ban[0] == key}
                assert set(range(1, least + 1)) <= effective, f"{key}\n{shown(layers)}"


_ABOVE = (Layer.ORGANISATION, Layer.BUILTIN)


def held(key: tuple[str, ...], locks: Sequence[Lock]) -> bool:
    return any(lock.holds(key) for lock in locks)


def leading(policy: Policy) -> Iterator[tuple[tuple[str, ...], Layer]]:
    """What leads somewhere, and whose word it is."""
    for placed in policy.rules:
        yield ("routing", "rules"), placed.origin.layer
    if policy.default_origin is not None:
        yield ("routing", "default", "model"), policy.default_origin.layer
    for table_name in ("classes", "dispatch", "catalog"):
        for key, origin in policy.provenance.items():
            if key.startswith(f"{table_name}."):
                name = key.removeprefix(f"{table_name}.").strip('"')
                yield (table_name, name), origin.layer
    for name, locality in policy.host_localities.items():
        if locality is Locality.LOCAL:
            yield ("hosts", name, "locality"), policy.provenance[f"hosts.{name}"].layer
    if policy.handoff != "never":
        yield ("routing", "handoff"), policy.provenance["routing.handoff"].layer


@pytest.mark.timeout(600)
def test_no_decision_sends_away_what_a_layer_keeps() -> None:
    """The same law where it counts: over whole decisions about a file, under every policy that can be applied."""
    sent = 0
    for draw, layers in sets(SETS * 5 // 100, seed=6, share=0.3):
        policy = merge(layers)
        path = draw.random.choice((".env", "a/x.rs", "b", "README.md"))
        intent = draw.random.choice(("edit", "review"))
        for decision in (decided(policy, path, intent), decided(policy, path, intent, model="openai/gpt-5")):
            if decision.locality is not Locality.REMOTE or decision.status is Status.HANDOFF:
                continue
            sent += 1
            model = decision.model or ""
            for source in layers:
                if source.layer is not Layer.PRESET:
                    broken = set(reasons_against(source, layers, decision, path))
                    assert not broken, f"{broken} {model} {path}\n{shown([source])}\n{shown(layers)}"
    assert sent > SETS // 200


def decided(policy: Policy, path: str, intent: str, **task: object) -> Decision:
    return decide(world(rulebook(policy)), "do it", paths=(path,), intent=intent, **task)


def reasons_against(
    source: LayerDocument, layers: Sequence[LayerDocument], decision: Decision, path: str
) -> Iterator[str]:
    """What a layer says that stands against this model of another machine getting this path."""
    document, model = source.document, decision.model or ""
    privacy = document.privacy
    freed = {pattern for _, pattern in freed_above(layers, source.layer)}
    kept = {*(privacy.restricted_paths or ()), *privacy.remote.blocked_paths} - freed
    if GlobSet(sorted(kept), ignore_case=True).hits(path):
        yield "path"
    if privacy.remote.mode == "deny" or (privacy.remote.mode == "ask" and decision.status is Status.ROUTED):
        yield "mode"
    if any(name_matches(pattern, model) for pattern in document.models.denied):
        yield "denied"
    allowed = document.models.allowed
    if allowed is not None and not any(name_matches(pattern, model) for pattern in allowed):
        yield "allowed"
    yield from rules_against(source, decision, path)


def rules_against(source: LayerDocument, decision: Decision, path: str) -> Iterator[str]:
    routing, organisation = source.document.routing, source.layer is Layer.ORGANISATION and source.leads
    if decision.override_used and routing.overrides == "deny":
        yield "overrides"
    for rule in routing.rules:
        if rule.paths is not None and not GlobSet(rule.paths, ignore_case=True).hits(path):
            continue
        if rule.local_only:
            yield "local_only"
        if rule.only_models == ("openai/gpt-5",) and decision.model != "openai/gpt-5":
            yield "only_models"
        if decision.override_used and organisation and not rule.overridable:
            yield "overridable"


@pytest.mark.timeout(600)
def test_neither_the_order_nor_a_second_copy_changes_anything() -> None:
    for draw, layers in sets(SETS * 1 // 10, seed=5):
        again = [*layers, *(source for source in layers if draw.random.random() < 0.3)]
        draw.random.shuffle(again)
        assert merge(again) == merge(layers), shown(layers)
