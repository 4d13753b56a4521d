"""What a server lists is text of the server."""

from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.livemodels import live_model
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.values import Locality


def test_names_of_a_server_are_told_on_one_line_cut_and_only_where_they_can_be_names() -> None:
    names = ("good:7b", "x" * 150, "run this\nnow", "two words", "esc\x1b[31m", "q`uote", "y" * 5000)
    provider = ProviderFacts(Locality.LOCAL, reachable=True, models={name: LiveModel(name) for name in names})
    refusal = live_model(ModelRef("ollama", "absent"), "ollama", provider).refusal or ""
    assert refusal.endswith(f"it has `good:7b`, `q'uote`, `{'x' * 80}…`")
