"""What the spans of a dispatch say, by the GenAI semantic conventions of OpenTelemetry, and `smista.*` beside them.

    invoke_workflow dispatch        a job, from its first phase to its last
    └── phase review                a phase with its decision; retries, fallbacks and escalations are its events
        ├── chat qwen3              one request, as the ledger has it
        └── execute_tool read_file  what its model asked to see

Spans leave this machine for wherever their collector stands. So they hold figures, codes, words of our own and of the
policy (names of rules, models and providers, addresses of servers) and no other text: none of a task, a file, an
answer, an error. Of what a server says of itself only what looks like a name is repeated, and nothing where the request
was labelled or holds that word itself. The conventions' attributes for messages are not offered.

https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai, as of November 2026.
"""

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal

import anyio

from smista_mcp.context.looking import ToolResult
from smista_mcp.core.addresses import parse_address
from smista_mcp.core.costing import usd
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.core.readtools import TOOL_TEXTS
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.core.values import JobStatus
from smista_mcp.dispatch.answered import Answered, Failed
from smista_mcp.dispatch.payloads import Payload
from smista_mcp.dispatch.reactions import cause_of
from smista_mcp.errors import Code
from smista_mcp.providers.base import Finished, Usage
from smista_mcp.tracing import door
from smista_mcp.tracing.noting import Facts, Noting

MODEL_NAME = re.compile(r"[\w.:/@+-]{1,200}", re.ASCII)
"""What a server may say that it used; anything else is not repeated."""
_RULE = 100
"""Characters of a rule's name."""
_OTHER = "_OTHER"
"""What the conventions have for a name that is none of ours."""
_PROVIDERS = {"gemini": "gcp.gemini"}
"""What the conventions call a provider where that is not our own word."""
_VENDORS = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
}
"""The conventions' word for who answers at a host, or at one below it."""
TOKENS = {
    "input_tokens": "input_tokens",
    "cached_input_tokens": "cache_read.input_tokens",
    "cache_write_tokens": "cache_creation.input_tokens",
    "output_tokens": "output_tokens",
    "reasoning_tokens": "reasoning.output_tokens",
}
"""The conventions' words for the kinds of tokens; as ours, those that are read count as input, thoughts as output."""
_NANO = Decimal(1_000_000_000)


@contextmanager
def dispatch_span() -> Generator[Noting]:
    """A job under way."""
    facts: Facts = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "dispatch"}
    with door.span("invoke_workflow dispatch", "internal", lambda: facts) as span:
        yield span


def note_answer(span: Noting, answer: DispatchAnswer | None) -> None:
    """Notes how a job ended; None: it was cancelled."""
    if answer is None:
        span.failed(Code.CANCELLED)
        return
    span.note(lambda: answer_facts(answer))
    _judge(span, answer.status, answer.code)


@contextmanager
def phase_span(routed: Routed) -> Generator[Noting]:
    """A phase under way."""
    with door.span(f"phase {routed.phase.intent.name}", "internal", lambda: decision_facts(routed)) as span:
        yield span


def note_phase(span: Noting, phase: DispatchedPhase) -> DispatchedPhase:
    """Notes what became of a phase, and gives it back."""
    span.note(lambda: phase_facts(phase))
    _judge(span, phase.status, phase.code)
    return phase


def _judge(span: Noting, status: JobStatus, code: Code | None) -> None:
    """A refusal, a question to a person, a handoff is an answer like any other; only a failure is none."""
    if status == "failed":
        span.failed(code or _OTHER)


def note_turn(candidate: Candidate, failures: Sequence[Failed]) -> None:
    """Notes that a candidate is asked because others failed."""
    if failures:
        door.current().happened("smista.fallback", lambda: {**failure_facts(failures[-1]), **_to(candidate)})


def note_retry(failure: Failed, wait_s: float) -> None:
    """Notes that the same model is asked again."""
    door.current().happened("smista.retry", lambda: {**failure_facts(failure), "smista.wait_s": wait_s})


def note_failure(failure: Failed) -> None:
    """Notes that a candidate failed, also where nothing was sent to it."""
    door.current().happened("smista.failure", lambda: failure_facts(failure))


def note_escalation(candidates: Sequence[Candidate]) -> None:
    """Notes that a stronger model is asked because another provably failed."""
    door.current().happened("smista.escalation", lambda: _to(candidates[0]) if candidates else {})


class Chat:
    """One request under way, as a span."""

    def __init__(self, span: Noting, payload: Payload) -> None:
        self._span = span
        self._payload = payload

    def hearing(self, heard: Callable[[int], None]) -> Callable[[int], None]:
        """`heard`, and the time of the first piece noted."""
        if not self._span.listens:
            return heard
        began, first = anyio.current_time(), True

        def hear(pieces: int) -> None:
            nonlocal first
            if first:
                first = False
                waited = anyio.current_time() - began
                self._span.note(lambda: {"gen_ai.response.time_to_first_chunk": waited})
            heard(pieces)

        return hear

    def ended(self, outcome: Answered | Failed) -> Answered | Failed:
        """Notes why it failed, if it did, beside what is settled; gives the outcome back."""
        if isinstance(outcome, Failed):
            self._span.note(lambda: failure_facts(outcome))
            self._span.failed(outcome.error.code)
        return outcome


@contextmanager
def chat_span(candidate: Candidate, payload: Payload, base_url: str) -> Generator[Chat]:
    """A request under way; no other instrumentation sees it."""
    name = f"chat {word(payload.request.model) or _OTHER}"
    with door.span(name, "client", lambda: request_facts(candidate, payload, base_url)) as span, door.unseen():
        yield Chat(span, payload)


def note_settled(
    payload: Payload, finished: Finished | None, status: str, cost: Decimal | None, attempt_id: str | None
) -> None:
    """Notes with the request under way what the ledger takes down of it."""
    door.current().note(lambda: settled_facts(payload, finished, status, cost, attempt_id))


@contextmanager
def tool_span(name: str) -> Generator[Callable[[ToolResult], ToolResult]]:
    """A call of a read tool under way; give what is called its result."""
    known = name if name in TOOL_TEXTS else _OTHER
    with door.span(f"execute_tool {known}", "internal", lambda: tool_facts(known)) as span:

        def note(result: ToolResult) -> ToolResult:
            span.note(lambda: shown_facts(result))
            return result

        yield note


# ------------------------------------------------------------------------------------------------- attributes, pure


def decision_facts(routed: Routed) -> Facts:
    """Of a decision."""
    decision, rule = routed.decision, routed.decision.matched_rule
    return {
        "smista.decision_id": decision.decision_id,
        "smista.policy_revision": decision.revision,
        "smista.phase": decision.phase,
        "smista.intent": routed.phase.intent.name,
        "smista.decision": decision.status,
        "smista.rule": shown(redacted(rule.name), _RULE) if rule else None,
        "smista.rule_layer": rule.layer if rule else None,
        "smista.effort": decision.effort,
        "smista.rejected": sorted(one.code for one in decision.rejected) or None,
        "smista.override_used": decision.override_used,
    }


def phase_facts(phase: DispatchedPhase) -> Facts:
    """Of what became of a phase."""
    return {
        "smista.status": phase.status,
        "smista.code": phase.code,
        "smista.model": word(phase.model),
        "smista.trace_id": phase.trace_id,
        "smista.label": phase.label,
        "smista.escalated": phase.escalated,
        "smista.withheld_from_host": phase.withheld is not None,
        **_money("smista.total_cost", None if phase.cost is None else Decimal(phase.cost)),
    }


def answer_facts(answer: DispatchAnswer) -> Facts:
    """Of a whole answer."""
    costs = [phase.cost for phase in answer.phases]
    known = [Decimal(cost) for cost in costs if cost is not None]
    return {
        "smista.status": answer.status,
        "smista.code": answer.code,
        "smista.phases": len(answer.phases),
        **_money("smista.total_cost", sum(known, Decimal(0)) if known and len(known) == len(costs) else None),
    }


def request_facts(candidate: Candidate, payload: Payload, base_url: str) -> Facts:
    """Of a request, before it leaves."""
    request = payload.request
    host, port = _server(base_url)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider_name(candidate.provider, host),
        "gen_ai.request.model": word(request.model),
        "gen_ai.request.max_tokens": request.max_output_tokens,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.stream": host is not None or None,
        "server.address": host,
        "server.port": port,
        "smista.provider": word(candidate.provider),
        "smista.model": word(candidate.written),
        "smista.resolved_model": word(candidate.resolved),
        "smista.locality": candidate.locality,
        "smista.effort": payload.told,
        "smista.items_sent": len(payload.sent),
        "smista.items_withheld": len(payload.withheld),
        "smista.label": payload.label,
        "smista.cost_kind": candidate.facts.price_kind,
    }


def settled_facts(
    payload: Payload, finished: Finished | None, status: str, cost: Decimal | None, attempt_id: str | None
) -> Facts:
    """Of a request that has ended, as the ledger has it."""
    usage = finished.usage if finished else Usage()
    return {
        "gen_ai.response.model": _said(payload, finished.model if finished else None),
        "gen_ai.response.id": _said(payload, finished.request_id if finished else None),
        "gen_ai.response.finish_reasons": [finished.stop_reason] if finished else None,
        **{f"gen_ai.usage.{TOKENS[kind]}": count for kind, count in asdict(usage).items()},
        "smista.attempt_status": status,
        "smista.attempt_id": attempt_id,
        **_money("smista.cost", cost),
    }


def failure_facts(failure: Failed) -> Facts:
    """Of a failure: its code and its cause, and none of its words."""
    error = failure.error
    return {
        "smista.model": word(failure.candidate.written),
        "smista.code": error.code,
        "smista.cause": cause_of(error),
        "smista.sent": error.sent,
        "smista.possible_duplicate_charge": failure.uncertain,
        "http.response.status_code": error.status,
    }


def tool_facts(name: str) -> Facts:
    """Of a call of one of our read tools."""
    return {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.type": "function"}


def shown_facts(result: ToolResult) -> Facts:
    """Of what a tool showed: how much, and how much not."""
    return {
        "smista.tool.characters": len(result.text),
        "smista.tool.withheld": len(result.withheld),
        "smista.label": result.label or None,
    }


def provider_name(provider: str, host: str | None) -> str:
    """The conventions' word for a provider: who answers at its host, else our own, without the user's name for it."""
    if host is not None:
        for end, name in _VENDORS.items():
            if host == end or host.endswith((f".{end}", f"-{end}")):
                return name
    kind = provider if provider.startswith("cli:") else provider.partition(":")[0]
    return _PROVIDERS.get(kind) or word(kind) or _OTHER


def word(text: str | None) -> str | None:
    """A name that a caller or a file has chosen, where it looks like a name of a model or a provider."""
    return text if text is not None and MODEL_NAME.fullmatch(text) else None


def _said(payload: Payload, name: str | None) -> str | None:
    """A word of the server's own, which may repeat what it was sent: none that stands in the request."""
    found = None if payload.label else word(name)
    if found is None or found == payload.request.model:
        return found
    alone = re.compile(rf"(?<!\w){re.escape(found)}(?!\w)")
    texts = (part.text for message in payload.request.messages for parts in message.texts for part in parts)
    return None if any(map(alone.search, texts)) else found


def _to(candidate: Candidate) -> Facts:
    return {"smista.next_model": word(candidate.written)}


def _money(name: str, cost: Decimal | None) -> Facts:
    """USD exactly, as everywhere else, and as a whole number that can be added up; nothing where it is unknown."""
    if cost is None:
        return {}
    return {f"{name}_usd": usd(cost), f"{name}_nano_usd": int((cost * _NANO).to_integral_value())}


def _server(base_url: str) -> tuple[str | None, int | None]:
    try:
        address = parse_address(base_url)
    except ValueError:  # a program: it has no address
        return None, None
    return address.host, address.port
