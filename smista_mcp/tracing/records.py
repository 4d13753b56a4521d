"""Records that are over, as spans: for a collector that was not there, or that keeps decision logs.

Each decision is a span, with a span for each attempt below it. Ids follow from those of the record, so that what is
sent twice is the same spans: a call is a trace. The whole record stands in the attribute `smista.record`, as a line of
JSON. What is not in a record, because a mask took it away, is in no span either.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

from smista_mcp import __version__

_BATCH = 256
"""Spans of one request."""
_DECISION = {
    "smista.decision_id": "decision_id",
    "smista.policy_revision": "revision",
    "smista.phase": "phase",
    "smista.decision": "status",
    "smista.code": "code",
    "smista.model": "model",
    "smista.resolved_model": "resolved_model",
    "smista.locality": "locality",
    "smista.effort": "effort",
}
_ATTEMPT = {
    "smista.trace_id": "trace_id",
    "smista.model": "model",
    "smista.resolved_model": "resolved_model",
    "smista.locality": "locality",
    "smista.attempt_status": "status",
    "smista.code": "code",
    "smista.cause": "cause",
    "smista.cost": "cost",
    "smista.cost_kind": "cost_kind",
}


class NotTaken(Exception):
    """The collector did not take what was sent."""


class _Given(IdGenerator):
    """Ids that are laid down before a span begins."""

    def __init__(self) -> None:
        self.trace_id = 1
        self.span_id = 1

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Batches(SpanProcessor):
    """Gives spans to an exporter, many at once, and says where it fails."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._waiting: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._waiting.append(span)

    def flush(self, least: int) -> None:
        """Sends what waits, where it is so much.

        Raises:
            NotTaken: the collector is not there, or refuses it.
        """
        if len(self._waiting) < least:
            return
        if self._exporter.export(self._waiting) is not SpanExportResult.SUCCESS:
            raise NotTaken
        self._waiting = []


def send(records: Iterable[Mapping[str, Any]], exporter: SpanExporter, resource: Resource) -> int:
    """Sends records as spans; gives how many records.

    Args:
        records: as `ledger export` prints them.
        exporter: where to.
        resource: who sends them.

    Raises:
        NotTaken: the collector did not take some of them; those before it has.
    """
    ids, batches = _Given(), _Batches(exporter)
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(batches)
    tracer, count = provider.get_tracer("smista_mcp", __version__), 0
    for record in records:
        _sent(record, tracer, ids)
        count += 1
        batches.flush(_BATCH)
    batches.flush(1)
    return count


def _sent(record: Mapping[str, Any], tracer: Tracer, ids: _Given) -> None:
    line = json.dumps(record, ensure_ascii=True, separators=(",", ":"))
    own = f"{record.get('call_id')} {record.get('sequence')}"
    ids.trace_id, ids.span_id = _id(str(record.get("call_id", line)), 16), _id(own, 8)
    decision = cast("Mapping[str, Any]", record.get("decision") or {})
    rule = cast("Mapping[str, Any]", decision.get("matched_rule") or {}).get("name")
    intent = cast("Mapping[str, Any]", decision.get("intent") or {}).get("name")
    facts = {"smista.record": line, "smista.rule": rule, "smista.intent": intent, **_taken(decision, _DECISION)}
    began = _moment(record.get("recorded_at"))
    attempts = cast("Sequence[Mapping[str, Any]]", record.get("attempts") or ())
    ends = [end for one in attempts if (end := _moment(one.get("ended_at"))) is not None]
    span = tracer.start_span(
        "smista.decision", context=Context(), kind=SpanKind.INTERNAL, attributes=_present(facts), start_time=began
    )
    if decision.get("status") == "refused":
        span.set_status(StatusCode.ERROR)
    for number, attempt in enumerate(attempts):
        ids.span_id = _id(f"{own} {number}", 8)
        _attempt(attempt, tracer, span)
    span.end(max(ends, default=began))


def _attempt(attempt: Mapping[str, Any], tracer: Tracer, parent: Span) -> None:
    usage = cast("Mapping[str, Any]", attempt.get("usage") or {})
    facts = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": usage.get("input_tokens"),
        "gen_ai.usage.output_tokens": usage.get("output_tokens"),
        **_taken(attempt, _ATTEMPT),
    }
    began = _moment(attempt.get("started_at"))
    span = tracer.start_span(
        "smista.attempt",
        context=set_span_in_context(parent, Context()),
        kind=SpanKind.CLIENT,
        attributes=_present(facts),
        start_time=began,
    )
    if attempt.get("status") in ("failed", "uncertain"):
        span.set_status(StatusCode.ERROR)
    span.end(_moment(attempt.get("ended_at")) or began)


def _taken(record: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {told: record.get(name) for told, name in names.items()}


def _present(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if fact is not None}


def _id(text: str, size: int) -> int:
    """An id of so many bytes: the text itself where it is one, else its hash. 0 is none."""
    if len(text) == 2 * size and all(char in "0123456789abcdef" for char in text):
        return int(text, 16) or 1
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size]) or 1


def _moment(at: str | None) -> int | None:
    """Nanoseconds since 1970; None where nobody knows."""
    if at is None:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:  # a mask has hashed it
        return None
    return round(moment.timestamp() * 1_000_000) * 1000
