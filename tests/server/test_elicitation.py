"""The host's user asked in a form: a real server process, a real client of the protocol library, both eras."""

import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from mcp.client.client import Client
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import StdioServerParameters
from mcp_types import (
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    Implementation,
    InputRequiredResult,
)
from model_server import ModelServer, Reply, serving
from workbench import Bench, compat, default, ollama

import smista_mcp
from smista_mcp.ledger.approvals import ApprovalBook

pytestmark = pytest.mark.anyio

ASK = {"text": "What is a unit test?"}
CANARY = "canary-7f3a9c"
SECRET = {"text": "explain secrets/plan.txt"}
A = "openai-compat:a/m"
Mode = Literal["legacy", "2026-07-28"]
MODES: tuple[Mode, ...] = ("legacy", "2026-07-28")
APPROVE = ElicitResult(action="accept", content={"answer": "approve"})
REFUSE = ElicitResult(action="accept", content={"answer": "refuse"})
NO_YES: dict[str, ElicitResult | ErrorData] = {
    "decline": ElicitResult(action="decline"),
    "cancel": ElicitResult(action="cancel"),
    "empty accept": ElicitResult(action="accept", content={}),
    "accept without a form": ElicitResult(action="accept"),
    "another word": ElicitResult(action="accept", content={"answer": "Approve"}),
    "another field": ElicitResult(action="accept", content={"approve": "approve"}),
    "true": ElicitResult(action="accept", content={"answer": True}),
    "declined with content": ElicitResult(action="decline", content={"answer": "approve"}),
}


@dataclass
class User:
    """Somebody before the host: notes each question, and says the same to all."""

    says: ElicitResult | ErrorData = field(default_factory=lambda: APPROVE)
    asked: list[ElicitRequestParams] = field(default_factory=list[ElicitRequestParams])
    meanwhile: Callable[[], None] = lambda: None

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        del context
        self.asked.append(params)
        self.meanwhile()
        return self.says

    @property
    def question(self) -> str:
        (only,) = self.asked
        return only.message


@asynccontextmanager
async def host(bench: Bench, policy: str, user: User | None, mode: Mode) -> AsyncGenerator[Client]:
    """A host with a server of its own; without a user it has no forms."""
    bench.write_policy(policy)
    package = str(Path(smista_mcp.__file__).parents[1])
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "smista_mcp", "serve-stdio", "--workspace", str(bench.workspace)],
        env={"SMISTA_HOME": str(bench.home), "PYTHONPATH": package, "PATH": os.environ["PATH"]},
        cwd=bench.workspace,
    )
    info = Implementation(name="claude-code", version="2")
    async with Client(server, mode=mode, client_info=info, elicitation_callback=user, cache=None) as client:
        yield client


async def dispatched(client: Client, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await client.call_tool("dispatch", arguments)
    assert not result.is_error, result.content
    content: object = result.structured_content
    assert isinstance(content, dict)
    return cast("dict[str, Any]", content)


def remote(server: ModelServer) -> str:
    return default(A) + compat("a", server.v1, price="1")


def states(bench: Bench, answer: dict[str, Any]) -> tuple[str, list[str]]:
    stored = ApprovalBook.open(bench.state).stored(answer["approval_id"], datetime.now(UTC))
    return stored.state, [f"{event.event} {event.via}" for event in stored.events]


@pytest.mark.parametrize("mode", MODES)
async def test_a_yes_in_a_form_lets_it_go_on_at_once(bench: Bench, mode: Mode) -> None:
    bench.write("src/a.py", "x = 1\n")
    user = User()
    async with serving(Reply(("it is one",))) as server, host(bench, remote(server), user, mode) as client:
        answer = await dispatched(client, {"text": "explain src/a.py", "paths": ["src/a.py"]})
    assert (answer["status"], answer["phases"][0]["answer"]) == ("completed", "it is one")
    assert len(server.heard) == 1
    for told in ("src/a.py", A, server.v1, "USD"):
        assert told in user.question
    (form,) = user.asked
    assert isinstance(form, ElicitRequestFormParams)
    assert form.requested_schema["required"] == ["answer"]
    assert form.requested_schema["properties"]["answer"]["enum"] == ["approve", "refuse"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("said", NO_YES)
async def test_anything_but_a_yes_is_none(bench: Bench, mode: Mode, said: str) -> None:
    user = User(NO_YES[said])
    async with serving() as server, host(bench, remote(server), user, mode) as client:
        answer = await dispatched(client, ASK)
    assert (answer["status"], answer["code"], server.heard) == ("approval_required", "approval_required", [])
    assert (len(user.asked), states(bench, answer)[0]) == (1, "open")
    assert f"smista-mcp approve {answer['approval_id'][:8]}" in answer["next"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_refusal_in_a_form_ends_the_request(bench: Bench, mode: Mode) -> None:
    user = User(REFUSE)
    async with serving() as server, host(bench, remote(server), user, mode) as client:
        answer = await dispatched(client, ASK)
        polled = await dispatched(client, {"job_id": answer["job_id"]})
    stored = ApprovalBook.open(bench.state).requests(datetime.now(UTC))
    assert [(one.state, one.events[-1].event, one.events[-1].via) for one in stored] == [
        ("refused", "refused", "form of claude-code")
    ]
    for told in (answer, polled):
        assert (told["status"], told["code"], told["approval_id"]) == ("refused", "approval_required", None)
        assert "smista-mcp approve" not in told["next"]
    assert (len(user.asked), server.heard) == (1, [])


@pytest.mark.parametrize("mode", MODES)
async def test_an_answer_that_was_refused_to_the_host_is_not_asked_about_again(bench: Bench, mode: Mode) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    user = User(REFUSE)
    async with serving(Reply((CANARY,))) as server, host(bench, here(server, "ask"), user, mode) as client:
        answer = await dispatched(client, SECRET)
        polled = await dispatched(client, {"job_id": answer["job_id"]})
    for told in (answer, polled):
        assert (told["status"], told["code"], told["approval_id"]) == ("completed", "answer_withheld", None)
        assert (CANARY in str(told), "smista-mcp approve" in told["next"]) == (False, False)
        assert told["phases"][0]["withheld"]["held"]
    assert len(user.asked) == 1


async def test_a_host_that_cannot_show_the_form_after_all_is_no_yes(bench: Bench) -> None:
    user = User(ErrorData(code=-32601, message="no"))
    async with serving() as server, host(bench, remote(server), user, "legacy") as client:
        answer = await dispatched(client, ASK)
    assert (answer["status"], server.heard) == ("approval_required", [])


@pytest.mark.parametrize("mode", MODES)
async def test_without_forms_the_answer_says_how_a_person_can_approve(bench: Bench, mode: Mode) -> None:
    async with serving() as server, host(bench, remote(server), None, mode) as client:
        answer = await dispatched(client, ASK)
        assert (answer["status"], server.heard) == ("approval_required", [])
        for told in (f"smista-mcp approve {answer['approval_id'][:8]}", "mode", answer["job_id"], A, server.v1):
            assert told in answer["next"]
        ApprovalBook.open(bench.state).grant(answer["approval_id"], "terminal", datetime.now(UTC))
        later = await dispatched(client, {"job_id": answer["job_id"]})
        spent = await dispatched(client, ASK)
    assert (later["status"], spent["status"], len(server.heard)) == ("completed", "approval_required", 1)


@pytest.mark.parametrize("mode", MODES)
async def test_the_question_is_the_same_for_the_same_call(bench: Bench, mode: Mode) -> None:
    user = User(ElicitResult(action="decline"))
    async with serving() as server, host(bench, remote(server), user, mode) as client:
        await dispatched(client, ASK)
        await dispatched(client, ASK)
    assert user.asked[0] == user.asked[1]


@pytest.mark.parametrize("mode", MODES)
async def test_a_file_that_changes_while_the_question_stands_is_asked_about_anew(bench: Bench, mode: Mode) -> None:
    bench.write("src/a.py", "x = 1\n")
    user = User()

    def change() -> None:
        if len(user.asked) == 1:
            bench.write("src/a.py", "x = 1234\n")

    user.meanwhile = change
    async with serving() as server, host(bench, remote(server), user, mode) as client:
        answer = await dispatched(client, {"text": "explain src/a.py", "paths": ["src/a.py"]})
    assert (answer["status"], len(user.asked), len(server.heard)) == ("completed", 2, 1)
    assert "1234" in server.heard_text


async def repeated(
    client: Client, arguments: dict[str, Any], state: str | None, says: ElicitResult = APPROVE
) -> CallToolResult | InputRequiredResult:
    """A call with an answer, whether or not anybody has asked."""
    return await client.session.call_tool(
        "dispatch", arguments, input_responses={"approval": says}, request_state=state, allow_input_required=True
    )


async def test_an_answer_that_nobody_asked_for_counts_for_nothing(bench: Bench) -> None:
    async with serving() as server, host(bench, remote(server), User(), "2026-07-28") as client:
        for state in ("0" * 32, "", None):
            assert isinstance(await repeated(client, ASK, state), InputRequiredResult)
    assert server.heard == []


async def test_an_answer_counts_once_and_for_its_own_call(bench: Bench) -> None:
    async with serving() as server, host(bench, remote(server), User(), "2026-07-28") as client:
        asked = await client.session.call_tool("dispatch", ASK, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        other = await repeated(client, {"text": "What is a module?"}, asked.request_state)
        assert (isinstance(other, InputRequiredResult), server.heard) == (True, [])
        assert isinstance(await repeated(client, ASK, asked.request_state), CallToolResult)
        again = await repeated(client, ASK, asked.request_state)
    assert (isinstance(again, InputRequiredResult), len(server.heard)) == (True, 1)


async def test_a_question_of_a_server_that_has_ended_is_answered_to_nobody(bench: Bench) -> None:
    async with serving() as server:
        async with host(bench, remote(server), User(), "2026-07-28") as client:
            asked = await client.session.call_tool("dispatch", ASK, allow_input_required=True)
            assert isinstance(asked, InputRequiredResult)
        async with host(bench, remote(server), User(), "2026-07-28") as client:
            assert isinstance(await repeated(client, ASK, asked.request_state), InputRequiredResult)
    assert server.heard == []


# ------------------------------------------------------------------------------------------------ answers to the host


def here(server: ModelServer, told: str) -> str:
    return default("ollama/m") + ollama(server.root) + f'[privacy]\nhost_answers = "{told}"\n'


@pytest.mark.parametrize("mode", MODES)
async def test_the_user_lets_the_host_have_an_answer(bench: Bench, mode: Mode) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    user = User()
    async with serving(Reply((CANARY,))) as server, host(bench, here(server, "ask"), user, mode) as client:
        answer = await dispatched(client, SECRET)
    phase = answer["phases"][0]
    assert (phase["answer"], phase["released"], phase["label"]) == (CANARY, True, "restricted")
    assert len(server.heard) == 1
    assert CANARY not in user.question
    assert f"{len(CANARY)} bytes" in user.question


@pytest.mark.parametrize("mode", MODES)
async def test_a_declined_answer_stays_in_its_file(bench: Bench, mode: Mode) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    user = User(ElicitResult(action="decline"))
    async with serving(Reply((CANARY,))) as server, host(bench, here(server, "ask"), user, mode) as client:
        answer = await dispatched(client, SECRET)
    phase = answer["phases"][0]
    assert (answer["status"], answer["code"], phase["answer"]) == ("completed", "answer_withheld", None)
    assert CANARY not in str(answer)
    assert (len(user.asked), Path(phase["withheld"]["path"]).read_text(encoding="utf-8")) == (1, f"{CANARY}\n")


@pytest.mark.parametrize(("told", "seen"), [("file", False), ("return", True)])
async def test_file_and_return_ask_nobody(bench: Bench, told: str, seen: bool) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    user = User()
    async with serving(Reply((CANARY,))) as server, host(bench, here(server, told), user, "legacy") as client:
        answer = await dispatched(client, SECRET)
    assert (user.asked, CANARY in str(answer), answer["phases"][0]["released"]) == ([], seen, False)
