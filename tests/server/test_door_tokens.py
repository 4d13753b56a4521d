"""What tokens have open: it stays while their file is locked, and ends with them."""

import json
import socket
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_ollama import FakeOllama
from raw_host import PATIENCE_S
from team_server import Team, heard, token_of

from smista_mcp.ledger import Ledger
from smista_mcp.ledger.access import TokenBook

ASK = {"text": "What is a mutex?"}
HOLD = {"text": "What is a mutex? hold"}


@pytest.fixture
def team(home: Path) -> Iterator[Team]:
    made = {name: token_of(home, name) for name in ("alice", "bob")}
    with Team.started(home) as team:
        team.tokens |= made
        yield team


def structured(answer: Any) -> dict[str, Any]:
    return json.loads(answer.told)


def revoke(team: Team, name: str) -> None:
    TokenBook(team.home / "state").revoke(name, datetime.now(UTC))


@contextmanager
def locked(team: Team, how: str) -> Generator[None]:
    """Another process that holds the file of the tokens, which has just changed."""
    file = team.home / "state/tokens.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        file.touch()
        db.execute(f"BEGIN {how}")
        try:
            yield
        finally:
            db.execute("ROLLBACK")


# ------------------------------------------------------------------------------------------------- a file that is held


def test_who_makes_a_token_meanwhile_disturbs_nobody(team: Team) -> None:
    with locked(team, "IMMEDIATE"):
        assert team.call("route", ASK).status == 200


def test_a_lock_that_lasts_costs_nobody_their_work(team: Team, ollama: FakeOllama) -> None:
    with ThreadPoolExecutor() as pool:
        work = pool.submit(team.call, "dispatch", HOLD)
        assert ollama.asked.wait(PATIENCE_S)
        with locked(team, "EXCLUSIVE"):
            refused = pool.submit(team.call, "route", ASK)
            while not refused.done():  # it waits for the file, and nobody else does
                assert team.ask(team.request("GET", "/healthz", by=None)).status == 200
            assert (refused.result().status, refused.result().code) == (503, "tokens_unreadable")
        assert not ollama.left.is_set()
        ollama.enough.set()
        assert structured(work.result(PATIENCE_S))["status"] == "completed"


def test_what_nobody_can_tell_for_long_is_ended(home: Path) -> None:
    alice = token_of(home, "alice")
    with Team.started(home, before="import smista_mcp.server.watching as w\nw.UNSURE_S = 0.1") as team:
        team.tokens["alice"] = alice
        with team.streaming("/sse", "alice") as stream:
            stream.until("data: ")
            (home / "state/tokens.db").write_bytes(b"no database")
            assert stream.ended()


# -------------------------------------------------------------------------------------------- sessions of the handshake


def test_no_head_opens_more_sessions_than_one_may_have(team: Team) -> None:
    def greeted(by: str, **changes: str) -> Any:
        client = {"name": "opencode", "version": "1"}
        greeting = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
        return team.legacy("initialize", greeting, by, **changes)

    named = {"mcp_protocol_version": "2025-06-18"}
    with ThreadPoolExecutor(8) as pool:  # at the same time, too
        begun = [pool.submit(greeted, "bob", **named) for _ in range(40)]
    answers = [one.result() for one in begun]
    assert sorted({one.status for one in answers}) == [200, 429]
    assert sum(one.status == 200 for one in answers) == 32
    assert {one.code for one in answers} == {"", "too_many_sessions"}
    assert greeted("alice", **named).status == 200
    assert team.call("route", ASK, "bob").status == 200  # which needs no session


@pytest.mark.parametrize(
    ("method", "path", "changes"),
    [
        ("DELETE", "/mcp", {"mcp_protocol_version": "2099-01-01"}),
        ("POST", f"/messages/?session_id={0:032x}", {}),
    ],
)
def test_no_request_that_misses_a_session_makes_room_for_more(
    team: Team, method: str, path: str, changes: dict[str, Any]
) -> None:
    statuses: list[int] = []
    for _ in range(34):
        answer = team.greeted("bob")
        statuses.append(answer.status)
        if answer.status == 200:
            session = answer.headers["mcp-session-id"]
            team.ask(team.request(method, path, body=b"{}", by="bob", mcp_session_id=session, **changes))
    assert (statuses.count(200), statuses[32:]) == (32, [429, 429])


def test_the_sessions_of_a_revoked_token_make_room(home: Path) -> None:
    made = {name: token_of(home, name) for name in ("alice", "bob")}
    with Team.started(
        home, "--rate", "100000", before="import smista_mcp.server.endpoints as e\ne.MAX_SESSIONS = 2"
    ) as team:
        team.tokens |= made
        assert [team.greeted("bob").status for _ in range(2)] == [200, 200]
        assert team.greeted("alice").status == 503
        revoke(team, "bob")
        until(lambda: team.greeted("alice").status == 200)


def test_who_tries_the_session_of_another_writes_no_log(home: Path) -> None:
    made = {name: token_of(home, name) for name in ("alice", "bob")}
    with Team.started(home, before="import smista_mcp.server.endpoints as e\ne.MAX_SESSIONS = 1") as team:
        team.tokens |= made
        session = team.greeted("alice").headers["mcp-session-id"]
        for method in ("GET", "POST", "DELETE"):
            assert team.ask(team.request(method, by="bob", mcp_session_id=session, body=b"{}")).status == 404
        assert team.ask(team.request(by="bob", mcp_session_id="chosen", body=b"{}")).status == 404
        assert team.greeted("bob").status == 503
        lines = team.log.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "listening on" not in line] == []


# ------------------------------------------------------------------------------------------------------ jobs and bodies


def test_a_job_that_goes_on_ends_with_its_token(home: Path, ollama: FakeOllama) -> None:
    with (home / "config.toml").open("a", encoding="utf-8") as policy:
        policy.write("[hosts.opencode]\ncall_limit_s = 1\n")
    made = {name: token_of(home, name) for name in ("alice", "bob")}
    with Team.started(home) as team:
        team.tokens |= made
        running = {by: structured(team.call("dispatch", HOLD, by)) for by in made}
        assert [one["status"] for one in running.values()] == ["running", "running"]

        def stands(by: str) -> tuple[str, str | None]:
            job = Ledger.open(home / "state").jobs.find(running[by]["job_id"])
            return job.status, job.code

        revoke(team, "alice")
        assert ollama.left.wait(PATIENCE_S)
        until(lambda: stands("alice")[0] != "running")
        assert (stands("alice"), stands("bob")) == (("failed", "cancelled"), ("running", None))
        ollama.enough.set()
        until(lambda: stands("bob") == ("completed", None))


def test_what_one_sends_leaves_room_for_others(team: Team) -> None:
    most = 16 * 1024 * 1024
    raw = team.request(by="bob", content_length=str(most)) + b" " * (most - 1)
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        wires = [
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", team.port), PATIENCE_S)))
            for _ in range(8)
        ]
        sent = as_completed([pool.submit(_answered, wire, raw) for wire in wires])
        codes = {next(sent).result() for _ in range(6)}  # of eight two may stay, and wait for their last byte
        assert codes <= {"too_much_at_once", ""}
        assert team.call("route", ASK).status == 200
        for wire in wires:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)


def _answered(wire: socket.socket, raw: bytes) -> str:
    """The code of what comes back; empty where the connection ends before it can be read."""
    try:
        wire.sendall(raw)
        return heard(wire).code
    except OSError:
        return ""


def until(holds: Callable[[], bool]) -> None:
    """Asks until it does."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
