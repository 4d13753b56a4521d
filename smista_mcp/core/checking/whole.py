"""All that `policy check` looks for, in one pass."""

from collections.abc import Sequence

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.checking.conditions import field_of
from smista_mcp.core.checking.names import faults_of, known_names, repeated_over_layers
from smista_mcp.core.checking.overlaps import overlaps
from smista_mcp.core.checking.patterns import doubtful_patterns
from smista_mcp.core.checking.readings import ambiguous_readings
from smista_mcp.core.checking.routes import routes
from smista_mcp.core.checking.shadows import shadows
from smista_mcp.core.checking.ties import ties
from smista_mcp.core.checking.told import in_few
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding
from smista_mcp.core.locks import unlocked
from smista_mcp.core.matching import index_of
from smista_mcp.core.rights import overreach
from smista_mcp.core.sources import LayerDocument, by_precedence


def findings(layers: Sequence[LayerDocument], policy: Policy, catalog: Catalog | None) -> tuple[Finding, ...]:
    """All findings, by layer and line."""
    sources = unlocked(by_precedence(layers))
    known = known_names(sources, policy)
    field = field_of(sources, policy, index_of(sorted(policy.rules, key=lambda placed: placed.order)))
    found = [*repeated_over_layers(layers), *routes(sources, policy, catalog)]
    for source in sources:
        found += [
            *faults_of(source, sources, known),
            *ambiguous_readings(source, policy),
            *doubtful_patterns(source, field.paths),
        ]
    found += [*in_few((*ties(field), *shadows(field), *overlaps(field, policy))), *overreach(layers)]
    order = [source.layer for source in layers]
    return tuple(sorted(found, key=lambda f: (order.index(f.layer) if f.layer else -1, f.line or 0, f.at, f.code)))
