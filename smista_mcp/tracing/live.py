"""Spans where somebody listens: the part behind the door that loads the library."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NoOpTracerProvider,
    ProxyTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    TracerProvider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from smista_mcp import __version__
from smista_mcp.tracing.noting import Carrier, Facts, Kind, Noting, error_type

_QUIET = "suppress_instrumentation"
"""The key by which instrumentations of HTTP clients are told to make no span and to write no header."""
_LONGEST = 512
"""Characters of a field of W3C Trace Context; a longer one counts as not given."""
_KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
    "server": SpanKind.SERVER,
}


class _Noted(Noting):
    """A span that somebody may listen to."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._failed = False

    @property
    def listens(self) -> bool:
        return self._span.is_recording()

    @property
    def place(self) -> object | None:
        return self._span.get_span_context()

    def note(self, facts: Callable[[], Facts]) -> None:
        if self._span.is_recording():
            self._span.set_attributes(_present(facts()))

    def happened(self, name: str, facts: Callable[[], Facts]) -> None:
        if self._span.is_recording():
            self._span.add_event(name, _present(facts()))

    def failed(self, error_type: str) -> None:
        if not self._failed:
            self._failed = True
            self._span.set_attribute("error.type", error_type)
            self._span.set_status(StatusCode.ERROR)

    def follows(self, place: object | None) -> None:
        if isinstance(place, SpanContext):
            self._span.add_link(place)


class Live:
    """The door where somebody listens; its methods are those of `door`."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def span(
        self, name: str, kind: Kind, facts: Callable[[], Facts], caller: Carrier | None = None
    ) -> Generator[Noting]:
        parent = None if caller is None else _trace_of(caller)
        around = trace.get_current_span().get_span_context()
        links = [Link(around)] if parent is not None and around.is_valid else None
        made = self._tracer.start_span(
            name,
            context=parent,
            kind=_KINDS[kind],
            attributes=_present(facts()),
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        )
        noted = _Noted(made)
        with trace.use_span(made, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield noted
            except BaseException as error:
                noted.failed(error_type(error))
                raise

    def current(self) -> Noting:
        return _Noted(trace.get_current_span())

    @contextmanager
    def joined(self, caller: Carrier) -> Generator[None]:
        found = None if trace.get_current_span().get_span_context().is_valid else _trace_of(caller)
        if found is None:
            yield
            return
        token = context.attach(found)
        try:
            yield
        finally:
            context.detach(token)


@contextmanager
def unseen() -> Generator[None]:
    """As `door.unseen`."""
    token = context.attach(context.set_value(_QUIET, True))  # noqa: FBT003  its only form
    try:
        yield
    finally:
        context.detach(token)


def live() -> Live | None:
    """The door, unless nobody has set up where spans go."""
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, ProxyTracerProvider | NoOpTracerProvider) else _door_to(provider)


@lru_cache(maxsize=2)
def _door_to(provider: TracerProvider) -> Live:
    return Live(provider.get_tracer("smista_mcp", __version__))


def _trace_of(caller: Carrier) -> Context | None:
    """The caller's trace; None where it names none, or none that can be."""
    fields = {name: caller.get(name) for name in ("traceparent", "tracestate")}
    given = {name: value for name, value in fields.items() if isinstance(value, str) and len(value) <= _LONGEST}
    found = TraceContextTextMapPropagator().extract(given)
    return found if trace.get_current_span(found).get_span_context().is_valid else None


def _present(facts: Facts) -> dict[str, str | int | float | bool | Sequence[str]]:
    """What is there; our enumerations as the plain words that they are."""
    return {name: str(fact) if isinstance(fact, str) else fact for name, fact in facts.items() if fact is not None}
