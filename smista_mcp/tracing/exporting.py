"""Where spans go: to the collector that the user's own environment names, by the variables that every SDK reads.

Nothing is set up unless such a variable is set and the extra `otel` is installed, nor where somebody has done it
already (`opentelemetry-instrument`). Only spans are sent, never to standard output.
"""

import atexit
from collections.abc import Iterable, Mapping
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from smista_mcp import __version__
from smista_mcp.errors import InvalidTask, StateUnavailable

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
}
_EXTRA = "pip install 'smista-mcp[otel]'"
LAST_S = 3.0
"""Seconds that the last spans get at the end of a process; a server that is ended by its host has fewer."""


def wanted(variables: Mapping[str, str]) -> bool:
    """Whether the environment asks for spans by OTLP."""
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter not in ("", "otlp") or variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return exporter == "otlp" or any(variables.get(name, "").strip() for name in _ENDPOINTS)


def set_up(variables: Mapping[str, str]) -> str | None:
    """Sends the spans of this process where its environment says.

    Args:
        variables: of this process: the library reads its own from there.

    Returns:
        Why nothing is sent although that is asked for; None where all is well, or nothing is asked for.
    """
    if not wanted(variables):
        return None
    protocol = next((variables[name].strip() for name in _PROTOCOLS if name in variables), "http/protobuf")
    module = _EXPORTERS.get(protocol)
    if module is None:
        return f"no spans are sent: OTEL_EXPORTER_OTLP_PROTOCOL can be {' or '.join(_EXPORTERS)} here"
    try:
        from opentelemetry import trace  # noqa: PLC0415  most processes send no spans

        if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            return None
        provider = _provider(module)
    except ImportError:
        return f"no spans are sent: {_missing(protocol)}"
    trace.set_tracer_provider(provider)
    atexit.register(_send_the_last, provider)
    return None


def sent_records(records: Iterable[Mapping[str, Any]], variables: Mapping[str, str]) -> int:
    """Sends records of the ledger as spans to where the environment says; gives how many.

    Raises:
        InvalidTask: it names no collector, or one by a protocol that cannot be spoken here.
        StateUnavailable: the extra is not installed, or the collector did not take them all.
    """
    if not wanted(variables):
        raise InvalidTask("no collector is named", fix=f"set {_ENDPOINTS[1]}, for example to http://127.0.0.1:4318")
    protocol = next((variables[name].strip() for name in _PROTOCOLS if name in variables), "http/protobuf")
    module = _EXPORTERS.get(protocol)
    if module is None:
        raise InvalidTask(f"{_PROTOCOLS[1]} can be {' or '.join(_EXPORTERS)} here", fix="set one of these")
    try:
        from smista_mcp.tracing.records import NotTaken, send  # noqa: PLC0415  loads the library

        exporter = import_module(module).OTLPSpanExporter()
        resource = _resource()
    except ImportError:
        fix = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-grpc" if protocol == "grpc" else _EXTRA
        raise StateUnavailable("OpenTelemetry is not installed, so no spans can be sent", fix=fix) from None
    try:
        return send(records, exporter, resource)
    except NotTaken:
        fix = "look whether it runs, then export again: what was taken stays the same there"
        raise StateUnavailable("the collector did not take all records", fix=fix) from None
    finally:
        exporter.shutdown()


def _provider(module: str) -> "TracerProvider":
    """Gives spans to the exporter of a module in batches, from a thread of its own."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporter = import_module(module).OTLPSpanExporter()
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _resource() -> "Resource":
    """Who sends them, as the environment says; without what stood on the command line, which may be the task."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  as above

    found = {
        name: value
        for name, value in Resource.create().attributes.items()
        if not name.startswith(("process.", "host."))
    }
    if str(found.get("service.name", "")).startswith("unknown_service"):
        found["service.name"] = "smista-mcp"
    return Resource({"service.version": __version__, **found})


def _missing(protocol: str) -> str:
    if protocol == "grpc":
        return (
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc; install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-grpc,"
            " or set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf and install smista-mcp[otel]"
        )
    return "OTEL_EXPORTER_OTLP_ENDPOINT is set; install smista-mcp[otel], or set OTEL_TRACES_EXPORTER=none"


def _send_the_last(provider: "TracerProvider") -> None:
    """Lets no collector that is away keep the process."""
    last = Thread(target=provider.shutdown, daemon=True)
    last.start()
    last.join(LAST_S)
