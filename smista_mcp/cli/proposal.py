"""A first policy, proposed from what a machine has: which preset fits, and which of its models have to be replaced.

Where there is a policy already, the least change of its text that brings the preset in.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import tomlkit
from tomlkit.items import String, Table

from smista_mcp.core.facts import ProviderFacts
from smista_mcp.core.livemodels import live_model
from smista_mcp.core.modelref import ModelRef, parse_target
from smista_mcp.core.policy import ClassDefinition
from smista_mcp.core.values import Layer
from smista_mcp.errors import InvalidTask
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


def propose(found: Found, preset: str, schema: str | None = None) -> str:
    """The text of a policy file with that preset. `schema` is the address of its JSON Schema, for editors.

    Raises:
        PolicyInvalid: there is no such preset.
    """
    classes = dict(_replaced(_classes(preset), found))
    document = tomlkit.document()
    document.add(tomlkit.comment("Your own policy. `smista-mcp policy show` tells everything that is in force."))
    document.add(tomlkit.comment(f"Proposed from what was here: {found.words}."))
    item = tomlkit.item(preset)
    item.comment(_others(preset))
    document.add("preset", item)
    if classes:
        document.add(tomlkit.nl())
        document.add("classes", _tables(classes))
    directive = f"#:schema {schema}\n" if schema else ""
    return directive + tomlkit.dumps(document)


def edited(text: str, found: Found, preset: str) -> str:
    """A policy's text with that preset, and with the classes that it then needs here and does not define itself.

    Everything else stays as it is written, comments and layout too.

    Args:
        text: a policy that can be read.
        found: what the machine has.
        preset: the name of one that ships.

    Raises:
        PolicyInvalid: there is no such preset.
        InvalidTask: the text is laid out so that only its author can put it in; the error says what to write.
    """
    before = tomllib.loads(text)
    own = before.get("classes", {})
    added = {name: models for name, models in _replaced(_classes(preset), found) if name not in own}
    line_end = "\r\n" if "\r\n" in text else "\n"
    after = text if before.get("preset") == preset else _with_preset(text, preset, line_end)
    if added:
        tables = tomlkit.dumps(tomlkit.document().add("classes", _tables(added))).rstrip("\n")
        after = f"{after.rstrip()}{line_end}{line_end}{tables.replace(chr(10), line_end)}{line_end}"
    expected = {**before, "preset": preset}
    if added:
        expected["classes"] = {**own, **{name: {"models": list(models)} for name, models in added.items()}}
    if not _holds(after, expected):
        wanted = "; ".join([f'`preset = "{preset}"`', *(f"`[classes.{name}]`" for name in added)])
        raise InvalidTask(
            "the policy is laid out so that it cannot be edited safely", fix=f"add to it by hand: {wanted}"
        )
    return after


def _holds(text: str, expected: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == expected
    except tomllib.TOMLDecodeError:
        return False


def _with_preset(text: str, preset: str, line_end: str) -> str:
    """The text with that preset; as it was where more than that line would change."""
    document = tomlkit.parse(text)
    if tomlkit.dumps(document) != text:
        return text  # the library would also move other lines: it joins lists of tables that stand apart
    if "preset" in document:
        old, new = cast("String", document["preset"]), tomlkit.item(preset)
        if old.trivia.comment == f"# {_others(old)}":  # the one that `propose` wrote; any other stays
            new.comment(_others(preset))
        document["preset"] = new
        return tomlkit.dumps(document)
    lines = text.splitlines(keepends=True)
    place = _first_place(lines)
    line = tomlkit.dumps({"preset": preset}).rstrip("\n") + line_end
    behind = lines[place:]
    gap = [line_end] if behind and behind[0].strip() else []
    return "".join((*lines[:place], line, *gap, *behind))


def _others(preset: str) -> str:
    return f"or {', '.join(name for name in preset_names() if name != preset)}"


def _first_place(lines: Sequence[str]) -> int:
    """Behind the comment that heads a file; where that belongs to what follows, behind directives for editors alone."""
    head = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if head == len(lines) or not lines[head].strip():
        return min(head + 1, len(lines)) if head and lines[-1].endswith("\n") else 0
    return max((n + 1 for n, line in enumerate(lines[:head]) if line.startswith("#:")), default=0)


def _tables(classes: Mapping[str, Sequence[str]]) -> Table:
    tables = tomlkit.table(is_super_table=True)
    for name, models in classes.items():
        table = tomlkit.table()
        table.add(tomlkit.comment("the preset names models that the local server does not have; these it has"))
        table.add("models", list(models))
        tables.add(name, table)
    return tables


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
