"""Which model of a local server a name means."""

from typing import NamedTuple

from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.modelref import ModelRef


class LiveAnswer(NamedTuple):
    """The model behind a name.

    Attributes:
        name: what goes to the server; the name as written where its list is not known.
        model: what the server says of it; None where it is not known.
        refusal: why the name means no model there, with the names that it has.
    """

    name: str
    model: LiveModel | None = None
    refusal: str | None = None


def live_model(ref: ModelRef, kind: str, provider: ProviderFacts) -> LiveAnswer:
    """Finds a model in a server's own list. Ollama: exact, else `:latest`, else the only tag of that name."""
    models = provider.models
    if models is None:
        return LiveAnswer(ref.model)
    exact = models.get(ref.model)
    if exact is not None:
        return LiveAnswer(ref.model, exact)
    if kind == "ollama" and ":" not in ref.model.rpartition("/")[2]:
        tags = sorted(name for name in models if name.rpartition(":")[0] == ref.model)
        tag = f"{ref.model}:latest" if f"{ref.model}:latest" in tags else tags[0] if len(tags) == 1 else None
        if tag is not None:
            return LiveAnswer(tag, models[tag])
        if tags:
            return LiveAnswer(ref.model, refusal=f"`{ref.model}` has several tags, name one: {_listed(tags)}")
    if not models:
        return LiveAnswer(
            ref.model, refusal=f"`{ref.provider}` has no model at all; `{ref.model}` must be fetched first"
        )
    return LiveAnswer(ref.model, refusal=f"`{ref.provider}` has no `{ref.model}`; it has {_listed(sorted(models))}")


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
