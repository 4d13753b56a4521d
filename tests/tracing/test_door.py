"""The door to spans: what it lets through, and that it costs nothing while it is shut."""

import subprocess
import sys

import pytest
from collector import Collected, provider_for
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace

from smista_mcp.errors import Code, InvalidTask
from smista_mcp.tracing import door
from smista_mcp.tracing.exporting import set_up, wanted
from smista_mcp.tracing.noting import NOTHING

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WORD = "canary-3f0a11"
SHUT = """\
import sys
from smista_mcp.tracing import door
with door.span("a", "internal", lambda: 1 / 0) as span, door.joined({"traceparent": "x"}), door.unseen():
    span.note(lambda: 1 / 0)
    span.happened("b", lambda: 1 / 0)
    span.failed("c")
    span.follows(None)
    assert not span.listens and span.place is None
door.current().note(lambda: 1 / 0)
assert not any(name.startswith("opentelemetry") for name in sys.modules)
"""


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Collected:
    """Spans of this process while the test lasts."""
    collected = Collected()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider_for(collected))
    return collected


def test_shut_it_works_nothing_out_and_loads_nothing() -> None:
    assert subprocess.run([sys.executable, "-c", SHUT], check=False).returncode == 0


def test_it_is_shut_where_only_the_interface_is_there() -> None:
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert door.current() is NOTHING
    with door.span("a", "internal", dict) as span:
        assert span is NOTHING


def test_an_exception_marks_a_span_by_its_code_and_leaves_no_word(collected: Collected) -> None:
    for error in (InvalidTask(WORD), ValueError(WORD), KeyboardInterrupt(WORD)):
        with pytest.raises(type(error)), door.span("a", "internal", dict):
            raise error
    assert [span.facts["error.type"] for span in collected.spans] == [
        Code.INVALID_TASK,
        "ValueError",
        "KeyboardInterrupt",
    ]
    assert [(span.failed, span.described, span.events) for span in collected.spans] == [(True, "", ())] * 3


def test_the_first_failure_stands(collected: Collected) -> None:
    with door.span("a", "internal", dict) as span:
        span.failed("-32602")
        span.failed("ValueError")
    assert collected.only("a").facts == {"error.type": "-32602"}


def test_what_is_not_known_is_left_out_and_codes_are_plain_words(collected: Collected) -> None:
    with door.span("a", "client", lambda: {"b": None, "c": Code.CANCELLED, "d": 0, "e": ["f"]}):
        pass
    told = collected.only("a").facts
    assert told == {"c": "cancelled", "d": 0, "e": ("f",)}
    assert type(told["c"]) is str


@given(
    st.dictionaries(
        st.sampled_from(["traceparent", "tracestate", "baggage"]),
        st.text(max_size=80)
        | st.integers()
        | st.none()
        | st.from_regex(r"\A[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z"),
    )
)
def test_whatever_a_caller_says_of_its_trace_is_taken_or_left(caller: dict[str, object]) -> None:
    collected = Collected()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", provider_for(collected))
        with door.span("a", "server", dict, caller), door.joined(caller):
            pass
    seen = collected.spans[0] if collected.spans else None  # a caller may say that nobody samples
    if seen is not None and seen.parent:
        assert str(caller["traceparent"])[3:52] == f"{seen.trace}-{seen.parent}"


def test_a_caller_that_does_not_sample_is_followed(collected: Collected) -> None:
    with door.span("a", "server", dict, {"traceparent": f"00-{TRACE}-{PARENT}-00"}) as span:
        assert not span.listens
        span.note(lambda: {"b": 1})
    assert collected.spans == []


def test_a_trace_under_way_is_not_left_for_a_header(collected: Collected) -> None:
    caller = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    with door.span("a", "server", dict), door.joined(caller), door.span("b", "internal", dict):
        pass
    assert collected.only("b").parent == collected.only("a").id


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "True", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, False),
    ],
)
def test_spans_are_sent_where_the_environment_asks_for_them(variables: dict[str, str], asked: bool) -> None:
    assert wanted(variables) is asked


def test_who_has_set_up_where_spans_go_is_left_alone(collected: Collected) -> None:
    before = trace.get_tracer_provider()
    assert set_up({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) is None
    assert trace.get_tracer_provider() is before
    assert collected.spans == []
