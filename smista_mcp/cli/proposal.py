"""A first policy, proposed from what a machine has: which preset fits, and which of its models have to be replaced."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import tomlkit

from smista_mcp.core.facts import ProviderFacts
from smista_mcp.core.livemodels import live_model
from smista_mcp.core.modelref import ModelRef, parse_target
from smista_mcp.core.policy import ClassDefinition
from smista_mcp.core.values import Layer
from smista_mcp.loading.documents import parse
from smista_mcp.loading.presets import preset_names, read_preset

_SERVER = "ollama"
_MOST = 4
"""Models of a server that a class is given."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a machine has.

    Attributes:
        server: facts of the local server at its customary address.
        keys: names of the variables that hold a remote provider's key.
        embedded: names of the model files of the embedded server.
    """

    server: ProviderFacts
    keys: tuple[str, ...]
    embedded: tuple[str, ...]

    @property
    def served(self) -> tuple[str, ...]:
        """Models of the server that run on this machine and can be named in a policy; not those that only embed."""
        models = self.server.models or {}
        return tuple(
            name
            for name, model in sorted(models.items())
            if not model.forwards and "embed" not in name.lower() and _nameable(f"{_SERVER}/{name}")
        )

    @property
    def words(self) -> str:
        """What was found, in a sentence that holds no name that a server chose."""
        count = len(self.served)
        said = [
            f"a local server with {count} model{'' if count == 1 else 's'}" if count else "no local server with models",
            f"keys in {', '.join(self.keys)}" if self.keys else "no key of a remote provider",
            "an embedded model" if self.embedded else "no embedded model",
        ]
        return "; ".join(said)


def choose_preset(found: Found) -> str:
    """The preset that fits best: what stays on the machine first."""
    if found.served:
        return "local-first"
    return "balanced" if found.keys else "embedded"


def propose(found: Found, preset: str) -> str:
    """The text of a policy file with that preset.

    Raises:
        PolicyInvalid: there is no such preset.
    """
    classes = dict(_replaced(_classes(preset), found))
    document = tomlkit.document()
    document.add(tomlkit.comment("Your own policy. `smista-mcp policy show` tells everything that is in force."))
    document.add(tomlkit.comment(f"Proposed from what was here: {found.words}."))
    others = ", ".join(name for name in preset_names() if name != preset)
    item = tomlkit.item(preset)
    item.comment(f"or {others}")
    document.add("preset", item)
    tables = tomlkit.table(is_super_table=True)
    for name, models in classes.items():
        table = tomlkit.table()
        table.add(tomlkit.comment("the preset names models that the local server does not have; these it has"))
        table.add("models", list(models))
        tables.add(name, table)
    if classes:
        document.add(tomlkit.nl())
        document.add("classes", tables)
    return tomlkit.dumps(document)


def _classes(preset: str) -> Mapping[str, ClassDefinition]:
    document = parse(read_preset(preset), Layer.PRESET, preset).document
    return document.classes if document else {}


def _replaced(classes: Mapping[str, ClassDefinition], found: Found) -> Iterator[tuple[str, Sequence[str]]]:
    """The classes whose local models are all missing here, with those that are here in their place."""
    for name, definition in classes.items():
        local = [model for model in definition.models if model.startswith(f"{_SERVER}/")]
        if found.served and local and not any(_is_here(model, found.server) for model in local):
            others = [model for model in definition.models if model not in local]
            yield name, [*(f"{_SERVER}/{model}" for model in found.served[:_MOST]), *others]


def _is_here(model: str, server: ProviderFacts) -> bool:
    return live_model(ModelRef(*model.split("/", 1)), _SERVER, server).refusal is None


def _nameable(target: str) -> bool:
    try:
        parse_target(target)
    except ValueError:
        return False
    return target.isprintable() and len(target) <= 400
