"""What a dispatch shows of itself as spans: who stands below whom, and what each says."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from certificates import Authority
from collector import Collected, Seen, provider_for
from model_server import Reply, serving
from opentelemetry import context, propagate, trace
from workbench import ALLOWED, Bench, compat, default, done, ollama, only

from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent
from smista_mcp.errors import SmistaError
from smista_mcp.tracing import door

pytestmark = pytest.mark.anyio

CANARY = "canary-91c3d0"
NAME = "models.test"
A, B = "openai-compat:a/m", "openai-compat:b/m"
ASK = Task(text=f"explain what {CANARY} means", intent=Intent.CHAT)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collected]:
    """Spans of this process while the test lasts."""
    collected = Collected()
    provider = provider_for(collected)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield collected
    provider.shutdown()
    text = repr(collected.spans)
    assert CANARY not in text
    assert [span.described for span in collected.spans if span.described] == []
    assert [name for span in collected.spans for name in span.happened if not name.startswith("smista.")] == []


def tree(spans: Collected, root: Seen) -> list[tuple[str, list[str]]]:
    return [(child.name, [below.name for below in spans.below(child)]) for child in spans.below(root)]


async def test_a_dispatch_its_phase_and_its_request_stand_below_each_other(bench: Bench, spans: Collected) -> None:
    used = {
        "prompt_tokens": 1000,
        "completion_tokens": 200,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 50},
    }
    async with serving(Reply(("all", " well"), used=used)) as server:
        rule = f'[[routing.rules]]\nname = "questions go there"\nintent = "chat"\nmodel = "{A}"\n'
        app = bench.app(rule + default(A) + compat("a", server.v1, price="2") + ALLOWED)
        answer = await done(app, ASK)
    phase = only(answer)
    job = spans.only("invoke_workflow dispatch")
    assert (job.kind, job.parent, job.failed) == ("internal", "", False)
    assert tree(spans, job) == [("phase chat", ["chat m"])]
    assert job.facts == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "dispatch",
        "smista.status": "completed",
        "smista.phases": 1,
        "smista.total_cost_usd": phase.cost,
        "smista.total_cost_nano_usd": 2_400_000,
    }
    told = spans.only("phase chat").facts
    decision = bench.trace(phase.trace_id).decision_id
    assert told["smista.decision_id"] == decision
    assert told["smista.trace_id"] == phase.trace_id
    assert (told["smista.rule"], told["smista.rule_layer"]) == ("questions go there", "user")
    assert (told["smista.status"], told["smista.model"]) == ("completed", A)
    asked = spans.only("chat m")
    attempt = bench.trace(phase.trace_id).attempts[0]
    assert (asked.kind, asked.failed) == ("client", False)
    waited = asked.facts["gen_ai.response.time_to_first_chunk"]
    assert 0 < waited < 60
    assert {name: fact for name, fact in asked.facts.items() if name.startswith(("gen_ai", "server"))} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai-compat",
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": asked.facts["gen_ai.request.max_tokens"],
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "m",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": waited,
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.output_tokens": 200,
        "gen_ai.usage.reasoning.output_tokens": 50,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert asked.facts["smista.attempt_id"] == attempt.attempt_id
    assert (asked.facts["smista.cost_usd"], asked.facts["smista.cost_nano_usd"]) == (phase.cost, 2_400_000)
    assert (asked.facts["smista.attempt_status"], asked.facts["smista.locality"]) == ("completed", "remote")


async def test_what_nobody_knows_is_left_out(bench: Bench, spans: Collected) -> None:
    async with serving(Reply(used=None)) as server:
        await done(bench.app(default(A) + compat("a", server.v1) + ALLOWED), ASK)
    facts = spans.only("chat m").facts
    assert [name for name in facts if "usage" in name or name.startswith("smista.cost_u")] == []
    assert "smista.total_cost_usd" not in spans.only("invoke_workflow dispatch").facts


async def test_what_a_model_asks_to_see_stands_beside_its_requests(bench: Bench, spans: Collected) -> None:
    bench.write("src/a.py", f"# {CANARY}\n")
    bench.write(".env", f"MODE={CANARY}\n")
    calls = (("read_file", {"path": "src/a.py"}), ("read_file", {"path": ".env"}), (f"run_{CANARY}", {"x": CANARY}))
    async with serving(Reply(calls=calls), Reply((f"it says {CANARY}",)), tools=True) as server:
        able = f'[catalog."{A}"]\ncapabilities = {{ tools = true }}\n'
        app = bench.app(default(A) + compat("a", server.v1) + able + ALLOWED)
        await done(app, Task(text="review the code", intent=Intent.REVIEW))
    names = [span.name for span in spans.below(spans.only("phase review"))]
    assert names == ["chat m", "execute_tool read_file", "execute_tool read_file", "execute_tool _OTHER", "chat m"]
    first, second = spans.named("execute_tool read_file")
    assert {name: first.facts[name] for name in ("gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.type")} == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "read_file",
        "gen_ai.tool.type": "function",
    }
    assert (first.facts["smista.tool.withheld"], second.facts["smista.tool.withheld"]) == (0, 1)
    assert "src/a.py" not in repr(spans.spans)


async def test_a_second_try_and_a_fallback_are_events_of_the_phase(bench: Bench, spans: Collected) -> None:
    late = Reply(status=503, headers=("Retry-After: 0",))
    async with serving(late) as a, serving(Reply(("from b",))) as b:
        app = bench.app(default(A, B) + compat("a", a.v1) + compat("b", b.v1) + ALLOWED)
        await done(app, ASK)
    phase = spans.only("phase chat")
    assert phase.happened == ["smista.failure", "smista.retry", "smista.failure", "smista.fallback"]
    failure, retry, _, fallback = (facts for _, facts in phase.events)
    assert failure == {
        "smista.model": A,
        "smista.code": "provider_unavailable",
        "smista.cause": "overloaded",
        "smista.sent": failure["smista.sent"],
        "smista.possible_duplicate_charge": False,
        "http.response.status_code": 503,
    }
    assert retry["smista.wait_s"] >= 0
    assert (fallback["smista.model"], fallback["smista.next_model"]) == (A, B)
    first, second, third = spans.named("chat m")
    assert [span.failed for span in (first, second, third)] == [True, True, False]
    assert first.facts["error.type"] == "provider_unavailable"
    assert (first.facts["smista.cause"], first.facts["http.response.status_code"]) == ("overloaded", 503)
    assert (phase.failed, phase.facts["smista.model"]) == (False, B)


async def test_an_escalation_is_an_event(bench: Bench, spans: Collected) -> None:
    rule = (
        f'[[routing.rules]]\nname = "cheap"\nintent = "chat"\nmodel = "{A}"\n'
        f'escalate = {{ on = ["empty_completion"], to = "{B}" }}\n'
    )
    async with serving(Reply(())) as a, serving(Reply(("done",))) as b:
        await done(bench.app(rule + default(A) + compat("a", a.v1) + compat("b", b.v1) + ALLOWED), ASK)
    phase = spans.only("phase chat")
    assert "smista.escalation" in phase.happened
    assert phase.facts["smista.escalated"] is True
    assert dict(phase.events)["smista.escalation"] == {"smista.next_model": B}


async def test_a_phase_that_no_model_answers_is_an_error_by_its_code(bench: Bench, spans: Collected) -> None:
    async with serving(Reply((CANARY,), ending="cut")) as server:
        await done(bench.app(default(A) + compat("a", server.v1) + ALLOWED), ASK)
    for name in ("invoke_workflow dispatch", "phase chat", "chat m"):
        span = spans.only(name)
        assert (span.failed, span.facts["error.type"]) == (True, "provider_protocol"), name
    assert spans.only("chat m").facts["smista.attempt_status"] == "uncertain"


async def test_a_refusal_is_an_answer_and_no_error(bench: Bench, spans: Collected) -> None:
    async with serving() as server:
        deny = '[privacy.remote]\nmode = "deny"\n'
        answer = await done(bench.app(default(A) + compat("a", server.v1) + deny), ASK)
    assert answer.status == "refused"
    phase, job = spans.only("phase chat"), spans.only("invoke_workflow dispatch")
    assert (phase.failed, job.failed) == (False, False)
    assert phase.facts["smista.status"] == job.facts["smista.status"] == "refused"
    assert phase.facts["smista.code"] == answer.code
    assert phase.facts["smista.rejected"] == (str(answer.code),)
    assert spans.named("chat m") == []


async def test_what_is_wrong_before_the_first_phase_is_told_by_its_code(bench: Bench, spans: Collected) -> None:
    async with serving() as server:
        app = bench.app(default(A) + compat("a", server.v1) + ALLOWED)
        async with app.running():
            with pytest.raises(SmistaError) as refused:
                await app.dispatch(Task(text=CANARY, paths=(f"../{CANARY}",)))
    job = spans.only("invoke_workflow dispatch")
    assert (job.failed, job.facts["error.type"]) == (True, refused.value.code)


async def test_a_cancelled_dispatch_says_so_at_every_level(bench: Bench, spans: Collected) -> None:
    async with serving(Reply(hold=anyio.Event())) as server:
        app = bench.app(default(A) + compat("a", server.v1) + ALLOWED)
        async with app.running(), anyio.create_task_group() as group:
            group.start_soon(app.dispatch, ASK)
            await server.asked.wait()
            group.cancel_scope.cancel()
    told = {span.name: span.facts["error.type"] for span in spans.spans}
    assert told == dict.fromkeys(("chat m", "phase chat", "invoke_workflow dispatch"), "cancelled")


async def test_steps_that_wait_for_each_other_are_told_apart(bench: Bench, spans: Collected) -> None:
    async with serving(Reply((), ending="cut")) as server:
        task = Task(text="plan the migration, then summarize the plan")
        answer = await done(bench.app(default(A) + compat("a", server.v1) + ALLOWED), task)
    phases = spans.below(spans.only("invoke_workflow dispatch"))
    assert [(span.name, span.facts["smista.phase"]) for span in phases] == [
        (f"phase {phase.intent}", phase.phase) for phase in answer.phases
    ]
    assert len(phases) == 2
    assert [len(spans.below(span)) for span in phases] == [1, 0]


@pytest.mark.parametrize("name", [CANARY, "some-7b"])
async def test_a_restricted_request_repeats_nothing_of_its_server(name: str, bench: Bench, spans: Collected) -> None:
    bench.write(".env", f"MODE={CANARY}\n")
    policy = '[privacy]\nrestricted_paths = [".env"]\n'
    async with serving(Reply((CANARY,), model=name)) as server:
        task = Task(text="explain this", paths=(".env",))
        await done(bench.app(default("ollama/m") + ollama(server.root) + policy), task)
    asked = spans.only("chat m")
    assert (asked.facts["smista.label"], asked.facts["gen_ai.provider.name"]) == ("restricted", "ollama")
    assert "gen_ai.response.model" not in asked.facts
    assert ".env" not in repr(spans.spans)


async def test_a_server_that_repeats_a_word_of_the_request_as_its_name_is_not_believed(
    bench: Bench, spans: Collected
) -> None:
    async with serving(Reply(model=CANARY)) as server:
        await done(bench.app(default(A) + compat("a", server.v1) + ALLOWED), ASK)
    assert "gen_ai.response.model" not in spans.only("chat m").facts


@pytest.mark.parametrize("listening", [True, False])
async def test_an_instrumentation_of_http_clients_adds_no_header_and_no_span(
    listening: bool, bench: Bench, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `opentelemetry-instrumentation-httpx` works: one look at the context, then a span and a header."""
    authority, resolve = Authority.new(tmp_path / "authority"), socket.getaddrinfo

    def found(host: Any, *rest: Any, **more: Any) -> list[Any]:
        return list(resolve("127.0.0.1" if host in (NAME, NAME.encode()) else host, *rest, **more))

    monkeypatch.setattr(socket, "getaddrinfo", found)  # as a line in the hosts file would say it
    if listening:
        request.getfixturevalue("spans")
    real, met = httpx.AsyncHTTPTransport.handle_async_request, list[bool]()

    async def instrumented(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        met.append(not context.get_value("suppress_instrumentation"))
        if met[-1]:
            propagate.inject(request.headers)
        return await real(transport, request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", instrumented)
    under_way = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=True, trace_flags=trace.TraceFlags(1)))
    async with serving(tls=authority.server(NAME)) as server:
        policy = default(A) + compat("a", f"https://{NAME}:{server.port}/v1") + ALLOWED
        with trace.use_span(under_way):
            answer = await done(bench.app(policy, SSL_CERT_FILE=str(authority.file)), ASK)
    assert answer.status == "completed", answer
    assert met == [False]
    assert "traceparent" not in server.heard[0].head.lower()


async def test_nothing_is_worked_out_where_nobody_listens(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object) -> None:
        raise AssertionError(given)

    monkeypatch.setattr("smista_mcp.dispatch.spans.decision_facts", never)
    monkeypatch.setattr("smista_mcp.dispatch.spans.request_facts", never)
    monkeypatch.setattr("smista_mcp.dispatch.spans.settled_facts", never)
    async with serving() as server:
        answer = await done(bench.app(default(A) + compat("a", server.v1) + ALLOWED), ASK)
    assert answer.status == "completed"


async def test_a_call_that_joins_a_job_is_linked_to_it(bench: Bench, spans: Collected) -> None:
    let_go = anyio.Event()
    async with serving(Reply(hold=let_go)) as server:
        app = bench.app(default(A) + compat("a", server.v1) + ALLOWED)
        async with app.running():
            with door.span("first", "server", dict):
                running = await app.dispatch(ASK, limit_s=0.05)
            let_go.set()
            with door.span("second", "server", dict):
                answer = await app.join(running.job_id or "", limit_s=None)
    assert (running.status, answer.status) == ("running", "completed")
    job, first, second = (spans.only(name) for name in ("invoke_workflow dispatch", "first", "second"))
    assert (job.trace, job.parent) == (first.trace, first.id)
    assert (first.links, second.links) == ((), ((job.trace, job.id),))
    assert second.trace != job.trace


async def test_two_tasks_at_once_are_not_mixed_up(bench: Bench, spans: Collected) -> None:
    async with serving(Reply()) as server:
        app = bench.app(default(A) + compat("a", server.v1) + ALLOWED)
        async with app.running(), anyio.create_task_group() as group:

            async def call(name: str) -> None:
                with door.span(name, "server", dict):
                    await app.dispatch(Task(text=f"explain {name}", intent=Intent.CHAT))

            for name in ("one", "two", "three"):
                group.start_soon(call, name)
    for name in ("one", "two", "three"):
        at = spans.only(name)
        for level in ("invoke_workflow dispatch", "phase chat", "chat m"):
            (at,) = spans.below(at)
            assert at.name == level
