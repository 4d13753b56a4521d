"""What a model can do: by its server's own word, else by the catalog."""

from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.livemodels import LiveAnswer
from smista_mcp.core.policy import Capability


def has(facts: ModelFacts, live: LiveAnswer, name: Capability) -> bool | None:
    """Whether a model has a capability; None where nobody says."""
    if live.model is not None and live.model.capabilities is not None:
        return name in live.model.capabilities
    return facts.capabilities.get(name)
