"""What headless CLIs print: one decoder for each, from lines of JSON to the events of an answer.

Lines that are no JSON object are notices for people and count for nothing; so do objects of a kind that is not known.
The text comes whole, at the end: what a model says before it reaches for a tool that it does not have is no answer.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers import wirejson
from smista_mcp.providers.base import Event, Finished, StopReason, TextDelta, Usage
from smista_mcp.providers.failures import ErrorObject, error_object, quoted, stream_error

_STATUS = re.compile(r"\b(?:HTTP |API Error: |status(?: code)?:? |\"code\": ?)([45][0-9]{2})\b", re.IGNORECASE)
_LOGIN = re.compile(
    r"not logged in|log ?in\b|sign in|signed in|logged out|authenticat|unauthorized|api key|credentials", re.IGNORECASE
)
_LIMIT = re.compile(r"usage limit|rate limit|quota|too many requests|credit", re.IGNORECASE)
_MODEL = re.compile(r"model .{0,200}(?:not found|not exist|not supported|not available)|unknown model", re.IGNORECASE)
_STOPS: Mapping[str, StopReason] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "length": "length",
        "refusal": "content_filter",
        "content-filter": "content_filter",
    }
)


class CliDecoder(Protocol):
    """Turns what one run of a CLI prints into events."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        """Takes one line without its line break.

        Raises:
            ProviderError: the CLI says that it failed.
        """
        ...

    def end(self, status: int, said: str, usage: bytes) -> tuple[Event, ...]:
        """Called once when the CLI has ended, unless `Finished` came before.

        Args:
            status: with which it ended.
            said: the end of what it said on standard error.
            usage: the file in which it says what it used, where it writes one.

        Raises:
            ProviderError: there is no answer.
        """
        ...


def cli_error(message: str, status: int | None = None) -> ProviderError:
    """The error for what a CLI says of a failure."""
    named = _STATUS.search(message)
    status = status or (int(named[1]) if named else None)
    if status is not None and 400 <= status < 600:
        error = error_object({"error": {"message": message, "code": status}})
        return stream_error(error)
    for words, code, fix in (
        (_LOGIN, Code.PROVIDER_AUTH, "log in with the CLI itself, then try again"),
        (_LIMIT, Code.PROVIDER_RATE_LIMITED, "wait until the plan allows more"),
        (_MODEL, Code.UNKNOWN_MODEL, "name a model that the CLI offers"),
    ):
        if words.search(message):
            return ProviderError("the CLI failed", code=code, fix=fix, sent=True).saying(quoted(message))
    failed = stream_error(ErrorObject(message))
    return ProviderError("the CLI failed", code=failed.code, fix=failed.fix, sent=True).saying(quoted(message))


def _object(line: bytes) -> Mapping[str, object]:
    try:
        return wirejson.parse_object(line)
    except ValueError:
        return {}


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _only(models: object) -> str | None:
    names = [name for name, _ in wirejson.pairs(models)]
    return names[0] if len(names) == 1 else None


class _Collecting:
    """What the decoders share: the text so far, and an end without an answer."""

    def __init__(self) -> None:
        self._text = ""

    def _answer(self, reason: StopReason, usage: Usage, model: str | None = None) -> tuple[Event, ...]:
        finished = Finished(reason, usage, model)
        return (TextDelta(self._text), finished) if self._text else (finished,)

    def end(self, status: int, said: str, usage: bytes) -> tuple[Event, ...]:
        del usage
        raise _no_answer(status, said)


def _no_answer(status: int, said: str) -> ProviderError:
    if _LOGIN.search(said):
        return cli_error(said)
    words = f"the CLI ended with status {status} and without an answer"
    code = Code.PROVIDER_UNAVAILABLE if status in (126, 127) else Code.PROVIDER_PROTOCOL
    return ProviderError(words, code=code, sent=status not in (126, 127)).saying(quoted(said))


class ClaudeAnswer(_Collecting):
    """Claude Code, `--output-format stream-json`: all that counts is its last line."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        said = _object(line)
        if said.get("type") != "result":
            return ()
        self._text = wirejson.text(said.get("result")) or ""
        if said.get("is_error") is True or said.get("subtype") != "success":
            errors = [wirejson.text(one) or "" for one in wirejson.items(said.get("errors"))]
            words = self._text or "; ".join(errors) or str(said.get("subtype") or "")
            raise cli_error(words, wirejson.count(said.get("api_error_status")))
        used = said.get("usage")
        read, wrote = (
            wirejson.count(wirejson.member(used, f"cache_{way}_input_tokens")) for way in ("read", "creation")
        )
        details = wirejson.member(used, "output_tokens_details")
        usage = Usage(
            _sum(wirejson.count(wirejson.member(used, "input_tokens")), read, wrote),
            read,
            wirejson.count(wirejson.member(used, "output_tokens")),
            wirejson.count(wirejson.member(details, "thinking_tokens")),
            wrote,
        )
        reason = _STOPS.get(str(said.get("stop_reason")), "unknown")
        return self._answer(reason, usage, _only(said.get("modelUsage")))


class CodexAnswer(_Collecting):
    """Codex, `exec --json`: the last message of the agent, then the end of the turn."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        said = _object(line)
        match said.get("type"):
            case "item.completed":
                item = said.get("item")
                if wirejson.member(item, "type") == "agent_message":
                    self._text = wirejson.text(wirejson.member(item, "text")) or ""
            case "turn.failed":
                message = wirejson.text(wirejson.member(said.get("error"), "message")) or ""
                raise cli_error(message)
            case "turn.completed":
                used = said.get("usage")
                names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
                return self._answer("stop", Usage(*(wirejson.count(wirejson.member(used, name)) for name in names)))
            case _:
                pass
        return ()


class GeminiAnswer(_Collecting):
    """Gemini CLI, `-o stream-json`: pieces of messages, then a result."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        said = _object(line)
        match said.get("type"):
            case "message" if said.get("role") == "assistant":
                self._text += wirejson.text(said.get("content")) or ""
            case "tool_use":
                self._text = ""
            case "result":
                if said.get("status") != "success":
                    raise cli_error(wirejson.text(wirejson.member(said.get("error"), "message")) or "")
                used = said.get("stats")
                names = ("input_tokens", "cached", "output_tokens")
                usage = Usage(*(wirejson.count(wirejson.member(used, name)) for name in names))
                return self._answer("stop", usage, _only(wirejson.member(used, "models")))
            case _:
                pass
        return ()

    def end(self, status: int, said: str, usage: bytes) -> tuple[Event, ...]:
        """Without a result: 41 is its word for a login that is not set up."""
        if status == 41:
            words = "the CLI is not logged in", "log in with the CLI itself, then try again"
            raise ProviderError(words[0], code=Code.PROVIDER_AUTH, fix=words[1]).saying(quoted(said))
        return super().end(status, said, usage)


class OpencodeAnswer(_Collecting):
    """opencode, `run --format json`: parts of steps; the end of the program is the end of the answer."""

    def __init__(self) -> None:
        super().__init__()
        self._reason: StopReason | None = None
        self._usage = Usage()

    def feed(self, line: bytes) -> tuple[Event, ...]:
        said = _object(line)
        part = said.get("part")
        match said.get("type"):
            case "text":
                self._text += wirejson.text(wirejson.member(part, "text")) or ""
            case "tool_use":
                self._text = ""
            case "error":
                error = said.get("error")
                data = wirejson.member(error, "data")
                words = wirejson.text(wirejson.member(data, "message")) or wirejson.text(wirejson.member(error, "name"))
                raise cli_error(words or "", wirejson.count(wirejson.member(data, "statusCode")))
            case "step_finish":
                self._step(part)
            case _:
                pass
        return ()

    def _step(self, part: object) -> None:
        tokens, reason = wirejson.member(part, "tokens"), str(wirejson.member(part, "reason"))
        self._reason = None if reason == "tool-calls" else _STOPS.get(reason, "unknown")
        if self._reason is None:
            self._text = ""
        cache = wirejson.member(tokens, "cache")
        counts = {name: wirejson.count(wirejson.member(tokens, name)) for name in ("input", "output", "reasoning")}
        read, write = (wirejson.count(wirejson.member(cache, name)) for name in ("read", "write"))
        before = self._usage
        self._usage = Usage(
            _sum(before.input_tokens, counts["input"], read, write),
            _sum(before.cached_input_tokens, read),
            _sum(before.output_tokens, counts["output"], counts["reasoning"]),
            _sum(before.reasoning_tokens, counts["reasoning"]),
            _sum(before.cache_write_tokens, write),
        )

    def end(self, status: int, said: str, usage: bytes) -> tuple[Event, ...]:
        """Where its last step is done and it ended well, the answer."""
        if status != 0 or self._reason is None:
            return super().end(status, said, usage)
        return self._answer(self._reason, self._usage)


class CopilotAnswer(_Collecting):
    """Copilot CLI, `--output-format json`: messages, then a result; what it used stands in a file."""

    def __init__(self) -> None:
        super().__init__()
        self._model: str | None = None
        self._done = False

    def feed(self, line: bytes) -> tuple[Event, ...]:
        said = _object(line)
        data = said.get("data")
        match said.get("type"):
            case "assistant.message":
                asks = bool(wirejson.items(wirejson.member(data, "toolRequests")))
                self._text = "" if asks else wirejson.text(wirejson.member(data, "content")) or ""
                self._model = wirejson.text(wirejson.member(data, "model"))
            case "session.error":
                words = wirejson.text(wirejson.member(data, "message")) or ""
                raise cli_error(words, wirejson.count(wirejson.member(data, "statusCode")))
            case "result":
                self._done = said.get("exitCode") == 0
            case _:
                pass
        return ()

    def end(self, status: int, said: str, usage: bytes) -> tuple[Event, ...]:
        """Where it ended well, the answer with what the file says."""
        if status != 0 or not self._done:
            return super().end(status, said, usage)
        models = wirejson.pairs(_object(usage).get("modelMetrics"))
        counts = [wirejson.member(metrics, "usage") for _, metrics in models]
        names = ("inputTokens", "cacheReadTokens", "outputTokens", "reasoningTokens", "cacheWriteTokens")
        used = Usage(*(_sum(*(wirejson.count(wirejson.member(one, name)) for one in counts)) for name in names))
        return self._answer("stop", used, self._model)


DECODERS: Final[Mapping[str, type[CliDecoder]]] = MappingProxyType(
    {
        "claude": ClaudeAnswer,
        "codex": CodexAnswer,
        "gemini": GeminiAnswer,
        "opencode": OpencodeAnswer,
        "copilot": CopilotAnswer,
    }
)
