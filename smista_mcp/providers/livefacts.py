"""What local servers say of themselves, read into facts; and facts as JSON, for a file. Pure: no socket, no file."""

from collections.abc import Mapping
from typing import cast

from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.modelref import is_forwarded_name, is_listed_name
from smista_mcp.core.values import Locality
from smista_mcp.providers import wirejson
from smista_mcp.providers.wirejson import member

_CAPABILITIES = {"tools": "tools", "vision": "vision", "thinking": "reasoning"}
"""Ollama's words for what policies ask for; every model of it can answer in a JSON schema."""
_WINDOWS = ("max_model_len", "max_context_length", "context_window", "context_length")
"""Where servers state the window of a model: vLLM, LM Studio, gateways."""


def ollama_models(tags: Mapping[str, object]) -> dict[str, LiveModel]:
    """Reads `/api/tags`.

    Raises:
        ValueError: it is not Ollama's.
    """
    if not isinstance(tags.get("models"), list):
        raise ValueError("no list of models")  # noqa: TRY004 - the text is wrong, not its type
    found: dict[str, LiveModel] = {}
    for entry in wirejson.items(tags.get("models")):
        name = wirejson.text(member(entry, "model")) or wirejson.text(member(entry, "name"))
        if name and is_listed_name(name):
            found[name] = LiveModel(name, forwards=forwards(name, entry))
    return found


def shown_model(model: LiveModel, show: Mapping[str, object]) -> LiveModel:
    """Adds what `/api/show` says: window and capabilities."""
    windows = [
        wirejson.count(value)
        for key, value in wirejson.pairs(show.get("model_info"))
        if key.endswith(".context_length") and not key.startswith("clip.")
    ]
    words = wirejson.items(show.get("capabilities"))
    known = {_CAPABILITIES[word] for word in words if isinstance(word, str) and word in _CAPABILITIES}
    return model._replace(
        context_window=next((window for window in windows if window), None),
        capabilities=frozenset(known | {"json"}) if words else None,
        forwards=model.forwards or forwards(model.name, show),
    )


def served_models(listing: Mapping[str, object]) -> dict[str, LiveModel]:
    """Reads `/v1/models`.

    Raises:
        ValueError: it is not a list of models.
    """
    if not isinstance(listing.get("data"), list):
        raise ValueError("no list of models")  # noqa: TRY004 - the text is wrong, not its type
    found: dict[str, LiveModel] = {}
    for entry in wirejson.items(listing.get("data")):
        name = wirejson.text(member(entry, "id"))
        if name and is_listed_name(name):
            sizes = [wirejson.count(member(member(entry, "meta"), "n_ctx"))]
            sizes += [wirejson.count(member(entry, key)) for key in _WINDOWS]
            found[name] = LiveModel(name, context_window=next((size for size in sizes if size), None))
    return found


def is_llamacpp(listing: Mapping[str, object]) -> bool:
    """Whether a list of models is llama.cpp's, which says more under `/props`."""
    return any(member(entry, "owned_by") == "llamacpp" for entry in wirejson.items(listing.get("data")))


def with_props(models: Mapping[str, LiveModel], props: Mapping[str, object]) -> dict[str, LiveModel]:
    """Adds what llama.cpp's `/props` says: the window of one request."""
    window = wirejson.count(member(props.get("default_generation_settings"), "n_ctx"))
    return {name: model._replace(context_window=window or model.context_window) for name, model in models.items()}


def to_json(facts: Mapping[str, ProviderFacts]) -> dict[str, object]:
    """Facts by provider as plain JSON values, without what the policy alone says: where a provider is."""
    return {
        name: {
            "reachable": one.reachable,
            "credentials": one.credentials,
            "cooldown": one.cooldown,
            "detail": one.detail,
            "models": None if one.models is None else [_model_to_json(model) for model in one.models.values()],
        }
        for name, one in facts.items()
    }


def from_json(value: object, localities: Mapping[str, Locality]) -> dict[str, ProviderFacts]:
    """The opposite of `to_json`.

    Args:
        value: facts as JSON.
        localities: where each provider is.

    Raises:
        ValueError: something is missing, of another type, or of a provider that has no place.
    """
    pairs = wirejson.pairs(value)
    if not isinstance(value, dict) or not {name for name, _ in pairs} <= localities.keys():
        raise ValueError("not facts")
    return {name: _provider_from_json(one, localities[name]) for name, one in pairs}


def forwards(name: str, entry: object) -> bool:
    """Whether a model that Ollama describes so is passed on to another machine."""
    remote = member(entry, "remote_host") or member(entry, "remote_model")
    return bool(remote) or is_forwarded_name(name)


def _model_to_json(model: LiveModel) -> dict[str, object]:
    known = model.capabilities
    return {
        "name": model.name,
        "context_window": model.context_window,
        "capabilities": None if known is None else sorted(known),
        "forwards": model.forwards,
    }


def _provider_from_json(value: object, locality: Locality) -> ProviderFacts:
    listed = member(value, "models")
    reachable = member(value, "reachable")
    models = None if listed is None else [_model_from_json(one) for one in _list(listed)]
    return ProviderFacts(
        locality=locality,
        reachable=None if reachable is None else _truth(reachable),
        credentials=_truth(member(value, "credentials")),
        cooldown=_truth(member(value, "cooldown")),
        models=None if models is None else {one.name: one for one in models if is_listed_name(one.name)},
        detail=_text(member(value, "detail")),
    )


def _model_from_json(value: object) -> LiveModel:
    window, known = member(value, "context_window"), member(value, "capabilities")
    if window is not None and not wirejson.count(window):
        raise ValueError("not a window")
    return LiveModel(
        name=_text(member(value, "name")),
        context_window=wirejson.count(window),
        capabilities=None if known is None else frozenset(map(_text, _list(known))),
        forwards=_truth(member(value, "forwards")),
    )


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return wirejson.items(cast("object", value))
    raise ValueError("not a list")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - the text is wrong, not its type
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")  # noqa: TRY004 - the text is wrong, not its type
    return value
