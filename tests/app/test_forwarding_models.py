"""A model that a local server passes on to another machine is remote, whatever the server says or keeps to itself."""

import json
from collections.abc import Mapping

import anyio.to_thread
import pytest
from scripted_server import ScriptedServer, scripted
from workbench import ALLOWED, Bench, default, ollama, only

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.core.values import Locality
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
TASK = Task(text="explain secrets/plan.txt")
DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 400, "eval_count": 1}
CHAT = {"message": {"role": "assistant", "content": "hi"}, **DONE}
ELSEWHERE = {"remote_host": "https://ollama.com", "remote_model": "x"}


def whole(body: object, status: str = "200 OK") -> list[bytes]:
    text = json.dumps(body).encode() + b"\n"
    return [f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text]


def tags(*names: str) -> list[bytes]:
    return whole({"models": [{"name": name, "model": name} for name in names]})


def routes(listing: list[bytes], shown: object) -> Mapping[str, list[bytes]]:
    return {"/api/tags": listing, "/api/show": whole(shown), "/api/chat": whole(CHAT)}


def sent(server: ScriptedServer) -> list[bytes]:
    return [request for request in server.requests if b"/api/chat" in request.split(b"\r\n")[0]]


async def asked(bench: Bench, *targets: str, listing: list[bytes], shown: object) -> tuple[DispatchAnswer, list[bytes]]:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    async with scripted(routes=routes(listing, shown)) as server:
        app = bench.app(default(*targets) + ollama(server.base_url))
        async with app.running():
            answer = await app.dispatch(TASK)
        return answer, sent(server)


@pytest.mark.parametrize("model", ["gpt-oss:120b-cloud", "glm:cloud", "GLM-Cloud:latest", "m"])
async def test_a_server_that_does_not_list_its_models_is_sent_nothing(bench: Bench, model: str) -> None:
    answer, heard = await asked(bench, f"ollama/{model}", listing=whole({"error": "x"}, "500 no"), shown={})
    expected = Code.PROVIDER_UNAVAILABLE if model == "m" else Code.RESTRICTED_CONTENT
    assert (answer.status, only(answer).code, heard) == ("refused", expected, [])


async def test_the_name_counts_where_the_server_lists_it_as_its_own(bench: Bench) -> None:
    answer, heard = await asked(bench, "ollama/gpt-oss:120b-cloud", listing=tags("gpt-oss:120b-cloud"), shown={})
    assert (answer.status, only(answer).code, heard) == ("refused", Code.RESTRICTED_CONTENT, [])


async def test_a_listed_cloud_name_is_remote_in_a_decision(bench: Bench) -> None:
    async with scripted(routes=routes(tags("glm-cloud:latest"), {})) as server:
        app = bench.app(default("ollama/glm-cloud") + ollama(server.base_url) + ALLOWED)
        (decision,) = (await anyio.to_thread.run_sync(app.route, Task(text="What is a mutex?"))).decisions
    assert decision.locality is Locality.REMOTE


@pytest.mark.parametrize("number", [1, 12])
async def test_every_named_model_is_asked_before_it_is_sent_anything(bench: Bench, number: int) -> None:
    names = [f"m{place}" for place in range(number)]
    targets = [f"ollama/{name}" for name in names]
    _, heard = await asked(bench, *targets, listing=tags(*(f"{name}:latest" for name in names)), shown=ELSEWHERE)
    assert heard == []


async def test_a_model_of_the_local_class_is_asked_before_it_is_sent_anything(bench: Bench) -> None:
    answer, heard = await asked(bench, "class:local", listing=tags("m:latest"), shown=ELSEWHERE)
    assert (only(answer).code, heard) == (Code.PROVIDER_UNAVAILABLE, [])


async def test_a_model_that_its_server_vouches_for_is_asked(bench: Bench) -> None:
    answer, heard = await asked(bench, "class:local", listing=tags("m:latest"), shown={"model_info": {}})
    assert (answer.status, len(heard)) == ("completed", 1)
    assert CANARY.encode() in heard[0]


async def test_a_name_with_white_space_breaks_no_call(bench: Bench) -> None:
    listing = tags("my model", "class:local", "/", "\u2003x")
    async with scripted(routes=routes(listing, {})) as server:
        app = bench.app(default("class:local") + ollama(server.base_url))
        (decision,) = (await anyio.to_thread.run_sync(app.route, TASK)).decisions
    assert "my model" not in decision.model_dump_json()


@pytest.mark.parametrize("count", [10**25, -1, 1.5])
async def test_an_absurd_count_of_tokens_loses_no_answer(bench: Bench, count: float) -> None:
    said = whole({**CHAT, "eval_count": count, "prompt_eval_count": count})
    async with scripted(routes={**routes(tags("m"), {}), "/api/chat": said}) as server:
        app = bench.app(default("ollama/m") + ollama(server.base_url))
        async with app.running():
            answer = await app.dispatch(Task(text="What is a mutex?"))
    assert (answer.status, only(answer).usage.output_tokens) == ("completed", None)
    assert bench.attempts(answer) == [("ollama/m", "completed", None)]
