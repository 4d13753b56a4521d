"""Policy documents with their place: which layer, which file, believed or not; and the two orders of layers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from smista_mcp.core.effective import Origin
from smista_mcp.core.policy import PolicyDocument, dotted
from smista_mcp.core.values import Layer

T = TypeVar("T")

PRECEDENCE = (Layer.PRESET, Layer.USER, Layer.WORKSPACE, Layer.LOCAL, Layer.CALL, Layer.ORGANISATION)
"""Whose values win, from low to high: what the organisation states, nobody replaces."""
AUTHORITY = (Layer.ORGANISATION, Layer.USER, Layer.LOCAL, Layer.WORKSPACE, Layer.CALL)
"""Whose prohibitions stand, from high to low. A preset has none: it only says what holds where nobody else speaks."""
BUILTIN = Origin(Layer.BUILTIN)
_RANKS = {layer: rank for rank, layer in enumerate((*AUTHORITY, Layer.PRESET))}


class Stated(NamedTuple, Generic[T]):
    """A value and the place that states it."""

    value: T
    origin: Origin


class LayerDocument(NamedTuple):
    """One policy file in its layer.

    Attributes:
        file: as shown to people; None where there is none.
        lines: dotted key to line, from 1; may know only some.
        trusted: false for a file that came with a repository and that nobody has confirmed: it may only narrow.
        digest: SHA-256 of the file's bytes, in hex.
        skipped: tables of another program that were left out.
        bounded: true for what may only narrow although its file is trusted: an organisation's file that a variable
            adds, and what a layer says of keys that the organisation has locked.
    """

    layer: Layer
    document: PolicyDocument
    file: str | None = None
    lines: Mapping[str, int] = MappingProxyType({})
    trusted: bool = True
    digest: str = ""
    skipped: tuple[str, ...] = ()
    bounded: bool = False

    @property
    def leads(self) -> bool:
        """Whether all that it says counts, not only what narrows."""
        return self.trusted and not self.bounded

    @property
    def owner(self) -> bool:
        """Whether it is the word of user or organisation: it may replace defaults, lift patterns, place providers."""
        return self.leads and self.layer in (Layer.USER, Layer.ORGANISATION)

    @property
    def defaults(self) -> bool:
        return self.trusted and self.layer is Layer.PRESET

    @property
    def name(self) -> str:
        """What people call it."""
        return f"`{self.file}`" if self.file else f"the {self.layer} layer"

    def origin(self, *path: str | int) -> Origin:
        """Where a key of it stands."""
        return Origin(self.layer, self.file, dotted(path), self.lines)


def by_precedence(layers: Sequence[LayerDocument]) -> tuple[LayerDocument, ...]:
    """Layers from low to high, the same document once, whatever order they come in."""
    once = {(PRECEDENCE.index(s.layer), s.leads, s.trusted, s.digest, s.file or ""): s for s in layers}
    return tuple(once[key] for key in sorted(once))


def by_authority(sources: Sequence[LayerDocument]) -> tuple[LayerDocument, ...]:
    """Layers from the highest authority to the lowest; presets last."""
    return tuple(sorted(sources, key=lambda source: _RANKS[source.layer]))
