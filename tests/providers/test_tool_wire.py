"""Calls of tools on the wire of both protocols: what is sent, and what is made of what servers send."""

import itertools
import json
from typing import Any

import pytest
from decoding import a_request, heard
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.readtools import UNKNOWN_TOOL
from smista_mcp.core.values import Effort
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import CompletionRequest, Finished, Message, ToolCall, ToolSpec, WireProtocol
from smista_mcp.providers.ollama import Ollama
from smista_mcp.providers.openai_compat import OpenAiCompat
from smista_mcp.providers.toolwire import MAX_CALL_BYTES, MAX_CALLS, arguments_of, readable

CHAT, OLLAMA = OpenAiCompat(), Ollama()
SPEC = ToolSpec("read_file", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string"}}})


def sse(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def piece(*calls: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": None, "tool_calls": list(calls)}, "finish_reason": finish}]}


def called(name: str | None = None, arguments: object = "", **members: object) -> dict[str, Any]:
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {"function": function, **members}


END: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
STREAM = sse(
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Let me look."}}]},
    piece(called("read_file", "", index=0, id="call_a", type="function")),
    piece(called(arguments='{"pa', index=0)),
    piece(called("search", "", index=1, id="call_b", type="function")),
    piece(called(arguments='th":"a.py"}', index=0), called(arguments='{"text":"é"}', index=1)),
    END,
    {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
)
BOTH = [ToolCall("call_a", "read_file", '{"path":"a.py"}'), ToolCall("call_b", "search", '{"text":"é"}')]


def test_streamed_calls_are_joined_by_their_number() -> None:
    text, calls, end = heard(CHAT, [STREAM])
    assert (text, calls, end.stop_reason, end.usage.input_tokens) == ("Let me look.", BOTH, "tool_calls", 9)


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_it_does_not_matter_where_a_stream_of_calls_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert heard(CHAT, [STREAM[a:b] for a, b in itertools.pairwise(edges)]) == heard(CHAT, [STREAM])


@pytest.mark.parametrize(
    "pieces",
    [
        # every call numbered 0, as one widespread server does
        (called("a", "{}", index=0, id="x"), called("b", '{"k":', index=0, id="y"), called(None, "1}", index=0)),
        # no number at all
        (called("a", "{}", id="x"), called("b", '{"k":', id="y"), called(None, "1}")),
        # the arguments as an object
        (called("a", {}, index=0, id="x"), called("b", {"k": 1}, index=1, id="y")),
        # id and name repeated with every piece
        (called("a", "{}", index=0, id="x"), called("b", '{"k":', index=1, id="y"), called("b", "1}", index=1, id="y")),
    ],
)
def test_servers_that_number_calls_in_their_own_way_are_understood(pieces: tuple[dict[str, Any], ...]) -> None:
    _, calls, _ = heard(CHAT, [sse(*(piece(one) for one in pieces), END)])
    assert [(call.id, call.name, arguments_of(call)) for call in calls] == [("x", "a", {}), ("y", "b", {"k": 1})]


def test_calls_of_one_name_without_id_or_number_stay_apart() -> None:
    _, calls, _ = heard(CHAT, [sse(piece(called("a", '{"n":1}')), piece(called("a", '{"n":2}')), END)])
    assert [arguments_of(call) for call in calls] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "something new"])
def test_an_answer_with_calls_stops_for_them_whatever_the_server_says(finish: str) -> None:
    body = json.dumps({"choices": [{"message": {"tool_calls": [called("a", "{}")]}, "finish_reason": finish}]})
    _, calls, end = heard(CHAT, [body.encode()])
    assert (calls, end.stop_reason) == ([ToolCall("", "a", "{}")], "tool_calls")


def test_calls_cut_at_the_length_limit_are_said_to_be() -> None:
    _, calls, end = heard(CHAT, [sse(piece(called("a", '{"pa')), piece(finish="length"))])
    assert (calls, end.stop_reason) == ([ToolCall("", "a", '{"pa')], "length")


@pytest.mark.parametrize("arguments", ["", "{", "[]", "3", "\ud800", '{"a":' * 100_000])
def test_arguments_that_are_no_object_are_told_apart_from_none(arguments: str) -> None:
    assert arguments_of(ToolCall("", "a", arguments)) == (None if arguments else dict[str, object]())


@pytest.mark.parametrize("calls", ["x", 3, {"a": 1}, [3], ["x"], [[]]])
@pytest.mark.parametrize("protocol", [CHAT, OLLAMA])
def test_a_stream_whose_calls_are_none_is_not_of_the_protocol(protocol: WireProtocol, calls: object) -> None:
    chat = sse({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]})
    body = chat if protocol is CHAT else json.dumps({"message": {"tool_calls": calls}, "done": True}).encode() + b"\n"
    with pytest.raises(ProviderError) as caught:
        heard(protocol, [body])
    assert caught.value.code is Code.PROVIDER_PROTOCOL


@pytest.mark.parametrize(
    "flood",
    [
        [piece(called("a", "{}", index=n)) for n in range(MAX_CALLS + 1)],
        [
            piece(called("a", "", index=0)),
            *[piece(called(None, "x" * 50_000, index=0))] * (MAX_CALL_BYTES // 50_000 + 1),
        ],
    ],
)
def test_a_flood_of_calls_ends_the_answer(flood: list[dict[str, Any]]) -> None:
    with pytest.raises(ProviderError) as caught:
        heard(CHAT, [sse(*flood, END)])
    assert caught.value.code is Code.PROVIDER_PROTOCOL


def test_ollama_gives_each_call_whole() -> None:
    lines: list[dict[str, Any]] = [
        {"message": {"role": "assistant", "content": "", "tool_calls": [called("read_file", {"path": "ä"})]}},
        {"message": {"role": "assistant", "content": "", "tool_calls": [called("read_file", {"path": "b"}, id="i")]}},
        {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", "eval_count": 3},
    ]
    body = b"".join(json.dumps({"done": False, **line}).encode() + b"\n" for line in lines)
    _, calls, end = heard(OLLAMA, [body])
    assert calls == [ToolCall("", "read_file", '{"path":"ä"}'), ToolCall("i", "read_file", '{"path":"b"}')]
    assert end == Finished("tool_calls", end.usage)


# ------------------------------------------------------------------------------------------------------ what is sent


def conversation(*calls: ToolCall) -> CompletionRequest:
    back = tuple(readable(call, number, {"read_file"}) for number, call in enumerate(calls))
    results = [Message("tool", f"result {n}", answers=call) for n, call in enumerate(back)]
    turns = (Message("user", "look"), Message("assistant", "", calls=back), *results)
    return CompletionRequest("m", turns, Effort.LOW, tools=(SPEC,))


def test_chat_completions_carry_tools_calls_and_results() -> None:
    body = json.loads(CHAT.encode(conversation(BOTH[0])).body)
    function = {"name": "read_file", "description": "Reads a file.", "parameters": dict(SPEC.parameters)}
    assert body["tools"] == [{"type": "function", "function": function}]
    call, result = body["messages"][1:]
    assert call == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call00000", "type": "function", "function": {"name": "read_file", "arguments": '{"path":"a.py"}'}}
        ],
    }
    assert result == {"role": "tool", "tool_call_id": "call00000", "content": "result 0"}


def test_ollama_carries_arguments_as_objects_and_results_by_name() -> None:
    body = json.loads(OLLAMA.encode(conversation(BOTH[0])).body)
    assert body["tools"][0]["function"]["name"] == "read_file"
    assert body["messages"][1]["tool_calls"] == [{"function": {"name": "read_file", "arguments": {"path": "a.py"}}}]
    assert body["messages"][2] == {"role": "tool", "tool_name": "read_file", "content": "result 0"}


@pytest.mark.parametrize("arguments", ['{"path": ', "[]", '"x"', '{"path": "\\ud800"}'])
def test_calls_that_no_server_could_read_again_are_made_readable(arguments: str) -> None:
    request = conversation(ToolCall("", 'rm -rf "', arguments))
    chat = json.loads(CHAT.encode(request).body)["messages"][1]["tool_calls"][0]["function"]
    ollama = json.loads(OLLAMA.encode(request).body)["messages"][1]["tool_calls"][0]["function"]
    assert chat["name"] == ollama["name"] == UNKNOWN_TOOL
    assert json.loads(chat["arguments"]) == ollama["arguments"]
    assert chat["arguments"] in ("{}", '{"path":"?"}')


def test_calls_get_an_id_each_that_their_results_name() -> None:
    body = json.loads(CHAT.encode(conversation(ToolCall("", "a", "{}"), ToolCall("x", "a", "{}"))).body)
    ids = [call["id"] for call in body["messages"][1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [message["tool_call_id"] for message in body["messages"][2:]] == ids


@pytest.mark.parametrize("protocol", [CHAT, OLLAMA])
def test_without_tools_nothing_of_them_is_sent(protocol: WireProtocol) -> None:
    assert b"tool" not in protocol.encode(a_request()).body
