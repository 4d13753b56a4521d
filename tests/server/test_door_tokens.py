"""What tokens have open: it stays while their file is locked, and ends with them."""

import json
import sqlite3
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_ollama import FakeOllama
from raw_host import PATIENCE_S
from team_server import Team, token_of

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
