"""What is wrong in a policy, found without running it.

`faults` make a policy unusable and are looked for whenever one is loaded. `check` proves or shows by an example what is
allowed and can hardly be meant: it compares conditions, takes longer, and is loaded by `policy check` alone.
"""

from collections.abc import Sequence

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.checking.names import faults, organisation_faults
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding, FindingCode, Severity
from smista_mcp.core.sources import LayerDocument

__all__ = ["Finding", "FindingCode", "Severity", "check", "faults", "organisation_faults"]


def check(layers: Sequence[LayerDocument], policy: Policy, catalog: Catalog | None = None) -> tuple[Finding, ...]:
    """All findings, of untrusted layers too, by layer and line.

    Args:
        layers: the documents.
        policy: the same documents, merged.
        catalog: facts of models; without it nothing is said about models that are always rejected.
    """
    from smista_mcp.core.checking.whole import findings  # noqa: PLC0415  the heavy part, for `policy check` alone

    return findings(layers, policy, catalog)
