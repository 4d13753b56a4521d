"""The door as a process: where it may stand, TLS and proxies, floods and the slow, revocation, an end in order."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from certificates import Authority
from fake_ollama import FakeOllama
from raw_host import PATIENCE_S
from team_server import NAME, Team, heard, token_of
from tls_proxy import TlsProxy

import smista_mcp
from smista_mcp.ledger.access import TokenBook

ASK = {"text": "What is a mutex?"}
HOLD = {"text": "What is a mutex? hold"}
QUICK = "import smista_mcp.server.connections as c, smista_mcp.server.bodies as g\nc.HEAD_S = g.BODY_S = 0.5\n"


@pytest.fixture
def alice(home: Path) -> str:
    return token_of(home, "alice")


@pytest.fixture
def team(home: Path, alice: str) -> Iterator[Team]:
    with Team.started(home) as team:
        team.tokens["alice"] = alice
        yield team


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path / "authority")


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def certificate(authority: Authority) -> Path:
    """Certificate and key of the server in one file."""
    authority.server(NAME)
    (file,) = authority.folder.glob("server*.pem")
    file.chmod(0o600)
    return file


def structured(answer: Any) -> dict[str, Any]:
    return json.loads(answer.told)


# --------------------------------------------------------------------------------------------------- where it may stand


def serve(home: Path, *options: str) -> tuple[int, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("SMISTA")}
    env |= {"SMISTA_HOME": str(home), "PYTHONPATH": str(Path(smista_mcp.__file__).parents[1])}
    command = [sys.executable, "-m", "smista_mcp", "serve-http", "--port", "0", *options]
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--host", "0.0.0.0"), "--allowed-host"),
        (("--host", "::", "--allowed-host", NAME), "--tls-cert"),
        (("--host", "0.0.0.0", "--allowed-host", NAME, "--no-tokens"), "--no-tokens"),
        (("--allowed-host", NAME, "--no-tokens"), "--no-tokens"),
        (("--allowed-host", NAME, "--workspace", "../work"), "--workspace"),
        (("--allowed-host", "http://x/"), "http://x/"),
        (("--host", "0.0.0.0", "--allowed-host", NAME, "--behind-proxy", "somewhere"), "somewhere"),
        (("--tls-cert", "nothing.pem"), "--tls-key"),
        (("--tls-cert", "nothing.pem", "--tls-key", "nothing.pem"), "nothing.pem"),
        (("--tls-cert", "config.toml", "--tls-key", "config.toml"), "config.toml"),
        (("--rate", "0"), "--rate"),
    ],
    ids=str,
)
def test_a_door_that_anybody_could_walk_through_is_not_opened(
    home: Path, workspace: Path, alice: str, options: tuple[str, ...], word: str
) -> None:
    del alice, workspace
    (home / "config.toml").chmod(0o600)
    status, told = serve(home, *options)
    assert (status, word in told, "Traceback" in told) == (2, True, False)


@pytest.mark.parametrize("state", ["none", "revoked", "expired"])
def test_without_a_token_that_holds_it_is_not_opened_to_others(home: Path, state: str) -> None:
    if state != "none":
        token_of(home, "alice", age_days=100 if state == "expired" else 0)
    if state == "revoked":
        TokenBook(home / "state").revoke("alice", datetime.now(UTC))
    status, told = serve(home, "--allowed-host", NAME)
    assert (status, "token create" in told) == (2, True)


def test_a_key_that_everybody_may_read_is_not_used(home: Path, alice: str, authority: Authority) -> None:
    del alice
    file = certificate(authority)
    file.chmod(0o644)
    status, told = serve(home, "--tls-cert", str(file), "--tls-key", str(file))
    assert (status, "chmod" in told) == (2, True)


@pytest.mark.parametrize(("options", "status"), [((), 401), (("--no-tokens",), 200)])
def test_on_loopback_tokens_are_asked_for_once_there_was_one(
    home: Path, alice: str, options: tuple[str, ...], status: int
) -> None:
    TokenBook(home / "state").revoke("alice", datetime.now(UTC))
    with Team.started(home, "--allowed-host", "localhost", *options) as team:
        team.tokens["alice"] = alice
        assert team.call("route", ASK, host="localhost").status == status


def test_what_a_proxy_passes_on_is_refused_where_nobody_needs_a_token(home: Path) -> None:
    with Team.started(home, "--allowed-host", "localhost") as team:
        passed_on = team.call("route", ASK, host="localhost", authorization=None, x_forwarded_for="10.0.0.9")
        assert (passed_on.status, passed_on.code) == (403, "forwarded_without_tokens")
        assert team.call("route", ASK, host="localhost", authorization=None).status == 200


# ------------------------------------------------------------------------------------------------------ TLS and proxies


def test_it_speaks_tls_itself(home: Path, alice: str, authority: Authority, trusting: ssl.SSLContext) -> None:
    file = str(certificate(authority))
    options = ("--host", "0.0.0.0", "--allowed-host", NAME, "--tls-cert", file, "--tls-key", file)
    with Team.started(home, *options) as team:
        team.tokens["alice"] = alice
        assert team.ask(team.calling("route", ASK), tls=trusting).status == 200
        assert team.ask(team.calling("route", ASK, by="x"), tls=trusting).code == "bad_token"
        assert team.call("route", ASK).status == 0  # in the clear nobody is heard


@pytest.mark.skipif(sys.platform != "linux" or not socket.has_dualstack_ipv6(), reason="as below, and takes both")
def test_an_address_is_the_same_on_a_socket_that_takes_both_kinds(home: Path, alice: str) -> None:
    options = ("--host", "::", "--allowed-host", NAME, "--behind-proxy", "127.0.0.2")
    with Team.started(home, *options) as team:
        team.tokens["alice"] = alice
        raw = team.calling("route", ASK)
        assert [team.ask(raw, source=f"127.0.0.{n}").status for n in (1, 2, 3)] == [200, 200, 403]
        assert team.ask(raw, source="127.0.0.3").code == "not_the_proxy"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a whole network of loopback addresses")
def test_in_the_clear_only_the_proxy_is_answered(home: Path, alice: str) -> None:
    options = ("--host", "0.0.0.0", "--allowed-host", NAME, "--behind-proxy", "127.0.0.2")
    with Team.started(home, *options) as team:
        team.tokens["alice"] = alice
        raw = team.calling("route", ASK)
        assert team.ask(raw, source="127.0.0.2").status == 200
        stranger = team.ask(raw, source="127.0.0.3")
        assert (stranger.status, stranger.code) == (403, "not_the_proxy")


def test_several_processes_behind_one_address_are_one_server(
    home: Path, alice: str, authority: Authority, trusting: ssl.SSLContext, ollama: FakeOllama
) -> None:
    (home / "config.toml").write_text(
        (home / "config.toml").read_text(encoding="utf-8") + "[hosts.opencode]\ncall_limit_s = 2\n", encoding="utf-8"
    )
    with (
        Team.started(home) as one,
        Team.started(home) as two,
        TlsProxy.before([one.port, two.port], authority.server(NAME)) as proxy,
    ):
        one.tokens["alice"] = alice

        def call(tool: str, arguments: dict[str, Any]) -> Any:
            answer = one.ask(one.calling(tool, arguments), tls=trusting, port=proxy.port)
            assert answer.status == 200, answer
            return answer

        decision = structured(call("route", ASK))["decisions"][0]["decision_id"]
        assert decision in call("explain", {"decision_id": decision}).told
        first = structured(call("dispatch", ASK | {"session": "new"}))
        again = structured(call("dispatch", ASK | {"session": first["session"]}))
        assert (again["status"], again["session"]) == ("completed", first["session"])
        running = structured(call("dispatch", HOLD))
        assert running["status"] == "running"
        ollama.enough.set()
        while (told := structured(call("dispatch", {"job_id": running["job_id"]})))["status"] == "running":
            pass  # one of the two carries it out, the other reads how it ended
        assert told["status"] == "completed"
        TokenBook(home / "state").revoke("alice", datetime.now(UTC))
        for _ in range(2):
            refused = one.ask(one.calling("route", ASK), tls=trusting, port=proxy.port)
            assert refused.code == "bad_token"


# ------------------------------------------------------------------------------------------------- floods and the slow


def test_a_flood_of_one_token_is_told_to_wait_and_nobody_else_is(team: Team) -> None:
    team.tokens["bob"] = token_of(team.home, "bob")
    head = {"Host": NAME, "Authorization": f"Bearer {team.tokens['alice']}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{team.port}", headers=head, trust_env=False) as client:
        answers = [client.delete("/mcp") for _ in range(1000)]
        assert team.call("route", ASK, "bob").status == 200
    refused = [one for one in answers if one.status_code == 429]
    assert len(refused) > 500
    assert {one.json()["error"]["data"]["code"] for one in refused} == {"too_often"}
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert len(team.log.read_text(encoding="utf-8").splitlines()) < 5


def test_a_flood_without_a_token_is_told_to_wait_and_nobody_else_is(team: Team) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{team.port}", headers={"Host": NAME}, trust_env=False) as client:
        # another name for oneself each time makes nobody another: that header is a proxy's
        answers = [client.get("/mcp", headers={"X-Forwarded-For": f"10.0.{n % 250}.1"}) for n in range(1000)]
        assert team.call("route", ASK).status == 200
    statuses = [one.status_code for one in answers]
    assert set(statuses) == {401, 429}
    assert statuses.count(429) > 500


def test_calls_at_the_same_time_are_limited_for_each_token(home: Path, alice: str) -> None:
    with Team.started(home, "--at-once", "2") as team:
        team.tokens |= {"alice": alice, "bob": token_of(home, "bob")}
        with team.streaming("/sse", "alice") as one, team.streaming("/sse", "alice") as two:
            one.until("data: ")
            two.until("data: ")
            assert team.call("route", ASK).code == "too_many_at_once"
            assert team.call("route", ASK, "bob").status == 200


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A server whose patience is short."""
    home = tmp_path_factory.mktemp("quick")
    token = token_of(home, "alice")
    with Team.started(home, before=QUICK) as team:
        team.tokens["alice"] = token
        yield team


@pytest.mark.parametrize("part", [b"", b"POST /mcp HTTP/1.1\r\nHost: ", b"POST /mcp HTTP/1.1\r\nX: y\r\n"])
def test_who_takes_for_ever_over_a_head_is_hung_up_on(quick: Team, part: bytes) -> None:
    assert quick.ask(part).status == 0


def test_who_takes_for_ever_over_a_second_head_is_hung_up_on(quick: Team) -> None:
    with socket.create_connection(("127.0.0.1", quick.port), timeout=PATIENCE_S) as wire:
        wire.sendall(quick.request("GET", "/healthz", by=None))
        assert heard(wire).status == 200
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        assert wire.recv(1) == b""


def test_who_takes_for_ever_over_a_body_is_told_so(quick: Team) -> None:
    slow = quick.ask(quick.request(body=b"{", content_length="100"))
    assert (slow.status, slow.code) == (408, "slow_body")
    slow = quick.ask(quick.request(body=b"5\r\n{", content_length=None, transfer_encoding="chunked"))
    assert (slow.status, slow.code) == (408, "slow_body")


def test_each_request_of_a_connection_shows_its_own_token(team: Team) -> None:
    good, bad = team.calling("route", ASK), team.calling("route", ASK, authorization=None)
    with socket.create_connection(("127.0.0.1", team.port), timeout=PATIENCE_S) as wire:
        wire.sendall(good + bad)
        first = wire.recv(65536)
        while b"no_token" not in first:
            more = wire.recv(65536)
            assert more, first
            first += more
    assert first.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 401" in first


def test_what_is_hidden_behind_a_length_is_no_request(team: Team) -> None:
    hidden = team.request("GET", "/healthz")
    body = b"0\r\n\r\n" + hidden
    raw = team.request(body=body, transfer_encoding="chunked")
    with socket.create_connection(("127.0.0.1", team.port), timeout=PATIENCE_S) as wire:
        wire.sendall(raw)
        assert heard(wire).code == "ambiguous_length"
        assert wire.recv(1) == b""


# -------------------------------------------------------------------------------------------- revocation, logs, the end


def test_a_stream_ends_when_its_token_is_revoked(team: Team) -> None:
    session = team.greeted("alice").headers["mcp-session-id"]
    with team.streaming("/sse", "alice") as older, team.streaming("/mcp", "alice", mcp_session_id=session) as newer:
        older.until("data: ")
        newer.until("text/event-stream")
        TokenBook(team.home / "state").revoke("alice", datetime.now(UTC))
        assert older.ended()
        assert newer.ended()
    assert team.call("route", ASK).code == "bad_token"


def test_tokens_that_cannot_be_read_let_nobody_in(team: Team) -> None:
    (team.home / "state/tokens.db").write_bytes(b"no database")
    answer = team.call("route", ASK)
    assert (answer.status, answer.code) == (503, "tokens_unreadable")
    (team.home / "state/tokens.db").unlink()
    assert team.call("route", ASK).status == 401


def test_no_token_stands_in_a_log_a_file_or_an_answer(home: Path, alice: str) -> None:
    with Team.started(home, level="DEBUG") as team:
        team.tokens["alice"] = alice
        wrong = token_of(home.parent / "elsewhere", "alice")
        answers = [
            team.call("dispatch", ASK | {"text": f"What is {alice} for?"}),
            team.call("dispatch", ASK | {"model": f"ollama/{alice}"}),
            team.greeted("alice"),
            team.call("route", ASK, wrong),
            team.ask(team.request("GET", f"/{alice}")),
            team.ask(team.request("GET", f"/mcp?{alice}")),
            team.ask(team.request(mcp_session_id=alice, body=b"{}")),
            team.ask(team.request(body=alice.encode())),
            team.ask(team.request(body=b"{}", lines=(f"Authorization: {alice}",))),
        ]
        log = team.log.read_text(encoding="utf-8")
    assert "bad_token" in log
    kept = [file for folder in (home, home / "state") for file in folder.rglob("*") if file.is_file()]
    for secret in (alice, wrong):
        assert [file for file in kept if secret[10:].encode() in file.read_bytes()] == []
        assert [one for one in answers if secret.encode() in one.body] == []


def test_calls_under_way_are_carried_through_after_a_signal(home: Path, alice: str, ollama: FakeOllama) -> None:
    with Team.started(home, "--grace", "30") as team, ThreadPoolExecutor() as pool:
        team.tokens["alice"] = alice
        call = pool.submit(team.call, "dispatch", HOLD)
        with team.streaming("/sse", "alice") as stream:  # nobody waits for streams
            stream.until("data: ")
            assert ollama.asked.wait(PATIENCE_S)
            team.process.send_signal(signal.SIGTERM)
            ollama.enough.set()
            assert structured(call.result(PATIENCE_S))["status"] == "completed"
        assert team.process.wait(PATIENCE_S) == 128 + signal.SIGTERM


def test_a_second_signal_waits_for_nobody(home: Path, alice: str, ollama: FakeOllama) -> None:
    with Team.started(home, "--grace", "100") as team, ThreadPoolExecutor() as pool:
        team.tokens["alice"] = alice
        call = pool.submit(team.call, "dispatch", HOLD)
        assert ollama.asked.wait(PATIENCE_S)
        team.process.send_signal(signal.SIGTERM)
        with suppress(ConnectionError):
            while team.ask(team.request("GET", "/healthz", by=None)).status:
                pass  # until nobody is let in any more
        team.process.send_signal(signal.SIGTERM)
        assert team.process.wait(PATIENCE_S) == 128 + signal.SIGTERM
        assert call.result(PATIENCE_S).status in (0, 200)


def test_a_server_that_would_refuse_every_call_is_not_ready(team: Team) -> None:
    ready = team.request("GET", "/readyz", by=None)
    assert (team.ask(ready).status, json.loads(team.ask(ready).body)) == (200, {"ready": True})
    (team.home / "config.toml").write_text("nonsense", encoding="utf-8")
    while (answer := team.ask(ready)).status == 200:
        pass  # what was found stands for a second
    assert (answer.status, json.loads(answer.body)) == (503, {"ready": False, "code": "policy_invalid"})
    assert team.ask(team.request("GET", "/healthz", by=None)).status == 200


def test_callers_that_hang_up_leave_no_word_behind(team: Team, ollama: FakeOllama) -> None:
    """On each transport: before the answer, in the middle of it, and while a message for the stream is on its way."""
    greeting = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "zed", "version": "1"}}
    hello = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": greeting}).encode()
    raw = team.calling("dispatch", HOLD)
    for sent in (team.calling("route", ASK), raw[: len(raw) - 20], raw[:90], raw):
        with socket.create_connection(("127.0.0.1", team.port)) as wire:
            wire.sendall(sent)
            assert sent is not raw or ollama.asked.wait(PATIENCE_S)
    for _ in range(8):
        with team.streaming("/sse", "alice") as stream:
            address = stream.until("/messages/").partition("data: ")[2].split()[0]
            post = socket.create_connection(("127.0.0.1", team.port))
            post.sendall(team.request(target=address, body=hello))
        post.close()
    assert team.ask(team.request(target="/messages/?session_id=" + "0" * 32, body=hello)).status == 404
    team.process.send_signal(signal.SIGTERM)
    team.process.wait(PATIENCE_S)
    assert [line for line in team.log.read_text(encoding="utf-8").splitlines() if "listening on" not in line] == []
