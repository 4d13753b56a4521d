"""Decode recorded answers of real providers, cut at random byte borders, and hold them against what was expected.

    python scripts/replay_recordings.py DIR [--cuts 200] [--seed 1]

DIR holds `index.json` (for each file: endpoint, status, stream) and the recordings: a request and the response to it,
as JSON or as the text of a stream. What is expected is read from the response itself by this script, field by field as
the vendors document them, with none of the decoders' code: text, calls of tools, stop reason, token counts, model and
id, or of a refusal its status and code. Each answer is decoded in one piece and cut `--cuts` times at random places;
a stream also with CRLF, and the first third of each must be taken for no answer.

One line for each recording; exit status 1 where any was read otherwise. Recordings of endpoints that smista never
calls have to be refused as no answer of the protocol.
"""

# What is recorded has no types of its own.
# pyright: basic
import argparse
import itertools
import json
import random
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from decoding import heard  # noqa: E402

from smista_mcp.errors import ProviderError  # noqa: E402
from smista_mcp.providers.anthropic import Anthropic  # noqa: E402
from smista_mcp.providers.base import WireProtocol  # noqa: E402
from smista_mcp.providers.gemini import Gemini  # noqa: E402
from smista_mcp.providers.ollama import Ollama  # noqa: E402
from smista_mcp.providers.openai_compat import OpenAiCompat  # noqa: E402
from smista_mcp.providers.openai_responses import OpenAiResponses  # noqa: E402

Json = dict[str, Any]
OTHER_ENDPOINTS = ("/count_tokens",)
STATUS_CODES = {
    401: "provider_auth",
    403: "provider_auth",
    404: "unknown_model",
    429: "provider_rate_limited",
}


class Read(NamedTuple):
    """What an answer says."""

    text: str
    calls: list[tuple[str, Any]]
    stop: str
    counts: tuple[int | None, int | None, int | None, int | None]
    model: str | None
    id: str | None


def events_of(text: str) -> list[Json]:
    """The objects of a stream of events or of lines."""
    data = [line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith(("data:", "{"))]
    return [json.loads(line) for line in data if line and line != "[DONE]"]


def parsed(arguments: str) -> Any:  # noqa: ANN401  JSON
    """The arguments of a call, as JSON where they are any."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def ended(stop: str, table: Mapping[str, str], *, called: bool) -> str:
    """A reason in our words; whoever called tools stopped for them."""
    found = table.get(stop, "unknown")
    return "tool_calls" if called and found in ("stop", "unknown") else found


# ------------------------------------------------------------------------------------------- what a response says


def chat(parts: list[Json]) -> Read:
    """Chat completions: the chunks of a stream, or one whole answer."""
    text, stop, calls = "", "", dict[int, list[str]]()
    refused = False
    usage: Json = {}
    for part in parts:
        usage = part.get("usage") or usage
        for choice in part.get("choices") or ():
            message: Json = choice.get("delta") or choice.get("message") or {}
            refused = refused or bool(message.get("refusal"))
            text += message.get("content") or message.get("refusal") or ""
            stop = choice.get("finish_reason") or stop
            for number, call in enumerate(message.get("tool_calls") or ()):
                kept = calls.setdefault(call.get("index", number), ["", ""])
                kept[0] += call["function"].get("name") or ""
                kept[1] += call["function"].get("arguments") or ""
    table = {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter"}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", usage.get("prompt_cache_hit_tokens"))
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    return Read(
        text,
        [(name, parsed(arguments)) for name, arguments in calls.values()],
        "content_filter" if refused else ended(stop, table, called=bool(calls)),
        (usage.get("prompt_tokens"), cached, usage.get("completion_tokens"), thought),
        first(parts, "model"),
        first(parts, "id"),
    )


def first(parts: Iterable[Json], key: str) -> str | None:
    """The first that is said of it."""
    return next((part[key] for part in parts if part.get(key)), None)


def responses(parts: list[Json]) -> Read:
    """OpenAI's Responses: the last event holds the whole."""
    whole: Json = parts[-1].get("response") or parts[-1]
    items: list[Json] = whole["output"]
    said: list[Json] = [part for item in items if item["type"] == "message" for part in item["content"]]
    calls = [(item["name"], parsed(item["arguments"])) for item in items if item["type"] == "function_call"]
    refused = any(part["type"] == "refusal" for part in said)
    stop = "tool_calls" if calls else "stop"
    if whole["status"] == "incomplete":
        stop = {"max_output_tokens": "length"}.get(whole["incomplete_details"]["reason"], "content_filter")
    usage: Json = whole.get("usage") or {}
    return Read(
        "".join(part.get("text") or part.get("refusal") or "" for part in said),
        calls,
        "content_filter" if refused else stop,
        (
            usage.get("input_tokens"),
            (usage.get("input_tokens_details") or {}).get("cached_tokens"),
            usage.get("output_tokens"),
            (usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
        ),
        whole["model"],
        whole["id"],
    )


def anthropic(parts: list[Json]) -> Read:
    """Anthropic's Messages: named events, or one message."""
    message: Json = parts[0].get("message") or parts[0]
    usage: Json = dict(message["usage"])
    blocks: list[Json] = list(message.get("content") or ())
    written: dict[int, str] = {}
    stop = message.get("stop_reason") or ""
    for part in parts:
        if part.get("type") == "content_block_start":
            blocks.append(dict(part["content_block"]))
        elif part.get("type") == "content_block_delta":
            delta: Json = part["delta"]
            text = delta.get("text", delta.get("partial_json", ""))
            written[part["index"]] = written.get(part["index"], "") + text
        elif part.get("type") == "message_delta":
            stop = part["delta"]["stop_reason"]
            usage |= {name: value for name, value in part["usage"].items() if value is not None}
    text, calls = "", list[tuple[str, Any]]()
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            text += block["text"] + written.get(index, "")
        elif block["type"] == "tool_use":
            calls.append((block["name"], parsed(written[index]) if written.get(index) else block["input"]))
    table = {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "tool_use": "tool_calls",
        "max_tokens": "length",
        "refusal": "content_filter",
    }
    read, made = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    thought = (usage.get("output_tokens_details") or {}).get("thinking_tokens")
    counts = (usage["input_tokens"] + (read or 0) + (made or 0), read, usage["output_tokens"], thought)
    return Read(text, calls, table.get(stop, "unknown"), counts, message["model"], message["id"])


def gemini(parts: list[Json]) -> Read:
    """Gemini: chunks of the same form as the whole."""
    text, stop, calls = "", "", list[tuple[str, Any]]()
    usage: Json = {}
    for part in parts:
        usage = part.get("usageMetadata") or usage
        for candidate in part.get("candidates") or ():
            stop = candidate.get("finishReason") or stop
            for one in (candidate.get("content") or {}).get("parts") or ():
                text += "" if one.get("thought") else one.get("text") or ""
                if "functionCall" in one:
                    calls.append((one["functionCall"]["name"], one["functionCall"].get("args") or {}))
    thought, said = usage.get("thoughtsTokenCount"), usage.get("candidatesTokenCount")
    output = None if thought is None and said is None else (thought or 0) + (said or 0)
    return Read(
        text,
        calls,
        ended(stop, {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter"}, called=bool(calls)),
        (usage.get("promptTokenCount"), usage.get("cachedContentTokenCount"), output, thought),
        first(reversed(parts), "modelVersion"),
        first(reversed(parts), "responseId"),
    )


def ollama(parts: list[Json]) -> Read:
    """Ollama's chat: an object a line; what it generates without a chat stands in `response`."""
    text = "".join((part.get("message") or {}).get("content") or part.get("response") or "" for part in parts)
    calls = [
        (call["function"]["name"], call["function"]["arguments"])
        for part in parts
        for call in (part.get("message") or {}).get("tool_calls") or ()
    ]
    last = parts[-1]
    stop = ended(last.get("done_reason") or "", {"stop": "stop", "length": "length"}, called=bool(calls))
    counts = (last.get("prompt_eval_count"), None, last.get("eval_count"), None)
    return Read(text, calls, stop, counts, last["model"], None)


READERS: Mapping[type, Callable[[list[Json]], Read]] = {
    Anthropic: anthropic,
    Gemini: gemini,
    OpenAiResponses: responses,
    Ollama: ollama,
    OpenAiCompat: chat,
}


# ------------------------------------------------------------------------------------------------ what we make of it


def protocol_of(endpoint: str) -> WireProtocol:
    """The protocol that an address belongs to."""
    if "/messages" in endpoint:
        return Anthropic()
    if "enerateContent" in endpoint:
        return Gemini()
    if endpoint.endswith("/responses"):
        return OpenAiResponses()
    return Ollama() if endpoint.startswith("/api/") and "completions" not in endpoint else OpenAiCompat()


def decoded(protocol: WireProtocol, chunks: list[bytes]) -> Read | str:
    """The answer, or the code of its error."""
    try:
        text, calls, end = heard(protocol, chunks)
    except ProviderError as error:
        return str(error.code)
    used = end.usage
    counts = (used.input_tokens, used.cached_input_tokens, used.output_tokens, used.reasoning_tokens)
    made = [(call.name, parsed(call.arguments)) for call in calls]
    return Read(text, made, end.stop_reason, counts, end.model, end.request_id)


def cut(body: bytes, chance: random.Random) -> list[bytes]:
    """The body in pieces, cut anywhere."""
    places = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(40)))
    return [body[a:b] for a, b in itertools.pairwise([0, *places, len(body)])]


def refusal(protocol: WireProtocol, response: Json, body: bytes) -> tuple[str, str]:
    """What was expected of a refusal, and what came of it."""
    headers = {name.lower(): value for name, value in response["headers"].items()}
    error = protocol.failure(response["status"], headers, body, now=0.0)
    said: Json = json.loads(body)
    told = said.get("error", said)
    words = {str(told.get(name, "")) for name in ("code", "type", "status")}
    expected = STATUS_CODES.get(response["status"], "provider_invalid_request")
    if words & {"tool_use_failed"}:
        expected = "provider_protocol"
    known = bool(error.message) and error.status == response["status"]
    return expected, str(error.code) if known else "without its status"


def missed(entry: Json, response: Json, cuts: int, chance: random.Random) -> tuple[str, list[str]]:
    """What a recording says, in short, and everything that was read otherwise."""
    protocol = protocol_of(entry["endpoint"])
    text: str | None = response.get("text")
    body = (json.dumps(response["json"], ensure_ascii=False) if text is None else text).encode()
    if response["status"] >= 400:
        expected, found = refusal(protocol, response, body)
        return f"{response['status']} {found}", [] if found == expected else [f"{found}, not {expected}"]
    whole: Json | None = response.get("json")
    if entry["endpoint"].endswith(OTHER_ENDPOINTS):
        code = decoded(protocol, [body])
        return f"no answer: {code}", [] if code == "provider_protocol" else [f"read as an answer: {code}"]
    parts = events_of(text) if text is not None else [whole or {}]
    expected = READERS[type(protocol)](parts)
    wrong = [f"{found!r}\n      expected {expected!r}" for found in (decoded(protocol, [body]),) if found != expected]
    differing = sum(decoded(protocol, cut(body, chance)) != expected for _ in range(cuts))
    wrong += [f"{differing} of {cuts} cuts read otherwise"] if differing else []
    if text is not None and "\r" not in text:
        crlf = text.replace("\n", "\r\n").encode()
        wrong += ["otherwise with CRLF"] if decoded(protocol, cut(crlf, chance)) != expected else []
    half = decoded(protocol, [body[: len(body) // 3]])
    wrong += [] if half == "provider_protocol" else [f"a third of it was taken for an answer: {half!r}"]
    counts = "/".join("-" if count is None else str(count) for count in expected.counts)
    return f"{len(expected.text)} chars, {len(expected.calls)} calls, {expected.stop}, {counts}", wrong


def main() -> int:
    """Replays everything and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311  places to cut, no secrets
    entries = json.loads((options.folder / "index.json").read_text(encoding="utf-8"))["entries"]
    failed = 0
    for entry in entries:
        recording = json.loads((options.folder / entry["file"]).read_text(encoding="utf-8"))
        shown, wrong = missed(entry, recording["response"], options.cuts, chance)
        failed += bool(wrong)
        kind = "stream" if "text" in recording["response"] else "whole"
        print(f"{'MISS' if wrong else 'ok':4} {entry['file'][:-5]:22} {kind:6} {shown:55} {entry['exercises']}")
        for line in wrong:
            print(f"      {line}")
    print(f"{len(entries)} recordings, each cut {options.cuts} times, seed {options.seed}: {failed} read otherwise")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
