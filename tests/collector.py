"""Where spans arrive in a test: in this process, or over a socket as from any other program."""

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Seen:
    """One span as it arrived. Ids are in hex; `parent` is empty without one."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    facts: Mapping[str, Any]
    events: tuple[tuple[str, Mapping[str, Any]], ...]
    links: tuple[tuple[str, str], ...]
    failed: bool
    described: str

    @property
    def happened(self) -> list[str]:
        return [name for name, _ in self.events]


@dataclass
class Collected:
    """What has arrived."""

    spans: list[Seen] = field(default_factory=list[Seen])

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]

    def only(self, name: str) -> Seen:
        (span,) = self.named(name)
        return span

    def below(self, parent: Seen) -> list[Seen]:
        """Its children in the order in which they began, which is that of their ends here."""
        return [span for span in self.spans if span.parent == parent.id]


class _InProcess(SpanExporter):
    def __init__(self, collected: Collected) -> None:
        self._collected = collected

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._collected.spans += map(_read, spans)
        return SpanExportResult.SUCCESS


def provider_for(collected: Collected) -> TracerProvider:
    """A provider that gives each span as it ends."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(_InProcess(collected)))
    return provider


def _read(span: ReadableSpan) -> Seen:
    context = span.get_span_context()
    assert context is not None
    return Seen(
        name=span.name,
        kind=span.kind.name.lower(),
        trace=f"{context.trace_id:032x}",
        id=f"{context.span_id:016x}",
        parent=f"{span.parent.span_id:016x}" if span.parent else "",
        facts=dict(span.attributes or {}),
        events=tuple((event.name, dict(event.attributes or {})) for event in span.events),
        links=tuple((f"{one.context.trace_id:032x}", f"{one.context.span_id:016x}") for one in span.links),
        failed=not span.status.is_ok and not span.status.is_unset,
        described=span.status.description or "",
    )


class Receiver(ThreadingHTTPServer):
    """Takes spans as OTLP over HTTP, in protobuf."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Export)
        self.collected = Collected()
        self.bodies: list[bytes] = []
        self.resources: list[Mapping[str, Any]] = []
        self._arrived = threading.Condition()

    @classmethod
    @contextmanager
    def serving(cls) -> Generator["Receiver"]:
        with cls() as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield server
            server.shutdown()
            thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def everything(self) -> bytes:
        return b"\n".join(self.bodies)

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._arrived:
            self.bodies.append(body)
            for resource in request.resource_spans:
                self.resources.append(_facts(resource.resource.attributes))
                for scope in resource.scope_spans:
                    self.collected.spans += map(_decoded, scope.spans)
            self._arrived.notify_all()

    def wait_for(self, name: str, count: int = 1) -> list[Seen]:
        """The spans of that name, once so many have come."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.collected.named(name)) >= count, PATIENCE_S)
        assert came, [span.name for span in self.collected.spans]
        return self.collected.named(name)


class _Export(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cast("Receiver", self.server).take(body)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Says nothing."""


def _decoded(span: Any) -> Seen:
    return Seen(
        name=span.name,
        kind={1: "internal", 2: "server", 3: "client"}[span.kind],
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        facts=_facts(span.attributes),
        events=tuple((event.name, _facts(event.attributes)) for event in span.events),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        failed=span.status.code == 2,
        described=span.status.message,
    )


def _facts(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in cast("Sequence[KeyValue]", pairs)}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(inner) for inner in value.array_value.values]
    return getattr(value, kind) if kind else None
