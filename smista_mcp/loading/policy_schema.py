"""The JSON Schema of a policy file, for editors: made from the models, so that it cannot say anything else.

It is written for Taplo (Even Better TOML) and Tombi. Taplo ignores what stands beside a `$ref` and documents draft 4
alone, so nothing is referred to, and of draft 7 only what draft 4 has too is used, but for a numeric exclusive bound.
A schema sees one value at a time: it refuses nothing that the loader takes, and the loader finds more.
"""

import json
import warnings
from collections.abc import Mapping
from typing import TypeAlias, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from smista_mcp.core import endpoints, policywords
from smista_mcp.core.policy import PolicyDocument
from smista_mcp.core.policywords import MAX_PRIORITY, MAX_SECONDS
from smista_mcp.loading.documents import FOREIGN_TABLES
from smista_mcp.loading.key_texts import KEY_TEXTS

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Node: TypeAlias = "dict[str, Json]"

_TARGET = r"^(class:\S+|[^\s/]+/\S+)$"
_SHAPES: Mapping[str, Node] = {
    "_address": {"pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s@?#]+$"},
    "_class_name": {"pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"},
    "_command": {"pattern": r"^(/|[A-Za-z]:[\\/])"},
    "_fingerprint": {"pattern": r"^[a-z0-9_]{3,60}-[0-9a-f]{16}$"},
    "_function": {"pattern": r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"},
    "_glob": {"pattern": r"^[^!/~\x00-\x1f]"},
    "_mask": {"pattern": r"^\s*(drop|hash) +[A-Za-z0-9_*]+(\.[A-Za-z0-9_*]+)*\s*$"},
    "_model": {"pattern": r"^[^\s/]+/\S+$"},
    "_money": {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,12})?$"},
    "_priority": {"type": "integer", "minimum": 0, "maximum": MAX_PRIORITY},
    "_said": {"pattern": r"\S"},
    "_scope": {"pattern": r"^(all|project|(intent|model|token):.+)$"},
    "_seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_SECONDS},
    "_secret": {"pattern": r"^\$\{secret:[A-Za-z_][A-Za-z0-9_]{0,199}\}$"},
    "_target": {"pattern": _TARGET},
    "_type": {"pattern": r"^[a-z][a-z0-9._-]{0,63}$"},
    "_variable": {"pattern": r"^[A-Za-z_][A-Za-z0-9_]{0,199}$"},
}
"""What the validators of the models ask for, by their names, as far as a schema can say it."""
_MODULES = (policywords.__name__, endpoints.__name__)
_ONE_OR_MANY = "_many"


def policy_schema() -> dict[str, Json]:
    """The schema as a value of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # defaults that JSON has no word for: they are left out below
        raw = cast("Node", PolicyDocument.model_json_schema(schema_generator=_Generator))
    models = cast("dict[str, Node]", raw.pop("$defs"))
    for name, node in (*models.items(), (PolicyDocument.__name__, raw)):
        _describe(name, node)
    whole = cast("Node", _inlined(raw, models))
    _add_foreign(whole)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Policy of smista-mcp",
        "description": "Which model does which piece of work. `smista-mcp policy check` finds more than this schema.",
        **whole,
    }


def policy_schema_text() -> str:
    """The schema as the file that ships."""
    return json.dumps(policy_schema(), indent=1) + "\n"


class _Generator(GenerateJsonSchema):
    """Says of validators what `_SHAPES` knows, and nothing of None, which TOML cannot write."""

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        inner, name = self.generate_inner(schema["schema"]), _name(schema["function"])
        return {**inner, **_SHAPES[name]} if name else inner

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        name = _name(schema["function"])
        if name != _ONE_OR_MANY:
            return dict(_SHAPES[name])
        many = self.generate_inner(schema["schema"])
        return {"anyOf": [many["items"], many]}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        inner = super().literal_schema(schema)
        return {"enum": [inner.pop("const")], **inner} if "const" in inner else inner

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def _name(validator: Mapping[str, object]) -> str:
    """The name of a function of ours; empty where pydantic checks a bound, which it says by itself."""
    function = validator["function"]
    ours = getattr(function, "__module__", "") in _MODULES
    return getattr(function, "__name__", "") if ours else ""


def _describe(model: str, node: Node) -> None:
    texts = KEY_TEXTS.get(model, {})
    properties = cast("dict[str, Node]", node.get("properties", {}))
    for key, schema in properties.items():
        # behind a reference a text would be lost, so it waits in a place of its own until that is gone
        properties[key] = {"said": texts.get(key, ""), "of": dict(schema)}


def _inlined(node: Json, models: Mapping[str, Node]) -> Json:
    """The node without references, names of models, and what only Python understands."""
    if isinstance(node, list):
        return [_inlined(one, models) for one in node]
    if not isinstance(node, dict):
        return node
    if "said" in node:
        inner = cast("Node", _inlined(node["of"], models))
        return {"description": node["said"], **inner} if node["said"] else inner
    if "$ref" in node:
        found = models[str(node["$ref"]).rpartition("/")[2]]
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return _inlined({**found, **rest}, models)
    plain = {
        key: _children(value, models) if key in ("properties", "patternProperties") else _inlined(value, models)
        for key, value in node.items()
        if key not in ("title", "description") and not (key == "default" and not isinstance(value, str | int))
    }
    return _with_lengths_of_the_list(_with_names(plain))


def _children(value: Json, models: Mapping[str, Node]) -> Json:
    return {key: _inlined(inner, models) for key, inner in cast("Node", value).items()}


def _with_names(node: Node) -> Node:
    """A table whose keys are known words has them as properties, which draft 4 knows too, and editors offer."""
    names = cast("Node", node.pop("propertyNames", {}))
    if "enum" in names:
        node["properties"] = dict.fromkeys(cast("list[str]", names["enum"]), node.pop("additionalProperties"))
    if "properties" in node or "patternProperties" in node:
        node["additionalProperties"] = False
    return node


def _with_lengths_of_the_list(node: Node) -> Node:
    """Where one value may stand for a list of one, bounds are those of the list."""
    if "anyOf" not in node:
        return node
    lengths = {f"{bound}Items": node.pop(f"{bound}Length") for bound in ("min", "max") if f"{bound}Length" in node}
    for choice in cast("list[Node]", node["anyOf"]):
        if choice.get("type") == "array":
            choice.update(lengths)
    return node


def _add_foreign(whole: Node) -> None:
    """Tables of another program, which the loader skips with a warning."""
    for *above, name in FOREIGN_TABLES:
        node = whole
        for step in above:
            node = cast("Node", cast("Node", node["properties"])[step])
        cast("Node", node["properties"])[name] = {"description": "Of smista.ai; it means nothing here and is skipped."}
