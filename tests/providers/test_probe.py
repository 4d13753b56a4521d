import json
import math
import time
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest
from scripted_server import ScriptedServer, Step, answer, scripted

from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.values import Locality
from smista_mcp.providers.llamacpp import EmbeddedServers, EmbeddedSettings
from smista_mcp.providers.probe import ProbeTarget, parse_answer, probe_all, whole_size

TAGS = {"models": [{"name": "qwen2.5-coder:7b"}, {"name": "llama3:latest"}, {"name": "glm:cloud"}]}
SHOW = {"model_info": {"qwen2.context_length": 32_768}, "capabilities": ["completion", "tools"]}
LISTING = {"data": [{"id": "my-model", "max_model_len": 4096}]}


def whole(body: object, *, status: str = "200 OK", length: int | None = None) -> list[bytes]:
    text = json.dumps(body).encode()
    size = len(text) if length is None else length
    return [f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + text]


def a_target(
    server: ScriptedServer,
    kind: str = "ollama",
    *,
    path: str = "",
    key: str | None = None,
    wanted: tuple[str, ...] = (),
) -> ProbeTarget:
    return ProbeTarget("p", kind, server.base_url + path, Locality.LOCAL, key=key, wanted=wanted)


async def look(*targets: ProbeTarget, deadline_s: float = 2.0) -> dict[str, ProviderFacts]:
    return await anyio.to_thread.run_sync(partial(probe_all, targets, deadline_s=deadline_s))


@pytest.mark.anyio
async def test_ollama_tells_its_models_and_shows_those_that_are_asked_for() -> None:
    routes = {"/api/tags": whole(TAGS), "/api/show": whole(SHOW)}
    async with scripted(routes=routes) as server:
        facts = (await look(a_target(server, wanted=("qwen2.5-coder",))))["p"]
    assert (facts.locality, facts.reachable, facts.credentials) == (Locality.LOCAL, True, True)
    assert facts.models == {
        "qwen2.5-coder:7b": LiveModel("qwen2.5-coder:7b", 32_768, frozenset({"tools", "json"})),
        "llama3:latest": LiveModel("llama3:latest"),
        "glm:cloud": LiveModel("glm:cloud", forwards=True),
    }
    assert [request.split(b" ")[0] for request in server.requests] == [b"GET", b"POST"]
    assert server.requests[1].endswith(b'{"model": "qwen2.5-coder:7b"}')


@pytest.mark.anyio
async def test_a_show_that_fails_leaves_what_the_list_said() -> None:
    for failing in (whole({"error": "x"}, status="500 Oops"), [b"garbage"], [Step.RESET]):
        async with scripted(routes={"/api/tags": whole(TAGS), "/api/show": failing}) as server:
            facts = (await look(a_target(server, wanted=("llama3",))))["p"]
        assert facts.models is not None
        assert facts.models["llama3:latest"] == LiveModel("llama3:latest")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "script", [whole(LISTING), answer(json.dumps(LISTING)[:20].encode(), json.dumps(LISTING)[20:].encode())]
)
async def test_a_compatible_server_tells_its_models(script: list[bytes]) -> None:
    async with scripted(routes={"/v1/models": script}) as server:
        facts = (await look(a_target(server, "openai-compat", path="/v1", key="the-key")))["p"]
    assert facts.models == {"my-model": LiveModel("my-model", context_window=4096)}
    assert b"Authorization: Bearer the-key\r\n" in server.requests[0]


@pytest.mark.anyio
async def test_an_answer_may_end_with_the_connection() -> None:
    async with scripted(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(LISTING).encode()) as server:
        facts = (await look(a_target(server, "openai-compat")))["p"]
    assert facts.models


@pytest.mark.anyio
async def test_a_real_llamacpp_tells_the_window_of_one_request(tiny_model: Path) -> None:
    async with EmbeddedServers(EmbeddedSettings(threads=1)) as servers, servers.use(tiny_model, 1024) as server:
        endpoint = server.endpoint
        target = ProbeTarget("p", "openai-compat:mine", endpoint.base_url, Locality.LOCAL, key=endpoint.key)
        facts = (await look(target))["p"]
    assert facts.models == {"tiny": LiveModel("tiny", context_window=1024)}


@pytest.mark.anyio
async def test_a_server_that_wants_a_key_is_there_but_closed() -> None:
    async with scripted(*whole({"error": "no"}, status="401 Unauthorized")) as server:
        facts = (await look(a_target(server, "openai-compat")))["p"]
    assert (facts.reachable, facts.credentials, facts.models) == (True, False, None)


@pytest.mark.anyio
async def test_a_server_without_a_list_is_there() -> None:
    async with scripted(*whole({"detail": "Not Found"}, status="404 Not Found")) as server:
        facts = (await look(a_target(server, "openai-compat")))["p"]
    assert (facts.reachable, facts.credentials, facts.models) == (True, True, None)


@pytest.mark.anyio
async def test_nobody_at_the_address_is_unreachable() -> None:
    async with scripted() as server:
        pass
    facts = (await look(a_target(server)))["p"]
    assert facts.reachable is False
    assert str(server.port) in facts.detail


@pytest.mark.anyio
@pytest.mark.parametrize(
    "script",
    [
        [b"SSH-2.0-OpenSSH\r\n"],
        [b""],
        [b"HTTP/1.1 200 OK\r\n\r\n<html>"],
        [b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000],
        whole(TAGS, length=10_000),
        whole({"data": []}),
        whole([1]),
        [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 20],
        [Step.RESET],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}"],
    ],
)
async def test_whatever_else_answers_is_no_model_server(script: list[bytes | Step]) -> None:
    async with scripted(*script) as server:
        facts = (await look(a_target(server)))["p"]
    assert (facts.reachable, facts.models) == (False, None)
    assert facts.detail


@pytest.mark.anyio
@pytest.mark.parametrize("script", [[Step.STALL], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Step.STALL]])
async def test_a_silent_server_ends_at_the_deadline_and_harms_no_other(script: list[bytes | Step]) -> None:
    async with scripted(*script) as silent, scripted(*whole(TAGS)) as server:
        targets = [ProbeTarget(f"silent {n}", "ollama", silent.base_url, Locality.LOCAL) for n in range(3)]
        facts = await look(*targets, a_target(server), deadline_s=0.15)
    assert [facts[target.name].reachable for target in targets] == [False] * 3
    assert facts["p"].reachable is True


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1:11434", "https://api.example/v1", "http://127.0.0.1@evil.example", ""]
)
def test_only_loopback_is_ever_asked(address: str) -> None:
    facts = probe_all([ProbeTarget("p", "ollama", address, Locality.REMOTE)])["p"]
    assert (facts.reachable, facts.models) == (None, None)  # not asked: False would be no answer


def test_no_target_is_no_question() -> None:
    assert probe_all([]) == {}


def test_a_key_is_in_no_text_of_a_target() -> None:
    assert "hush" not in repr(ProbeTarget("p", "ollama", "http://127.0.0.1", Locality.LOCAL, key="hush"))


def test_an_answer_is_as_long_as_its_headers_say() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
    assert whole_size(head) == whole_size(head + b"{}") == len(head) + 2
    assert whole_size(head[:-2]) == math.inf
    assert whole_size(b"HTTP/1.1 200 OK\r\n\r\n{}") == math.inf
    assert whole_size(head.replace(b"2\r", b"9" * 5000 + b"\r")) == math.inf


def test_many_small_chunks_are_put_together_in_linear_time() -> None:
    many = 170_000
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * many + b"0\r\n\r\n"
    assert parse_answer(answer, end=time.monotonic() + 2) == (200, b" " * many)


def test_reading_an_answer_ends_at_the_deadline() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n"
    with pytest.raises(TimeoutError):
        parse_answer(answer, end=time.monotonic())


def test_a_chunked_answer_is_put_together() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    assert parse_answer(answer) == (200, b"{}")
