"""What we ask is what the vendors' own clients can ask: it stands in their types.

They come with the extra `sdks`; nothing else needs them.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter
from vendor_answers import ALL, ANTHROPIC, CHAT, GEMINI, OLLAMA, RESPONSES, SIGNATURE, Words

from smista_mcp.core.values import Effort
from smista_mcp.providers.base import CompletionRequest, Message, ToolCall, ToolSpec

WHY = "needs the vendors' clients: python3 -m pip install '.[sdks]'"
chat: Any = pytest.importorskip("openai.types.chat.completion_create_params", reason=WHY)
responses: Any = pytest.importorskip("openai.types.responses.response_create_params", reason=WHY)
messages: Any = pytest.importorskip("anthropic.types.message_create_params", reason=WHY)
google: Any = pytest.importorskip("google.genai.types", reason=WHY)
ollama: Any = pytest.importorskip("ollama._types", reason=WHY)

_PATH = {"type": "object", "properties": {"path": {"type": "string", "description": "which"}}, "required": ["path"]}
TOOLS = (ToolSpec("read_file", "Reads.", _PATH), ToolSpec("list_files", "Lists.", {"type": "object", "properties": {}}))
CARRIED: dict[str, list[dict[str, Any]]] = {
    RESPONSES.name: [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SIGNATURE}],
    ANTHROPIC.name: [{"type": "thinking", "thinking": "hm", "signature": SIGNATURE}],
}


def asked(words: Words, effort_as: str | int | None) -> CompletionRequest:
    """A request with everything that a request can have."""
    carry = json.dumps(CARRIED[words.name]) if words.name in CARRIED else ""
    carry = SIGNATURE if words is GEMINI else carry
    first = ToolCall("call00000", "read_file", '{"path":"a.py"}', carry)
    second = ToolCall("call00001", "list_files", "{}")
    turns = (
        Message("system", "Be brief."),
        Message("user", "What is in a.py?"),
        Message("assistant", "I look.", calls=(first, second)),
        Message("tool", "print(1)", answers=first),
        Message("tool", "a.py", answers=second),
        Message("assistant", "It prints."),
        Message("user", "Why?"),
    )
    temperature = None if words is ANTHROPIC else 0.5  # today's version of its API takes none
    return CompletionRequest("m", turns, Effort.HIGH, 4000, 8192, 100, temperature, TOOLS, effort_as)


def known(params: Any, body: dict[str, Any]) -> None:
    """Every field is one that the client has, and holds what it may."""
    assert set(body) <= set(params.__annotations__)
    TypeAdapter(params).validate_python(body)


def of_chat(body: dict[str, Any]) -> None:
    known(chat.CompletionCreateParamsStreaming, body)


def of_responses(body: dict[str, Any]) -> None:
    known(responses.ResponseCreateParamsStreaming, body)


def of_messages(body: dict[str, Any]) -> None:
    known(messages.MessageCreateParamsStreaming, body)


def of_google(body: dict[str, Any]) -> None:
    """These types refuse every field that they do not know."""
    assert set(body) <= {"contents", "systemInstruction", "generationConfig", "tools"}
    for content in (*body["contents"], body["systemInstruction"]):
        google.Content.model_validate(content)
    google.GenerationConfig.model_validate(body["generationConfig"])
    for tool in body["tools"]:
        google.Tool.model_validate(tool)


def of_ollama(body: dict[str, Any]) -> None:
    found = ollama.ChatRequest.model_validate(body)
    assert set(body) <= {*ollama.ChatRequest.model_fields, "truncate", "shift"}  # these two its server knows
    assert set(body["options"]) <= set(ollama.Options.model_fields)
    ollama.Options.model_validate(body["options"])
    for message in body["messages"]:
        assert set(message) <= set(ollama.Message.model_fields)
        ollama.Message.model_validate(message)
    assert [tool.function.name for tool in found.tools] == [tool.name for tool in TOOLS]


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    CHAT.name: of_chat,
    RESPONSES.name: of_responses,
    ANTHROPIC.name: of_messages,
    GEMINI.name: of_google,
    OLLAMA.name: of_ollama,
}


@pytest.mark.parametrize("effort_as", [None, "high", 2048], ids=str)
@pytest.mark.parametrize("words", ALL, ids=lambda words: words.name)
def test_what_we_ask_is_what_the_client_of_its_vendor_can_ask(words: Words, effort_as: str | int | None) -> None:
    CHECKS[words.name](json.loads(words.protocol.encode(asked(words, effort_as)).body))
