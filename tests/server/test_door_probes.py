"""The door, tried: every row is a request over a socket to a real server process, and what came of it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from door_rows import PROBES, Probe
from fake_ollama import FakeOllama
from team_server import Team, token_of

from smista_mcp.ledger.access import TokenBook

POLICY = '[routing.default]\nmodel = "ollama/tiny"\n[providers.ollama]\nbase_url = "{url}"\n'
QUICK = """
import smista_mcp.server.connections as c, smista_mcp.server.bodies as g
c.HEAD_S, g.BODY_S = 1.0, 1.0
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    home = tmp_path_factory.mktemp("team")
    with FakeOllama.serving() as ollama:
        (home / "config.toml").write_text(POLICY.format(url=ollama.base_url), encoding="utf-8")
        made = {
            "alice": token_of(home, "alice"),
            "bob": token_of(home, "bob"),
            "asker": token_of(home, "asker", "route"),
            "expired": token_of(home, "late", age_days=91),
            "revoked": token_of(home, "gone"),
        }
        TokenBook(home / "state").revoke("gone", datetime.now(UTC))
        # a rate that no row comes near: that is a test of its own
        with Team.started(home, "--rate", "100000", before=QUICK, level="DEBUG") as team:
            team.tokens |= made
            yield team


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_what_comes_to_the_door_gets_its_answer(team: Team, probe: Probe) -> None:
    raw = probe.send(team).replace(b"{port}", str(team.port).encode())
    answer = team.ask(raw)
    expected = (probe.status,) if isinstance(probe.status, int) else probe.status
    assert answer.status in expected, answer
    if probe.code:
        assert answer.code == probe.code
    assert (answer.status == 405) == ("allow" in answer.headers)
    assert "location" not in answer.headers
    assert (answer.status == 401) == ("www-authenticate" in answer.headers)
    assert b"smista_tk_" not in answer.body
    assert team.ask(team.request("GET", "/healthz", by=None)).status == 200  # whatever it was, the server goes on
