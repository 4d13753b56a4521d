"""The JSON Schema for editors: it ships as it is generated, takes what the loader takes, and knows every key."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError

from smista_mcp.core.policy import PolicyDocument
from smista_mcp.core.values import Effort, Intent, Value
from smista_mcp.core.values import Layer as PolicyLayer
from smista_mcp.loading.documents import parse
from smista_mcp.loading.key_texts import KEY_TEXTS
from smista_mcp.loading.policy_schema import policy_schema, policy_schema_text
from smista_mcp.loading.presets import SCHEMA_FILE, presets_folder

SCHEMA = policy_schema()
VALIDATOR = Draft7Validator(SCHEMA)
DRAFT_4 = {
    "type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "items", "minItems", "maxItems",
    "properties", "patternProperties", "additionalProperties", "required", "anyOf", "default", "description",
}  # fmt: skip
RULE = '[[routing.rules]]\nname = "r"\nmodel = "ollama/x"\n'


def faults(document: object) -> set[str]:
    """Where a validator finds fault, as dotted keys."""
    return {".".join(map(str, error.absolute_path)) for error in cast("Any", VALIDATOR).iter_errors(document)}


def at(text: str) -> set[str]:
    return faults(tomllib.loads(text))


def test_what_ships_is_what_is_generated() -> None:
    assert (presets_folder() / SCHEMA_FILE).read_text(encoding="utf-8") == policy_schema_text()


def models(model: type[Value]) -> Iterator[type[Value]]:
    yield model
    for field in model.model_fields.values():
        waiting: list[object] = [field.annotation]
        while waiting:
            annotation = waiting.pop()
            waiting += get_args(annotation)
            if isinstance(annotation, type) and issubclass(annotation, Value):
                yield from models(annotation)


def test_every_key_has_its_words_and_no_words_are_left_over() -> None:
    known = {model.__name__: set(model.model_fields) for model in models(PolicyDocument)}
    assert {name: set(texts) for name, texts in KEY_TEXTS.items()} == known
    assert all(text.endswith(".") for texts in KEY_TEXTS.values() for text in texts.values())


def nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    inner = [*node.get("properties", {}).values(), *node.get("patternProperties", {}).values(), *node.get("anyOf", ())]
    inner += [node[key] for key in ("items", "additionalProperties") if isinstance(node.get(key), dict)]
    for one in inner:
        yield from nodes(one)


def test_it_is_sound_and_says_nothing_that_editors_of_toml_do_not_know() -> None:
    Draft7Validator.check_schema(SCHEMA)
    said = set[str]().union(*nodes(SCHEMA))
    assert said - {"$schema", "title"} <= DRAFT_4 | {"exclusiveMinimum"}
    for node in nodes(SCHEMA):
        for key, one in node.get("properties", {}).items():
            assert one.get("description") or key in ("tools", "vision", "reasoning", "json", *Effort)


@pytest.mark.parametrize("file", sorted(presets_folder().glob("*.toml")), ids=lambda file: file.stem)
def test_every_policy_that_ships_is_valid(file: Path) -> None:
    assert at(file.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("nonsense = 1", ""),
        ('[[routing.rules]]\nname = "r"', "routing.rules.0"),
        ('[[routing.rules]]\nmodel = "ollama/x"', "routing.rules.0"),
        (f"{RULE}modell = 1", "routing.rules.0"),
        (f"{RULE}priority = -1", "routing.rules.0.priority"),
        (f"{RULE}priority = 1.5", "routing.rules.0.priority"),
        (f"{RULE}priority = 1000001", "routing.rules.0.priority"),
        (f'{RULE}intent = "edits"', "routing.rules.0.intent"),
        (f"{RULE}intent = []", "routing.rules.0.intent"),
        (f'{RULE}effort = "most"', "routing.rules.0.effort"),
        (f'{RULE}paths = "src/**"', "routing.rules.0.paths"),
        (f"{RULE}paths = []", "routing.rules.0.paths"),
        (f'{RULE}paths = ["!src"]', "routing.rules.0.paths.0"),
        (f'{RULE}paths = ["/src"]', "routing.rules.0.paths.0"),
        (f"{RULE}cost_limit = 0.5", "routing.rules.0.cost_limit"),
        (f'{RULE}cost_limit = "-1"', "routing.rules.0.cost_limit"),
        (f"{RULE}deadline_s = 0", "routing.rules.0.deadline_s"),
        (f"{RULE}min_paths = 0", "routing.rules.0.min_paths"),
        (f'{RULE}local_only = "yes"', "routing.rules.0.local_only"),
        (f"{RULE}requires_capabilities = {{ speed = true }}", "routing.rules.0.requires_capabilities"),
        (f'{RULE}fallbacks = ["sonnet"]', "routing.rules.0.fallbacks.0"),
        ('[routing.default]\nmodel = "a b/c"', "routing.default.model"),
        ('[routing]\noverrides = "sometimes"', "routing.overrides"),
        ("[classes.coding]\nmodels = []", "classes.coding.models"),
        ('[classes."a b"]\nmodels = ["ollama/x"]', "classes"),
        ('[catalog.sonnet]\ninput_price = "1"', "catalog"),
        ('[catalog."a/b"]\ninput_price = 1', "catalog.a/b.input_price"),
        ('[privacy.remote]\nmode = "maybe"', "privacy.remote.mode"),
        ('[[budgets]]\nscope = "everyone"\nperiod = "day"\nlimit = "1"', "budgets.0.scope"),
        ('[[budgets]]\nscope = "all"\nperiod = "year"\nlimit = "1"', "budgets.0.period"),
        ("[dispatch]\nmax_retries = 6", "dispatch.max_retries"),
        ('[providers.openai]\napi_key = "sk-in-the-clear"', "providers.openai.api_key"),
        ('[providers.ollama]\nbase_url = "ftp://x"', "providers.ollama.base_url"),
        ('[providers.ollama]\nbase_url = "http://u:p@x"', "providers.ollama.base_url"),
        ('[plugins]\nselect = "function"', "plugins.select"),
        ('[[test]]\nname = "t"\ntask = { text = " " }\nexpect = {}', "test.0.task.text"),
    ],
)
def test_what_the_loader_refuses_for_its_shape_the_schema_refuses_at_the_same_key(text: str, wrong: str) -> None:
    assert parse(text.encode(), PolicyLayer.USER, "p.toml").document is None
    assert wrong in at(text)


def test_tables_of_another_program_are_no_fault() -> None:
    text = "[router]\na = 1\n[privacy.local]\nb = 2\n[local_preferences]\n"
    assert parse(text.encode(), PolicyLayer.USER, "p.toml").document is not None
    assert at(text) == set()


_TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="aZ0_.:/*!~{}$ -,\\é\n", max_size=16),
    st.sampled_from(
        ("ollama/x", "class:a", "host/current", "a/b/c", "http://[::1]:1/v1", "HTTPS://X", "${secret:A}", "intent:edit",
         "model:*", "project", "0.50", "p.q:r", "src/**", "\\!x", "edit", "allow", "é/ü")
    ),
)  # fmt: skip
_VALUES = st.one_of(_TEXTS, st.booleans(), st.integers(-2, 2_000_000), st.floats(), st.lists(_TEXTS, max_size=3))
_PLACES: tuple[tuple[str | int, ...], ...] = (
    *((key,) for key in PolicyDocument.model_fields),
    *(("routing", "rules", 0, key) for key in KEY_TEXTS["Rule"]),
    *(("routing", key) for key in KEY_TEXTS["RoutingSection"]),
    *(("classification", "rules", 0, key) for key in KEY_TEXTS["ClassificationRule"]),
    *(("privacy", key) for key in KEY_TEXTS["PrivacySection"]),
    *(("privacy", "remote", key) for key in KEY_TEXTS["RemoteSection"]),
    *(("models", key) for key in KEY_TEXTS["ModelsSection"]),
    *(("budgets", 0, key) for key in KEY_TEXTS["Budget"]),
    *(("dispatch", key) for key in KEY_TEXTS["DispatchSection"]),
    *(("providers", "ollama", key) for key in KEY_TEXTS["ProviderDocument"]),
    *(("catalog", "a/b", key) for key in KEY_TEXTS["CatalogEntry"]),
    *(("classes", "a", key) for key in KEY_TEXTS["ClassDefinition"]),
    *(("test", 0, "task", key) for key in KEY_TEXTS["TestTask"]),
    ("plugins", "select"),
)


def whole() -> dict[str, Any]:
    """A document in which every list has a member."""
    return {
        "classification": {"rules": [{"intent": Intent.EDIT.value}]},
        "routing": {"rules": [{"name": "r", "model": "ollama/x"}]},
        "classes": {"a": {"models": ["ollama/x"]}},
        "models": {},
        "privacy": {"remote": {}},
        "budgets": [{"scope": "all", "period": "day", "limit": "1"}],
        "dispatch": {},
        "providers": {"ollama": {}},
        "catalog": {"a/b": {}},
        "plugins": {},
        "test": [{"name": "t", "task": {"text": "x"}, "expect": {}}],
    }


def taken(document: Mapping[str, object]) -> bool:
    try:
        PolicyDocument.model_validate(document)
    except ValidationError:
        return False
    return True


@given(st.sampled_from(_PLACES), _VALUES)
def test_the_schema_refuses_nothing_that_the_loader_takes(place: tuple[str | int, ...], value: object) -> None:
    document = whole()
    table: Any = document
    for step in place[:-1]:
        table = table[step]
    table[place[-1]] = value
    if taken(document):
        assert faults(json.loads(json.dumps(document))) == set()


@given(st.sampled_from(("classes", "catalog")), _TEXTS)
def test_nor_a_name_that_it_takes(table: str, name: str) -> None:
    document = whole()
    document[table] = {name: whole()[table].popitem()[1]}
    if taken(document):
        assert faults(document) == set()
