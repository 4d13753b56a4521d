import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.modelref import is_listed_name
from smista_mcp.core.values import Locality
from smista_mcp.providers.livefacts import (
    from_json,
    is_llamacpp,
    ollama_models,
    served_models,
    shown_model,
    to_json,
    with_props,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAME = st.text("abcZ019.:/-_ü", min_size=1, max_size=8).filter(is_listed_name)
MODELS = st.dictionaries(
    NAME,
    st.builds(
        LiveModel,
        name=NAME,
        context_window=st.none() | st.integers(1, 10**9),
        capabilities=st.none() | st.frozensets(TEXT),
        forwards=st.booleans(),
    ),
    max_size=4,
).map(
    lambda models: {name: LiveModel(name, m.context_window, m.capabilities, m.forwards) for name, m in models.items()}
)
FACTS = st.dictionaries(
    TEXT,
    st.builds(
        ProviderFacts,
        locality=st.sampled_from(Locality),
        reachable=st.none() | st.booleans(),
        credentials=st.booleans(),
        cooldown=st.booleans(),
        models=st.none() | MODELS,
        detail=TEXT,
        assumed=st.just(value=False),
        cli=st.none(),  # no file keeps what is installed
    ),
    max_size=3,
)


@pytest.mark.parametrize(
    ("entry", "forwards"),
    [
        ({"name": "llama3:8b", "model": "llama3:8b", "size": 1}, False),
        ({"name": "gpt-oss:120b-cloud"}, True),
        ({"name": "glm:cloud"}, True),
        ({"name": "GLM:Cloud"}, True),
        ({"name": "mine:latest", "remote_model": "gpt-oss:120b", "remote_host": "https://ollama.com:443"}, True),
        ({"name": "mine:latest", "remote_host": "https://ollama.com:443"}, True),
        ({"name": "mine:latest", "remote_model": "", "remote_host": ""}, False),
        ({"name": "cloudy:latest"}, False),
    ],
)
def test_a_model_that_forwards_is_known_by_name_or_by_field(entry: dict[str, Any], forwards: bool) -> None:
    (model,) = ollama_models({"models": [entry]}).values()
    assert (model.name, model.forwards) == (entry["name"], forwards)


def test_entries_without_a_name_are_no_models() -> None:
    assert ollama_models({"models": [{}, 7, {"name": 5}, {"name": ""}]}) == {}
    assert served_models({"data": [{}, 7, {"id": 5}, {"id": ""}]}) == {}


@pytest.mark.parametrize("body", [{}, {"models": None}, {"data": {}}, {"error": "x"}])
def test_what_is_no_list_of_models_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no list"):
        ollama_models(body)
    with pytest.raises(ValueError, match="no list"):
        served_models(body)


def test_what_is_shown_adds_window_and_capabilities() -> None:
    show: dict[str, Any] = {
        "model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32_768, "clip.context_length": 77},
        "capabilities": ["completion", "tools", "thinking"],
    }
    model = shown_model(LiveModel("qwen2.5-coder:7b"), show)
    assert model.context_window == 32_768
    assert model.capabilities == {"tools", "reasoning", "json"}
    assert not model.forwards


def test_what_is_not_shown_stays_unknown() -> None:
    assert shown_model(LiveModel("x"), {}) == LiveModel("x")
    assert shown_model(LiveModel("x"), {"model_info": [], "capabilities": 7}) == LiveModel("x")


def test_a_model_may_show_only_late_that_it_forwards() -> None:
    assert shown_model(LiveModel("x"), {"remote_model": "gpt-oss:120b"}).forwards
    assert shown_model(LiveModel("x", forwards=True), {}).forwards


@pytest.mark.parametrize(
    ("entry", "window"),
    [
        ({"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}, 4096),
        ({"id": "m", "max_model_len": 16_384}, 16_384),
        ({"id": "m", "max_context_length": 100}, 100),
        ({"id": "m", "context_length": 200}, 200),
        ({"id": "m", "meta": None}, None),
        ({"id": "m", "max_model_len": "many"}, None),
        ({"id": "m", "max_model_len": 0}, None),
        ({"id": "m"}, None),
    ],
)
def test_the_window_of_a_served_model_is_read_wherever_it_stands(entry: dict[str, Any], window: int | None) -> None:
    assert served_models({"data": [entry]}) == {"m": LiveModel("m", context_window=window)}


def test_the_properties_of_llamacpp_say_what_one_request_may_take() -> None:
    assert is_llamacpp({"data": [{"id": "m", "owned_by": "llamacpp"}]})
    assert not is_llamacpp({"data": [{"id": "m", "owned_by": "vllm"}]})
    models = {"m": LiveModel("m", context_window=8192)}
    assert with_props(models, {"default_generation_settings": {"n_ctx": 2048}})["m"].context_window == 2048
    assert with_props(models, {})["m"].context_window == 8192


@given(FACTS)
def test_facts_survive_a_file(facts: dict[str, ProviderFacts]) -> None:
    localities = {name: one.locality for name, one in facts.items()}
    assert from_json(json.loads(json.dumps(to_json(facts))), localities) == facts


GOOD: dict[str, Any] = to_json(
    {"p": ProviderFacts(Locality.LOCAL, models={"m": LiveModel("m", 1, frozenset({"json"}))})}
)["p"]  # pyright: ignore[reportAssignmentType]


LOCAL = {"p": Locality.LOCAL}


@pytest.mark.parametrize("key", list(GOOD))
@pytest.mark.parametrize("value", [7.5, {}, ["x"], "x"])
def test_facts_of_another_type_are_refused(key: str, value: object) -> None:
    if key == "detail" and value == "x":
        return
    with pytest.raises(ValueError, match=r"\w"):
        from_json({"p": GOOD | {key: value}}, LOCAL)


@pytest.mark.parametrize("value", [None, [], "x", {"p": None}, {"p": {}}, {"p": {"reachable": True}}, {"q": GOOD}])
def test_what_is_not_facts_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json(value, LOCAL)


@pytest.mark.parametrize(
    "change",
    [{"name": 1}, {"context_window": 0}, {"context_window": "1"}, {"capabilities": "json"}, {"forwards": None}],
)
def test_a_model_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json({"p": GOOD | {"models": [{**GOOD["models"][0], **change}]}}, LOCAL)


@pytest.mark.parametrize("name", ["my model", "\u2003x", "a\nb", "x" * 201, " ", "a\u202eb"])
def test_a_name_that_can_be_no_models_is_left_out(name: str) -> None:
    assert list(ollama_models({"models": [{"name": name}, {"name": "m"}]})) == ["m"]
    assert list(served_models({"data": [{"id": name}, {"id": "m"}]})) == ["m"]
    facts = {"p": GOOD | {"models": [{**GOOD["models"][0], "name": name}]}}
    assert from_json(facts, LOCAL)["p"].models == {}


@pytest.mark.parametrize("count", [10**25, 10**9 + 1, -1, 2.0, True, float("nan"), "7", None, [1]])
def test_what_is_no_sound_count_is_unknown(count: object) -> None:
    assert served_models({"data": [{"id": "m", "max_model_len": count}]})["m"].context_window is None


def test_a_name_may_say_in_model_or_tag_that_it_forwards() -> None:
    names = ["gpt-oss:120b-cloud", "glm:cloud", "GLM:Cloud", "glm-cloud", "glm-cloud:latest"]
    assert all(model.forwards for model in ollama_models({"models": [{"name": name} for name in names]}).values())
