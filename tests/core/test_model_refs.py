"""How a model may be named."""

import pytest

from smista_mcp.core.modelref import ModelRef, is_listed_name, parse_target


@pytest.mark.parametrize(
    "model",
    ["gpt-5.5", "qwen3:8b", "hf.co/bartowski/Q:Q4_K_M", "@cf/meta/llama", "/models/q.gguf", "a..b", "..."],
)
def test_a_name_may_have_parts(model: str) -> None:
    assert parse_target(f"openai-compat:x/{model}") == ModelRef("openai-compat:x", model)
    assert is_listed_name(model)


@pytest.mark.parametrize("model", ["..", ".", "../v1/files", "a/../b", "a/./b", "a//b", "a/", "//a", "/../a", "a/.."])
def test_a_name_that_means_another_address_in_a_path_is_none(model: str) -> None:
    with pytest.raises(ValueError, match=r"own name"):
        parse_target(f"openai-compat:x/{model}")
    assert not is_listed_name(model)
