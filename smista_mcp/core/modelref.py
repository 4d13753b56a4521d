"""Names of models as written: `provider/model`, `class:NAME`, `host/MODEL`."""

from typing import NamedTuple

BUILTIN_PROVIDERS = ("anthropic", "openai", "gemini", "ollama", "llamacpp")
"""Providers that need no declaration."""
PROTOCOL_KIND = "protocol"
"""The kind of a provider that is spoken to in a wire protocol of an installed package."""
DECLARED_KINDS = ("openai-compat", PROTOCOL_KIND, "cli")
"""Kinds of provider that a policy declares as `kind:name`."""
HOST = "host"
CURRENT = "current"
"""`host/current` stands for the model that the host runs on anyway."""
LOCAL_CLASS = "local"
"""`class:local` stands for every model that the reachable local servers have."""


MAX_LISTED_NAME = 200
"""Characters of a model's name in a server's own list; a longer one is left out."""


class ModelRef(NamedTuple):
    """A model of a provider, or of the host where `provider` is `host`."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class ClassRef(NamedTuple):
    name: str

    def __str__(self) -> str:
        return f"class:{self.name}"


def parse_target(text: str) -> ModelRef | ClassRef:
    """Reads a target of a rule, a class or a call.

    Raises:
        ValueError: says what to write instead.
    """
    if text.split() != [text]:
        raise ValueError(f"`{text}` holds white space; write `provider/model`")
    if text.startswith("class:"):
        name = text.removeprefix("class:")
        if not name:
            raise ValueError("`class:` names no class; write for example `class:coding`")
        return ClassRef(name)
    provider, slash, model = text.partition("/")
    if not slash or not provider or not model:
        raise ValueError(
            f"`{text}` is not a model; write `provider/model` (for example `anthropic/claude-sonnet`), "
            "`class:NAME` or `host/MODEL`"
        )
    if not _has_plain_segments(model):
        raise ValueError(f"`{text}` has an empty part, `.` or `..` between its slashes; write the model's own name")
    return ModelRef(provider, model)


def is_listed_name(model: str) -> bool:
    """Whether a name that a server lists can stand behind `provider/`; what cannot is no name to pass on."""
    known = 0 < len(model) <= MAX_LISTED_NAME and model.isprintable() and model.split() == [model]
    return known and _has_plain_segments(model)


def _has_plain_segments(model: str) -> bool:
    """Whether a name means the same wherever it stands in an address; servers of files list absolute paths."""
    return {"", ".", ".."}.isdisjoint(model.removeprefix("/").split("/"))


def is_forwarded_name(model: str) -> bool:
    """Whether a name says that its server passes requests on to another machine: `:cloud`, `-cloud` in name or tag."""
    name, colon, tag = model.lower().rpartition(":")
    return (bool(colon) and tag == "cloud") or tag.endswith("-cloud") or name.endswith("-cloud")
