"""The command line in the trace of the program that runs it, as agents name theirs to what they start."""

import pytest
from collector import Receiver
from command_line import CommandLine

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "canary-20e7aa"


@pytest.mark.usefixtures("local_policy")
def test_a_dispatch_joins_the_trace_of_its_environment(shell: CommandLine) -> None:
    with Receiver.serving() as receiver:
        variables = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/v1/traces",
            "OTEL_SERVICE_NAME": "mine",
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "otel,process",
            "TRACEPARENT": f"00-{TRACE}-{PARENT}-01",
        }
        told = shell.run("dispatch", f"review {CANARY}", "--intent", "review", "--json", variables=variables)
    assert (told.status, told.json["status"]) == (0, "completed"), told.err
    spans = receiver.collected
    job = spans.only("invoke_workflow dispatch")
    assert (job.trace, job.parent) == (TRACE, PARENT)
    assert [span.name for span in spans.below(job)] == ["phase review"]
    assert receiver.resources[0]["service.name"] == "mine"
    assert [name for name in receiver.resources[0] if name.startswith("process.")] == []
    assert CANARY.encode() not in receiver.everything
