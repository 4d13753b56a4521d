"""Labels travel: what an answer was made from decides who may see it."""

from collections.abc import Collection, Iterable

from smista_mcp.core.floor import Floor
from smista_mcp.core.values import Label


def label_of(least: Floor, places: Collection[int], inherited: Iterable[Label | None]) -> Label | None:
    """The label of an answer.

    Args:
        least: the floor of the phase.
        places: places of the context items that the model was given.
        inherited: labels of the earlier answers that it was given.
    """
    labels = set(inherited)
    marked = least.withheld.keys() & set(places)
    if least.restricted or "restricted" in labels or marked - least.kept:
        return "restricted"
    return "local" if least.bound or "local" in labels or marked else None
