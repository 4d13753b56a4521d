"""`route` leaves room for our own words in a prompt without knowing them: no prompt has more of them than that."""

import pytest

from smista_mcp.core.fitting import FRAME_TOKENS, ITEM_TOKENS
from smista_mcp.core.pieces import Block
from smista_mcp.core.readtools import READ_TOOLS, TOOLS_TOKENS
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Intent
from smista_mcp.dispatch.exchanges import tokens_of
from smista_mcp.dispatch.prompts import messages
from smista_mcp.dispatch.rounds import spec

TEXT = "x = 1\n" * 20


def framed(intent: Intent, names: list[str], *, looks: bool = False) -> int:
    """The tokens of a prompt without its words and without the texts and names that go along."""
    asked = messages(intent, "words", [Block(name, TEXT) for name in names], looks=looks)
    own = count_tokens("words") + sum(count_tokens(TEXT) + count_tokens(name) for name in names)
    return sum(count_tokens(message.content) for message in asked) - own


@pytest.mark.parametrize("intent", Intent)
@pytest.mark.parametrize("count", [0, 1, 9])
def test_no_prompt_has_more_words_of_ours(intent: Intent, count: int) -> None:
    names = [f"src/A folder/file_{number}.py" for number in range(count)]
    assert framed(intent, names) <= FRAME_TOKENS + ITEM_TOKENS * count
    assert framed(intent, names, looks=True) - framed(intent, names) + _described() <= TOOLS_TOKENS


def _described() -> int:
    return tokens_of(tuple(spec(tool) for tool in READ_TOOLS))
