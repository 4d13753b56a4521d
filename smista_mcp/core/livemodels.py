"""Which model of a local server a name means."""

from typing import NamedTuple

from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.modelref import ModelRef, is_forwarded_name, is_listed_name
from smista_mcp.core.redaction import shown
from smista_mcp.core.values import Locality


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
        lacking = provider.detail or f"`{ref.model}` must be fetched first"
        return LiveAnswer(ref.model, refusal=f"`{ref.provider}` has no model at all: {lacking}")
    return LiveAnswer(ref.model, refusal=f"`{ref.provider}` has no `{ref.model}`; it has {_listed(sorted(models))}")


def locality_of(ref: ModelRef, kind: str, live: LiveAnswer, declared: Locality) -> Locality:
    """Where a model runs: where the policy says that its provider is, unless the request is passed on from there.

    Args:
        ref: the model as written.
        kind: of the provider.
        live: what its server says of the model.
        declared: the provider's locality, by the policy alone.
    """
    if kind == "llamacpp":  # a file's name tells nothing
        return declared
    forwards = live.model is not None and live.model.forwards
    if forwards or is_forwarded_name(ref.model) or is_forwarded_name(live.name):
        return Locality.REMOTE
    return declared


def _listed(names: list[str]) -> str:
    """The first names that a server lists, each as text of the server: on one line, and no longer than a name is."""
    fit = [shown(name) for name in names if is_listed_name(name)]
    listed = ", ".join(f"`{name}`" for name in fit[:8])
    return f"{listed} and {len(fit) - 8} more" if len(fit) > 8 else listed
