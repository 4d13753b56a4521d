"""What a person should know about the files that a policy comes from: what waits, and what was left out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from smista_mcp.core.locks import Lock, locks_of, violations
from smista_mcp.core.restrictions import held_free_paths, idle_free_paths, limits_cost
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer, Locality

_SHOWN = 12


def notices(sources: Sequence[LayerDocument]) -> tuple[str, ...]:
    """One sentence each, in the order of the layers. Names that a file is free to choose are counted, not repeated."""
    locks = locks_of(sources)
    return tuple(sentence for source in sources for sentence in _of(source, sources, locks))


def _of(source: LayerDocument, sources: Sequence[LayerDocument], locks: Sequence[Lock]) -> Iterator[str]:
    binding = tuple(_models_ruled_out(source)) if not source.trusted else ()
    if binding:
        yield f"{source.name} limits which models may serve, and nobody has confirmed it: {_list(binding)}"
    yield from _bounded(source, locks) if source.bounded else _unbounded(source, sources)


def _unbounded(source: LayerDocument, sources: Sequence[LayerDocument]) -> Iterator[str]:
    if source.layer is Layer.USER and not source.trusted:
        yield (
            f"{source.name} lies in the workspace, its repository or the working directory, so it is not taken for your"
            " own policy; keep that outside"
        )
    waiting = tuple(waits(source)) if not source.trusted else ()
    if waiting:
        yield f"{source.name} waits for `smista-mcp trust` and only narrows until then; not applied: {_list(waiting)}"
    foreign = tuple(owner_keys(source)) if not source.owner else ()
    if foreign:
        yield f"{source.name} cannot set {_list(foreign)}: only your own policy file or the organisation's can"
    if source.skipped:
        yield f"{source.name}: skipped {_list(source.skipped)}, which means nothing here"
    idle = idle_free_paths(source, sources) if source.owner else ()
    if idle:
        yield f"{source.name}: {_list(idle)} in `free_paths` frees nothing; no pattern is written so"
    held = held_free_paths(source, sources) if source.owner else ()
    if held:
        yield f"{source.name}: {_list(held)} in `free_paths` frees nothing; the organisation restricts it"
    priced = len(tuple(_priced(source))) if source.owner and source.layer is Layer.USER else 0
    if priced and any(map(limits_cost, sources)):
        yield (
            f"{source.name}: `catalog` ({priced}) can make models dearer and not cheaper, because the organisation"
            " limits what work may cost"
        )


def _bounded(source: LayerDocument, locks: Sequence[Lock]) -> Iterator[str]:
    """Of what may only narrow in a file that is trusted: the organisation's added one, and locked keys."""
    if source.layer is Layer.ORGANISATION:
        idle = (*waits(source), *owner_keys(source))
        if idle:
            yield f"{source.name}, which SMISTA_ORG_POLICY adds, may only narrow; not applied: {_list(idle)}"
    elif source.layer is not Layer.PRESET:  # nobody but us could mend a preset
        counted = Counter(violation.lock.text for violation in violations(source, locks))
        locked = tuple(f"`{text}` ({count})" for text, count in counted.items())
        yield f"{source.name} sets keys that the organisation has locked; they narrow at most: {_list(locked)}"


def _models_ruled_out(source: LayerDocument) -> Iterator[str]:
    document = source.document
    yield from _counted({"models.denied": len(document.models.denied)})
    if document.models.allowed is not None:
        yield "`models.allowed`"
    yield from _counted({"only_models": sum(rule.only_models is not None for rule in document.routing.rules)})


def waits(source: LayerDocument) -> Iterator[str]:
    """The keys of a layer that do more than narrow, as far as trust could let them."""
    document = source.document
    counted = {
        "classification.rules": len(document.classification.rules),
        "routing.rules": len(document.routing.rules),
        "classes": len(document.classes),
    }
    if document.preset is not None:
        yield "`preset`"
    yield from _counted(counted)
    if document.routing.default is not None:
        yield "`routing.default`"
    if document.routing.handoff == "when_unavailable":
        yield "`routing.handoff`"
    if any(document.routing.adaptive.model_dump(exclude_none=True).values()):
        yield "`routing.adaptive`"
    if document.dispatch.model_fields_set:
        yield "`dispatch`"
    hosts = document.hosts.values()
    yield from _counted({"call_limit_s": sum(host.call_limit_s is not None for host in hosts)})
    yield from _counted({"hosts.*.model": sum(host.model is not None for host in hosts)})


def owner_keys(source: LayerDocument) -> Iterator[str]:
    """The keys of a layer that belong to the user's own file, whether or not the layer is trusted."""
    document = source.document
    local_hosts = [name for name, host in document.hosts.items() if host.locality is Locality.LOCAL]
    counted = {
        "providers": len(document.providers),
        "catalog": len(document.catalog),
        "hosts": len(local_hosts),
        "privacy.free_paths": len(document.privacy.free_paths),
        "secrets.allow": len(document.secrets.allow),
        "ledger.mask": len(document.ledger.mask),
    }
    yield from _counted(counted)
    if document.plugins.select is not None:
        yield "`plugins.select`"
    if document.ledger.keep_days is not None:
        yield "`ledger.keep_days`"


def _priced(source: LayerDocument) -> Iterator[str]:
    """The entries of its catalog that bear on prices."""
    for name, entry in source.document.catalog.items():
        if entry.model_fields_set - {"context_window", "max_output_tokens", "capabilities", "effort"}:
            yield name


def _counted(counts: Mapping[str, int]) -> Iterator[str]:
    for key, count in counts.items():
        if count:
            yield f"`{key}` ({count})"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
