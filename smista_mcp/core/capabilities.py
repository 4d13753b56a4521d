"""What a model can do, by its server's own word, else by the catalog; and what a phase cannot be done without."""

import re
from collections.abc import Mapping
from typing import Final

from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.livemodels import LiveAnswer
from smista_mcp.core.policy import Capability
from smista_mcp.core.task import Phase

READ: Final[frozenset[Capability]] = frozenset({"vision"})
"""Capabilities that a phase may ask for by itself; `false` in a rule switches that off."""
_IMAGE: Final = re.compile(r"\[Image(?: #\d{1,4}|: [^\]\n]{1,300})\]")
"""What hosts leave in the words where an image was pasted."""
_IMAGES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif")


def has(facts: ModelFacts, live: LiveAnswer, name: Capability) -> bool | None:
    """Whether a model has a capability; None where nobody says."""
    if live.model is not None and live.model.capabilities is not None:
        return name in live.model.capabilities
    return facts.capabilities.get(name)


def capabilities_of(
    phase: Phase, context: PhaseContext, wanted: Mapping[Capability, bool]
) -> Mapping[Capability, bool]:
    """What a rule wants of a model, and what the phase certainly needs where the rule says nothing of it.

    An image is certain where one is attached or where the host says in the words that it was pasted. A file that is
    only named is not: it may be moved or linked to without being looked at.
    """
    if "vision" in wanted:
        return wanted
    attached = any(item.kind == "attachment" and item.path.lower().endswith(_IMAGES) for item in context.items)
    if attached or (context.spoken.image if context.spoken is not None else shows_image(phase.text)):
        return {**wanted, "vision": True}
    return wanted


def shows_image(words: str) -> bool:
    """Whether the host says in the words that an image was pasted."""
    return _IMAGE.search(words) is not None
