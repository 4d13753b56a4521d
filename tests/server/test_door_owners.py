"""What one token begins belongs to it alone: sessions, jobs, decisions, traces, approvals; budgets know its name."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_ollama import FakeOllama
from team_server import Team, token_of

from smista_mcp.core.values import Locality
from smista_mcp.ledger import Ledger

POLICY = """
[[routing.rules]]
name = "edits go out"
intent = "edit"
model = "openai-compat:far/m"

[routing.default]
model = "ollama/tiny"

[providers.ollama]
base_url = "{url}"

[providers."openai-compat:far"]
base_url = "https://far.invalid/v1"

[catalog."openai-compat:far/m"]
context_window = 8000
input_price = "1"
output_price = "1"

[privacy.remote]
mode = "ask"

[hosts.opencode]
call_limit_s = 2

[[budgets]]
scope = "token:poor"
period = "day"
limit = "0.000001"
"""
ASK = {"text": "What is a mutex?"}
HOLD = {"text": "What is a mutex? hold"}
EDIT = {"text": "fix the bug in this function", "attachments": [{"path": "a.py", "content": "x = 1\n"}]}
PLAIN = {"mcp_session_id": None}


@pytest.fixture(scope="module")
def ollama() -> Iterator[FakeOllama]:
    with FakeOllama.serving() as fake:
        yield fake


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, ollama: FakeOllama) -> Iterator[Team]:
    home = tmp_path_factory.mktemp("team")
    (home / "config.toml").write_text(POLICY.format(url=ollama.base_url), encoding="utf-8")
    made = {name: token_of(home, name) for name in ("alice", "bob", "poor")}
    made["asker"] = token_of(home, "asker", "route")
    with Team.started(home, "--rate", "100000") as team:
        team.tokens |= made
        yield team


def structured(answer: Any) -> dict[str, Any]:
    return json.loads(answer.told)


# ------------------------------------------------------------------------------------------------- sessions of the wire


def test_a_session_of_the_protocol_is_not_there_for_another_token(team: Team) -> None:
    session = team.greeted("alice").headers["mcp-session-id"]
    assert team.legacy("tools/list", {}, "alice", mcp_session_id=session).status == 200
    assert team.legacy("tools/list", {}, "bob", mcp_session_id=session).status == 404
    for method in ("GET", "DELETE"):
        assert team.ask(team.request(method, by="bob", mcp_session_id=session)).status == 404
    assert team.legacy("tools/list", {}, "alice", mcp_session_id=session).status == 200
    assert team.ask(team.request("DELETE", mcp_session_id=session)).status == 200


def test_a_session_of_the_older_transport_is_not_there_for_another_token(team: Team) -> None:
    with team.streaming("/sse", "alice") as stream:
        target = stream.until("data: ").split("data: ")[1].split("\r\n")[0].split("\n")[0]
        message = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'
        assert team.ask(team.request(target=target, by="bob", body=message)).status == 404
        assert team.ask(team.request(target=target, by="alice", body=message)).status == 202


def test_a_token_opens_only_so_many_sessions(team: Team) -> None:
    answers = [team.greeted("asker") for _ in range(33)]
    assert ({one.status for one in answers[:-1]}, answers[-1].code) == ({200}, "too_many_sessions")
    ended = team.request("DELETE", by="asker", mcp_session_id=answers[0].headers["mcp-session-id"])
    assert team.ask(ended).status == 200
    assert team.greeted("asker").status == 200
    assert team.greeted("bob").status == 200


# -------------------------------------------------------------------------------------------------------- our own ids


def test_a_decision_and_a_trace_are_not_there_for_another_token(team: Team) -> None:
    own = {"text": "What is a semaphore?"}  # the same words of another would be the same decision, and theirs too
    decision = structured(team.call("route", own))["decisions"][0]["decision_id"]
    done = structured(team.call("dispatch", own))
    assert done["status"] == "completed"
    for arguments in ({"decision_id": decision}, {"trace_id": done["trace_id"]}, {"job_id": done["job_id"]}):
        assert not team.call("explain", arguments).result.get("isError")
        refused = team.call("explain", arguments, "bob")
        assert refused.result["isError"]
        assert refused.told.startswith(("trace_not_found", "job_not_found"))


def test_a_job_is_not_there_for_another_token(team: Team, ollama: FakeOllama) -> None:
    ollama.enough.clear()
    running = structured(team.call("dispatch", HOLD))
    assert running["status"] == "running"
    ask = {"job_id": running["job_id"]}
    assert team.call("dispatch", ask, "bob").told.startswith("job_not_found")
    assert team.call("explain", ask, "bob").told.startswith("job_not_found")
    again = structured(team.call("dispatch", HOLD, "bob"))  # the same words, and yet a job of their own
    assert again["job_id"] != running["job_id"]
    ollama.enough.set()
    assert structured(team.call("dispatch", ask))["status"] == "completed"


def test_a_conversation_is_not_there_for_another_token(team: Team) -> None:
    session = structured(team.call("dispatch", ASK | {"session": "new"}))["session"]
    assert structured(team.call("dispatch", ASK | {"session": session}))["status"] == "completed"
    assert team.call("dispatch", ASK | {"session": session}, "bob").told.startswith("invalid_task")


def test_a_yes_for_one_token_is_none_for_another(team: Team) -> None:
    def status(token: str) -> tuple[str, str | None]:
        told = structured(team.call("dispatch", EDIT, token))
        return told["status"], told["approval_id"]

    waits, approval_id = status("alice")
    assert (waits, status("bob")[0]) == ("approval_required", "approval_required")
    assert approval_id is not None
    assert status("bob")[1] != approval_id
    Ledger.open(team.home / "state").approvals.grant(approval_id, "terminal", datetime.now(UTC))
    assert status("bob")[0] == "approval_required"
    assert status("alice")[0] == "failed"  # it went out, where nobody listens


# ----------------------------------------------------------------------------------------------------- scopes and money


@pytest.mark.parametrize("arguments", [ASK, {"job_id": "0" * 32}], ids=["task", "job"])
def test_a_token_to_ask_with_dispatches_nothing(team: Team, ollama: FakeOllama, arguments: dict[str, Any]) -> None:
    before = ollama.questions
    refused = team.call("dispatch", arguments, "asker")
    assert (refused.result["isError"], refused.told.partition(":")[0]) == (True, "scope_not_allowed")
    assert ollama.questions == before
    for tool in ("classify", "route", "explain"):
        assert not team.call(tool, ASK, "asker").result.get("isError")


def test_a_budget_of_a_token_counts_that_token_alone(team: Team) -> None:
    def code(token: str) -> str | None:
        return structured(team.call("route", EDIT, token))["decisions"][0]["code"]

    assert (code("poor"), code("bob")) == ("budget_exceeded", "approval_required")


def test_each_call_stands_in_the_ledger_under_the_name_of_its_token(team: Team) -> None:
    trace = structured(team.call("dispatch", ASK, "bob"))["trace_id"]
    stored = Ledger.open(team.home / "state").trace(trace)
    assert [one.token for one in stored.attempts] == ["bob"]
    assert stored.decision is not None
    assert stored.decision.facts.token == "bob"
    with sqlite3.connect(team.home / "state/ledger.db") as db:
        names = {name for (name,) in db.execute("SELECT token FROM attempt")}
    assert None not in names


# --------------------------------------------------------------------------------------------------- what it cannot do


@pytest.mark.parametrize("name", ["base_url", "url", "headers", "api_key", "authorization", "provider", "locality"])
@pytest.mark.parametrize("tool", ["route", "dispatch"])
def test_no_caller_names_an_address_a_header_or_a_key(team: Team, tool: str, name: str) -> None:
    refused = team.call(tool, ASK | {name: "https://evil.example"})
    assert (refused.result["isError"], refused.told.partition(":")[0]) == (True, "invalid_task")


def test_paths_are_labels_and_the_answer_says_so(team: Team) -> None:
    secret = team.home / "config.toml"
    for path in (str(secret), "config.toml", "../../../etc/passwd"):
        answer = team.call("route", {"text": "explain this file", "paths": [path]})
        if answer.result.get("isError"):
            assert answer.told.startswith("path_outside_workspace")
            continue
        told = structured(answer)
        assert [item for one in told["decisions"] for item in one["context"]["included"]] == []
        assert any("attachments" in notice for notice in told["notices"])


def test_what_is_attached_is_one_text_also_without_an_extension(team: Team) -> None:
    def context(text: str, path: str) -> dict[str, Any]:
        attached = {"text": text, "attachments": [{"path": path, "content": "one two"}]}
        return structured(team.call("route", attached))["decisions"][0]["context"]

    for path in ("/srv/notes", "notes", "docs/notes"):
        assert [item["path"] for item in context("What is this?", path)["included"]] == [path]
    (kept,) = context("fix the bug in this function", "secrets/x")["excluded"]
    assert (kept["path"], kept["reason"]) == ("secrets/x", "restricted by `secrets/**`")


def test_local_is_said_to_be_local_to_the_server(team: Team) -> None:
    told = structured(team.call("route", ASK))
    assert told["decisions"][0]["locality"] == Locality.LOCAL
    assert any("machine of this server" in notice for notice in told["notices"])


def test_what_it_says_of_itself_fits_a_caller_elsewhere(team: Team) -> None:
    greeting = team.greeted("bob").result
    assert "attachments" in greeting["instructions"]
    assert len(greeting["instructions"]) <= 600
