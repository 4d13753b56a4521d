"""Where rules lead: a missing or unreachable default, remote targets of local rules, targets that are never tried."""

from collections.abc import Iterator, Sequence

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.checking.conditions import unconditional
from smista_mcp.core.checking.localities import remote
from smista_mcp.core.checking.rejections import Judge
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding, FindingCode, Path, Severity, finding_in
from smista_mcp.core.modelref import ClassRef, parse_target
from smista_mcp.core.policy import DefaultRoute, Rule
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer


def routes(sources: Sequence[LayerDocument], policy: Policy, catalog: Catalog | None) -> Iterator[Finding]:
    """All findings about where rules lead."""
    if any(source.layer is not Layer.ORGANISATION for source in sources):  # its file alone is no whole policy
        yield from _default(sources, policy)
    judge = Judge(policy, catalog) if catalog is not None else None
    alone = len({source.layer for source in sources}) == 1
    for source in sources:
        if source.trusted and not source.leads:
            continue  # it leads nowhere
        yield from _leaving(source, policy)
        for path, route in _routes_of(source):
            yield from _repeated(source, path, route, policy)
            if judge is not None and source.leads:
                # what other layers forbid of a preset is what layers are for
                yield from _rejected(source, path, route, judge, told=alone or source.layer is not Layer.PRESET)
        for name, definition in source.document.classes.items():
            yield from _twice(source, ("classes", name, "models"), definition.models)


def _default(layers: Sequence[LayerDocument], policy: Policy) -> Iterator[Finding]:
    """A default that is missing, or that no task reaches because a rule without conditions takes them all."""
    catching = [placed for placed in policy.rules if unconditional(placed.rule)]
    rules = tuple(placed.rule.name for placed in catching)
    if policy.default is None:
        words = (
            "no layer has a default route, for tasks that no rule matches",
            'add `[routing.default]` with `model = "..."`',
        )
        own = next((source for source in layers if source.layer is Layer.USER), layers[-1])
        severity = Severity.WARNING if catching else Severity.ERROR
        path: Path = ("routing", "default")
        missing = finding_in(own, path, FindingCode.DEFAULT_MISSING, words, severity=severity, rules=rules)
        yield missing.model_copy(update={"line": 1})  # where nothing stands yet, it hangs at the top of the file
        return
    place = policy.default_origin
    source = next((s for s in layers if place and s.layer is place.layer and s.file == place.file), None)
    if not catching or source is None:
        return
    if source.layer is Layer.PRESET and all(placed.origin.layer is not Layer.PRESET for placed in catching):
        return  # the user's rule takes the place of the preset's default
    words = f"`{rules[0]}` has no conditions and takes every task before it", "give the rule conditions, or remove it"
    yield finding_in(
        source,
        ("routing", "default"),
        FindingCode.UNREACHABLE_DEFAULT,
        (f"the default route is never taken: {words[0]}", words[1]),
        severity=Severity.WARNING,
        rules=rules,
    )


def _leaving(source: LayerDocument, policy: Policy) -> Iterator[Finding]:
    """Remote candidates of rules that keep everything they match on this machine."""
    for index, rule in enumerate(source.document.routing.rules):
        if not rule.local_only:
            continue
        fix = "name a local model, or take `local_only` away"
        path: Path = ("routing", "rules", index)
        if remote(rule.model, policy):
            words = f"`{rule.name}` is `local_only`, and `{rule.model}` is remote", fix
            code = FindingCode.REMOTE_MODEL_OF_LOCAL_ONLY
            yield finding_in(source, (*path, "model"), code, words, rules=(rule.name,))
        for number, written in enumerate(rule.fallbacks):
            if remote(written, policy):
                words = f"`{rule.name}` is `local_only`, and its fallback `{written}` is remote", fix
                code = FindingCode.REMOTE_FALLBACK_OF_LOCAL_ONLY
                yield finding_in(source, (*path, "fallbacks", number), code, words, rules=(rule.name,))
        if rule.escalate is not None and remote(rule.escalate.to, policy):
            words = f"`{rule.name}` is `local_only`, and it escalates to `{rule.escalate.to}`, which is remote", fix
            code = FindingCode.REMOTE_FALLBACK_OF_LOCAL_ONLY
            yield finding_in(source, (*path, "escalate", "to"), code, words, rules=(rule.name,))


def _routes_of(source: LayerDocument) -> Iterator[tuple[Path, Rule | DefaultRoute]]:
    routing = source.document.routing
    for index, rule in enumerate(routing.rules):
        yield ("routing", "rules", index), rule
    if routing.default is not None:
        yield ("routing", "default"), routing.default


def _keys(path: Path, route: Rule | DefaultRoute) -> Iterator[tuple[Path, str]]:
    yield (*path, "model"), route.model
    for number, written in enumerate(route.fallbacks):
        yield (*path, "fallbacks", number), written


def _named(route: Rule | DefaultRoute) -> tuple[str, ...]:
    return (route.name,) if isinstance(route, Rule) else ()


def _never_tried(source: LayerDocument, path: Path, words: tuple[str, str], rules: tuple[str, ...]) -> Finding:
    code, severity = FindingCode.UNREACHABLE_FALLBACK, Severity.WARNING
    return finding_in(source, path, code, words, severity=severity, rules=rules)


def _repeated(source: LayerDocument, path: Path, route: Rule | DefaultRoute, policy: Policy) -> Iterator[Finding]:
    """Targets of a route that stand earlier in it, as they are written or within a class."""
    seen: dict[str, str] = {}
    for key, written in _keys(path, route):
        target = parse_target(written)
        definition = policy.classes.get(target.name) if isinstance(target, ClassRef) else None
        models = definition.models if definition else (written,)
        if all(model in seen for model in models):
            before = dict.fromkeys(seen[model] for model in models)
            if set(before) == {written}:
                words = f"`{written}` stands earlier in the same list", "remove it"
            else:
                names = " and ".join(f"`{name}`" for name in before)
                words = f"`{written}` is never tried: {names} before it holds all of it", "remove it"
            yield _never_tried(source, key, words, _named(route))
        for model in (*models, written):
            seen.setdefault(model, written)


def _twice(source: LayerDocument, path: Path, models: Sequence[str]) -> Iterator[Finding]:
    for number, written in enumerate(models):
        if written in models[:number]:
            yield _never_tried(
                source, (*path, number), (f"`{written}` stands earlier in the same list", "remove it"), ()
            )


def _rejected(
    source: LayerDocument, path: Path, route: Rule | DefaultRoute, judge: Judge, *, told: bool
) -> Iterator[Finding]:
    """Targets that whatever happens are rejected; one error where that is said of all of them."""
    verdicts = [
        (key, written, reason)
        for key, written in _keys(path, route)
        if (reason := judge.rejection(written, route)) is not None
    ]
    keeps_local = isinstance(route, Rule) and route.local_only
    # each remote target of a local rule is an error already
    new = [verdict for verdict in verdicts if not (keeps_local and remote(verdict[1], judge.policy))]
    if new and len(verdicts) == 1 + len(route.fallbacks):
        reasons = "; ".join(dict.fromkeys(f"`{written}` {reason}" for _, written, reason in verdicts))
        whose = f"`{route.name}` leads" if isinstance(route, Rule) else "the default route leads"
        words = f"{whose} nowhere, every candidate is always rejected: {reasons}", "name a model that can serve"
        yield finding_in(source, (*path, "model"), FindingCode.NO_VIABLE_TARGET, words, rules=_named(route))
    elif told:
        for key, written, reason in new:
            words = f"`{written}` is never tried: it {reason}", "remove it, or name a model that can serve"
            yield _never_tried(source, key, words, _named(route))
