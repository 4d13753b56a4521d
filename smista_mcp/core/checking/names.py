"""Names in a policy that nothing stands behind, or that stand twice: what makes it unusable."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from smista_mcp.core.addresses import parse_address
from smista_mcp.core.checking.clis import CLI_KEYS, cli_faults
from smista_mcp.core.checking.protocols import effort_faults, protocol_faults
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding, FindingCode, Path, Severity, finding_in
from smista_mcp.core.headless import CLI_KIND, HEADLESS
from smista_mcp.core.locks import locks_of, nearest_key, stated_keys, unlocked
from smista_mcp.core.modelref import (
    BUILTIN_PROVIDERS,
    HOST,
    LOCAL_CLASS,
    PROTOCOL_KIND,
    ClassRef,
    ModelRef,
    parse_target,
)
from smista_mcp.core.nearness import closest
from smista_mcp.core.policy import dotted
from smista_mcp.core.policywords import HOST_NAMES
from smista_mcp.core.provider_specs import claims_vendor_is_local, crosses_in_the_clear, kind_of, placing_layer
from smista_mcp.core.sources import LayerDocument, by_precedence
from smista_mcp.core.values import Layer


class _Named(NamedTuple):
    """A target as some key of a document names it."""

    path: Path
    text: str
    rule: str | None = None


class Known(NamedTuple):
    """The policy in force, and the names that a target may have."""

    policy: Policy
    classes: tuple[str, ...]
    providers: tuple[str, ...]


def faults(layers: Sequence[LayerDocument], policy: Policy) -> tuple[Finding, ...]:
    """What makes a policy unusable: names that nothing stands behind, names used twice, unsafe addresses.

    Args:
        layers: the documents; what an untrusted one wants is not in force and cannot be at fault.
        policy: the same documents, merged.
    """
    sources = unlocked(by_precedence(layers))
    known = known_names(sources, policy)
    return tuple(fault for source in sources if source.trusted for fault in faults_of(source, sources, known))


def known_names(sources: Sequence[LayerDocument], policy: Policy) -> Known:
    """What may be named: also what a lock keeps from being in force, which its own finding tells of."""
    locked = [source.document for source in sources if source.bounded]
    classes = dict.fromkeys((*policy.classes, *(name for document in locked for name in document.classes)))
    providers = dict.fromkeys((*policy.providers, *(name for document in locked for name in document.providers)))
    return Known(policy, tuple(classes), tuple(providers))


def faults_of(source: LayerDocument, sources: Sequence[LayerDocument], known: Known) -> Iterator[Finding]:
    """The same of one document, trusted or not; `sources` are all of them, unlocked."""
    if source.layer is Layer.ORGANISATION:
        yield from organisation_faults(source)
    elif source.bounded:
        return
    yield from _repeated(source)
    if not source.bounded:
        yield from _unresolved(source, known)
    if source.owner:
        yield from _provider_faults(source, sources, known.policy)
        yield from effort_faults(source)
        yield from _strange_hosts(source)


def organisation_faults(source: LayerDocument) -> Iterator[Finding]:
    """What is wrong in an organisation's file by itself: nothing in it, or a lock on a key that is none."""
    said = (key for key in stated_keys(source.document) if key != ("locked",) or source.document.locked)
    if next(said, None) is None:
        words = (
            f"{source.name} has no content, so nothing is known of what it should forbid",
            "write its policy into it",
        )
        yield finding_in(source, (), FindingCode.ORG_POLICY_EMPTY, words)
    for index, rule in enumerate(source.document.routing.rules):
        for number, written in enumerate(rule.only_models or ()):
            target = parse_target(written)
            if isinstance(target, ClassRef) and target.name not in source.document.classes:
                words = (
                    f"`{written}` is not defined here, and others could fill it",
                    "name its models, or define it here",
                )
                path = _rule(index, "only_models", number)
                yield finding_in(source, path, FindingCode.INVALID_MODEL_REF, words, rules=(rule.name,))
    for index, lock in enumerate(locks_of([source])):
        close = nearest_key(lock)
        if close is not None:
            fix = f"did you mean `{close}`?" if close else "write a key such as `privacy.remote.mode`"
            words = f"`{lock.text}` is no key of a policy that can be locked", fix
            yield finding_in(source, ("locked", index), FindingCode.INVALID_ENUM, words)


def _repeated(source: LayerDocument) -> Iterator[Finding]:
    """Rules of one layer whose names are the same, or differ only in case."""
    exact: set[str] = set()
    folded: dict[str, str] = {}
    for index, rule in enumerate(source.document.routing.rules):
        other = folded.get(rule.name.casefold())
        if rule.name in exact:
            words = f"a second rule is called `{rule.name}`", "give each rule a name of its own"
            yield finding_in(source, _rule(index, "name"), FindingCode.DUPLICATE_NAME, words, rules=(rule.name,))
        elif other is not None:
            words = f"`{rule.name}` differs from `{other}` only in case", "give one of them another name"
            yield finding_in(
                source,
                _rule(index, "name"),
                FindingCode.DUPLICATE_NAME,
                words,
                severity=Severity.WARNING,
                rules=(other, rule.name),
            )
        exact.add(rule.name)
        folded.setdefault(rule.name.casefold(), rule.name)


def repeated_over_layers(layers: Sequence[LayerDocument]) -> Iterator[Finding]:
    """Rules of different layers with one name: both hold, and answers tell them apart by their layer only."""
    first: dict[str, LayerDocument] = {}
    for source in layers:
        names = dict.fromkeys(rule.name for rule in source.document.routing.rules)
        for name in names:
            other = first.setdefault(name, source)
            if other is not source:
                index = [rule.name for rule in source.document.routing.rules].index(name)
                words = f"the {other.layer} layer has a rule `{name}` too, and both apply", "give one another name"
                path = _rule(index, "name")
                yield finding_in(
                    source, path, FindingCode.DUPLICATE_NAME, words, severity=Severity.WARNING, rules=(name,)
                )


def _strange_hosts(source: LayerDocument) -> Iterator[Finding]:
    """Tables of hosts that nobody is called by: they would never count. A later version may know them."""
    for name in source.document.hosts:
        if name not in HOST_NAMES:
            known = ", ".join(f"`{host}`" for host in HOST_NAMES)
            words = (
                f"no host is called `{name}`, so this never counts",
                _nearest(name, HOST_NAMES, "") or f"name {known}",
            )
            yield finding_in(source, ("hosts", name), FindingCode.INVALID_ENUM, words, severity=Severity.WARNING)


def _rule(index: int, *rest: str | int) -> Path:
    return ("routing", "rules", index, *rest)


def _unresolved(source: LayerDocument, known: Known) -> Iterator[Finding]:
    """Targets whose provider or class nothing stands behind."""
    judged: dict[str, tuple[FindingCode, str, str] | None] = {}
    for named in _targets(source):
        if named.text not in judged:
            judged[named.text] = _unknown(named.text, known)
        verdict = judged[named.text]
        if verdict is not None:
            code, message, fix = verdict
            yield finding_in(source, named.path, code, (message, fix), rules=(named.rule,) if named.rule else ())
    for name, definition in source.document.classes.items():
        for index, written in enumerate(definition.models):
            if isinstance(parse_target(written), ClassRef):
                words = f"`classes.{name}` names a class, and classes hold models only", "name its models"
                yield finding_in(source, ("classes", name, "models", index), FindingCode.INVALID_MODEL_REF, words)


def _targets(source: LayerDocument) -> Iterator[_Named]:
    """Every target of a document that must lead somewhere; those of classes are models."""
    document = source.document
    for index, rule in enumerate(document.routing.rules):
        yield _Named(_rule(index, "model"), rule.model, rule.name)
        for key, targets in (("fallbacks", rule.fallbacks), ("only_models", rule.only_models or ())):
            for number, written in enumerate(targets):
                yield _Named(_rule(index, key, number), written, rule.name)
        if rule.escalate is not None:
            yield _Named(_rule(index, "escalate", "to"), rule.escalate.to, rule.name)
    if document.routing.default is not None:
        yield _Named(("routing", "default", "model"), document.routing.default.model)
        for number, written in enumerate(document.routing.default.fallbacks):
            yield _Named(("routing", "default", "fallbacks", number), written)
    for name, definition in document.classes.items():
        for number, written in enumerate(definition.models):
            if isinstance(parse_target(written), ModelRef):
                yield _Named(("classes", name, "models", number), written)


def _unknown(text: str, known: Known) -> tuple[FindingCode, str, str] | None:
    target = parse_target(text)
    if isinstance(target, ClassRef):
        if target.name in known.classes or target.name == LOCAL_CLASS:
            return None
        fix = _nearest(target.name, [*known.classes, LOCAL_CLASS], "class:") or f"define `[classes.{target.name}]`"
        return FindingCode.INVALID_MODEL_REF, f"no layer defines the class of `{text}`", fix
    if target.provider == HOST or target.provider in known.providers:
        return None
    if kind_of(target.provider) == CLI_KIND:
        declare = f'add `type = "cli"` under `[providers.{dotted([target.provider])}]` in your own policy file'
        return FindingCode.UNKNOWN_PROVIDER, f"`{text}` names a CLI that is not declared", declare
    declare = f"declare `[providers.{dotted([target.provider])}]` with its `base_url` in your own policy file"
    fix = _nearest(target.provider, [*known.providers, HOST], "") or declare
    return FindingCode.UNKNOWN_PROVIDER, f"`{text}` names the provider `{target.provider}`, which is not declared", fix


def _nearest(name: str, known: Sequence[str], prefix: str) -> str:
    folded = {candidate.casefold(): candidate for candidate in known}
    close = closest(name.casefold(), folded, cutoff=0.7)
    return f"did you mean `{prefix}{folded[close]}`?" if close else ""


def _provider_faults(source: LayerDocument, sources: Sequence[LayerDocument], policy: Policy) -> Iterator[Finding]:
    for name, document in source.document.providers.items():
        placing = placing_layer(sources, name)
        if placing is not None and placing is not source:
            continue  # another layer says where it is
        path: Path = ("providers", name)
        kind = kind_of(name)
        spec = policy.providers.get(name)
        address = parse_address(document.base_url) if document.base_url else None
        keys = CLI_KEYS - {"type"} if kind == PROTOCOL_KIND else CLI_KEYS
        wrong = list(protocol_faults(source, name, document)) if kind == PROTOCOL_KIND else []
        if kind is not None and (kind == CLI_KIND or document.model_fields_set & keys):
            yield from cli_faults(source, name, document)
        elif wrong:
            yield from wrong
        elif kind is None:
            known = ", ".join(f"`{provider}`" for provider in BUILTIN_PROVIDERS)
            clis = ", ".join(f"`{CLI_KIND}:{cli}`" for cli in HEADLESS)
            close = _nearest(name, [*BUILTIN_PROVIDERS, *(f"{CLI_KIND}:{cli}" for cli in HEADLESS)], "")
            fix = (
                close
                or f"built in are {known}; call any other `openai-compat:NAME` or, in a protocol of a package,"
                f" `protocol:NAME`; a CLI is one of {clis}"
            )
            yield finding_in(source, path, FindingCode.UNKNOWN_PROVIDER, (f"`{name}` is no provider", fix))
        elif kind == "llamacpp" and document.base_url:
            words = "`llamacpp` has no `base_url`; its server is started here", "declare an `openai-compat:NAME`"
            yield finding_in(source, (*path, "base_url"), FindingCode.UNKNOWN_KEY, words)
        elif spec is None:
            words = (
                f"`{name}` has no `base_url`, which it needs",
                'add for example `base_url = "http://127.0.0.1:8000/v1"`',
            )
            yield finding_in(source, path, FindingCode.INVALID_TYPE, words)
        elif claims_vendor_is_local(document, address or (parse_address(spec.base_url) if spec.base_url else None)):
            words = f"`{name}` is at its vendor's public address, which is not local", "leave `locality` out"
            yield finding_in(source, (*path, "locality"), FindingCode.INVALID_ENUM, words)
        elif crosses_in_the_clear(spec):
            words = (
                f"`{name}` would be asked over plain http on another machine",
                ('write an https address; on your own network add `locality = "local"` and `allow_plain_lan = true`'),
            )
            yield finding_in(source, (*path, "base_url"), FindingCode.INSECURE_BASE_URL, words)
