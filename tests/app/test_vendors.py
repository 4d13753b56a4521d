"""Vendors that speak chat completions: every example of docs/providers.md, asked of a server of that vendor's shape."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deciding import layer
from scripted_server import ScriptedServer, answer, scripted
from workbench import ALLOWED, Bench, done, only, reports

from smista_mcp.core.checking import check, faults
from smista_mcp.core.layering import merge
from smista_mcp.core.provider_specs import provider_specs
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort, Locality
from smista_mcp.core.vendors import VENDORS
from smista_mcp.errors import Code

PAGE = (Path(__file__).parents[2] / "docs/providers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
EXAMPLES = {
    name: next(b for b in reversed(BLOCKS) if f'[providers."openai-compat:{name}"]' in b and "my-finetune" not in b)
    for name in VENDORS
}


def delta(finish: str | None = None, /, **members: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": members, "finish_reason": finish}]}


def used(*counts: int, **further: Any) -> dict[str, Any]:
    asked, said, thought = counts
    details = {"completion_tokens_details": {"reasoning_tokens": thought}}
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said, **details, **further}


def sse(*events: Any, done: bool = True) -> list[bytes]:
    pieces = [event if isinstance(event, bytes) else f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return [*pieces, *([b"data: [DONE]\n\n"] if done else [])]


THINKS = "the canary of what is thought"
PLAIN = sse(delta(content="Hel"), delta(content="lo"), delta("stop"), {"choices": [], "usage": used(100, 30, 20)})
SHAPES: dict[str, Sequence[bytes]] = {
    "vllm": sse(delta(reasoning=THINKS), *PLAIN, done=False),
    "lmstudio": sse(delta(reasoning_content=THINKS), *PLAIN, done=False),
    "openrouter": sse(
        b": OPENROUTER PROCESSING\n\n",
        delta(content="", reasoning=THINKS, reasoning_details=[{"type": "reasoning.text", "text": THINKS}]),
        b": OPENROUTER PROCESSING\n\n",
        delta(content="Hello"),
        {**delta("stop", content=""), "provider": "Anthropic"},
        {"choices": [], "usage": used(100, 30, 20, cost=0.00078, cost_details={"upstream_inference_cost": None})},
    ),
    "groq": sse(
        {**delta(role="assistant", content=""), "x_groq": {"id": "req_1"}},
        delta(reasoning=THINKS),
        delta(content="Hello"),
        {**delta("stop"), "x_groq": {"id": "req_1", "usage": used(100, 30, 20, queue_time=0.01)}},
    ),
    "mistral": sse(
        delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": THINKS}]}]),
        delta(content=[{"type": "text", "text": "Hel"}]),
        delta(content="lo"),
        {**delta("stop", content=""), "usage": used(100, 30, 20)},
    ),
    "deepseek": sse(
        b": keep-alive\n\n",
        delta(content=None, reasoning_content=THINKS),
        delta(content="Hello", reasoning_content=None),
        {**delta("stop"), "usage": used(100, 30, 20, prompt_cache_hit_tokens=0, prompt_cache_miss_tokens=100)},
    ),
    "x-ai": sse(
        delta(content="Hello"),
        delta("stop"),
        {"choices": [], "usage": {**used(100, 10, 20), "total_tokens": 130}},
    ),
    "litellm": PLAIN,
    "portkey": PLAIN,
}
"""What each vendor's documentation shows of a stream."""


@dataclass(frozen=True)
class Told:
    """How a vendor is told things: the field for the longest answer, the effort in the body, and for what was asked."""

    most: str
    effort: dict[str, Any]
    ignored: Effort | None = None


TOLD = {
    "vllm": Told("max_tokens", {"reasoning_effort": "high"}),
    "lmstudio": Told("max_tokens", {"reasoning_effort": "high"}),
    "openrouter": Told("max_tokens", {"reasoning": {"effort": "high"}}),
    "groq": Told("max_completion_tokens", {"reasoning_effort": "high"}),
    "mistral": Told("max_tokens", {"reasoning_effort": "high"}),
    "deepseek": Told("max_tokens", {"reasoning_effort": "high"}),
    "x-ai": Told("max_completion_tokens", {"reasoning_effort": "high"}),
    "litellm": Told("max_tokens", {"reasoning_effort": "high"}),
    "portkey": Told("max_tokens", {"reasoning_effort": "high"}),
}
vendors = pytest.mark.parametrize("name", VENDORS)


def policy(name: str, server: ScriptedServer) -> str:
    """The example of the page, with its server here."""
    text = EXAMPLES[name]
    text = re.sub(r"^(base_url|api_key) = .*\n", "", text, flags=re.MULTILINE)
    key = "" if 'locality = "local"' in text else 'api_key = "${secret:VENDOR_KEY}"\n'
    head = f'[providers."openai-compat:{name}"]\n'
    assert head in text
    return ALLOWED + text.replace(head, f'{head}base_url = "{server.base_url}/v1"\n{key}')


def listed(name: str) -> dict[str, list[bytes]]:
    """The server's own list of models, for one that is asked because it stands on this machine."""
    model = re.search(r'model = "openai-compat:[a-z-]+/(.*)"', EXAMPLES[name])
    assert model
    facts = {"data": [{"id": model[1], "max_model_len": 65536}]}
    return {"/v1/models": answer(json.dumps(facts).encode())}


def asked(server: ScriptedServer) -> list[dict[str, Any]]:
    """The bodies of the requests for answers."""
    posts = [request for request in server.requests if request.startswith(b"POST /v1/chat/completions ")]
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in posts]


def test_every_vendor_has_its_example_and_its_row_in_the_table() -> None:
    assert set(SHAPES) == set(TOLD) == set(VENDORS)
    rows = {cells[1].strip("` "): cells for line in PAGE.splitlines() if len(cells := line.split("|")) == 7}
    for name, row in VENDORS.items():
        _, _, address, key, effort, _, _ = rows[name]
        assert address.strip("` ") == (row.base_url or "yours")
        assert key.strip("` ") == (row.key_variable or ("yours" if row.base_url is None else ""))
        assert effort.strip("` ") == ".".join(row.effort)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_example_is_a_policy_without_a_finding(number: int) -> None:
    own = layer(ALLOWED + BLOCKS[number])
    merged = merge([own])
    assert faults([own], merged) == ()
    assert check([own], merged) == ()


@vendors
def test_an_empty_table_is_enough_where_an_address_is_customary(name: str) -> None:
    row, provider = VENDORS[name], f"openai-compat:{name}"
    found = provider_specs([layer(f'[providers."{provider}"]\n')])
    if row.base_url is None:
        assert provider not in found
        return
    spec = found[provider].value
    assert (spec.base_url, spec.key_variable, spec.locality) == (row.base_url, row.key_variable, Locality.REMOTE)


@vendors
def test_a_customary_key_does_not_go_to_an_address_of_somebodys_own(name: str) -> None:
    text = f'[providers."openai-compat:{name}"]\nbase_url = "https://elsewhere.example/v1"\n'
    assert provider_specs([layer(text)])[f"openai-compat:{name}"].value.key_variable is None


@vendors
def test_a_public_address_of_a_vendor_is_not_local(name: str) -> None:
    if not (VENDORS[name].base_url or "").startswith("https"):
        return
    own = layer(f'[providers."openai-compat:{name}"]\nlocality = "local"\n')
    assert {(fault.code, fault.at) for fault in faults([own], merge([own]))} == {
        ("invalid_enum", f'providers."openai-compat:{name}".locality')
    }


@pytest.mark.anyio
@vendors
async def test_a_vendor_is_asked_and_heard_as_its_documentation_says(name: str, bench: Bench) -> None:
    headers = ("x-litellm-response-cost: 0.0001",) if name == "litellm" else ()
    async with scripted(*answer(*SHAPES[name], headers=headers), routes=listed(name)) as server:
        app = bench.app(policy(name, server), VENDOR_KEY="made-up")
        told = await done(app, Task(text="what is a monad?", effort=Effort.HIGH))

    phase, (report,) = only(told), reports(app, told)
    assert (phase.status, phase.answer, phase.code) == ("completed", "Hello", None)
    assert THINKS not in told.model_dump_json()
    (body,) = asked(server)
    assert body[TOLD[name].most] > 0
    assert TOLD[name].effort.items() <= body.items()
    assert ("stream_options" in body) is VENDORS[name].counts
    assert report.receipt is not None
    assert (report.receipt.effort, report.receipt.effort_ignored) == (Effort.HIGH, TOLD[name].ignored)
    assert phase.usage is not None
    assert (phase.usage.output_tokens, phase.usage.reasoning_tokens) == (30, 20)
    key = b"authorization: bearer made-up" in b"".join(server.requests).lower()
    assert key is ('locality = "local"' not in EXAMPLES[name])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "events", "code"),
    [
        (
            "openrouter",
            [{**delta("error"), "error": {"code": 429, "message": "slow"}}],
            Code.PROVIDER_RATE_LIMITED,
        ),
        ("openrouter", [delta("error")], Code.PROVIDER_UNAVAILABLE),
        ("deepseek", [delta("insufficient_system_resource", content="")], Code.PROVIDER_UNAVAILABLE),
        ("vllm", [delta("abort")], Code.PROVIDER_UNAVAILABLE),
        ("mistral", [delta("error")], Code.PROVIDER_UNAVAILABLE),
    ],
)
async def test_an_answer_that_its_vendor_gives_up_is_none(
    name: str, events: list[Any], code: Code, bench: Bench
) -> None:
    async with scripted(*answer(*sse(delta(content="Hel"), *events)), routes=listed(name)) as server:
        app = bench.app(policy(name, server) + "[dispatch]\nmax_retries = 0\n", VENDOR_KEY="made-up")
        told = await done(app, Task(text="what is a monad?"))
    assert (only(told).status, only(told).answer) == ("failed", None)
    assert [row[2] for row in bench.attempts(told)] == [code]


@pytest.mark.anyio
async def test_what_deepseek_thought_goes_back_with_the_calls_that_followed(bench: Bench) -> None:
    bench.write("src/answer.py", "def answer():\n    return 41 + 1\n")
    arguments = json.dumps({"path": "src/answer.py"})
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "read_file", "arguments": arguments}}
    looks = sse(
        delta(reasoning_content="I look "),
        delta(reasoning_content="first"),
        delta(tool_calls=[call]),
        delta("tool_calls"),
    )
    async with scripted(*answer(*looks), routes=listed("deepseek")) as server:
        app = bench.app(policy("deepseek", server), VENDOR_KEY="made-up")
        await done(app, Task(text="review how the answer is computed in src"))
    first, second, *_ = asked(server)
    assert "I look first" not in json.dumps(first)
    (turn,) = [message for message in second["messages"] if message.get("tool_calls")]
    assert turn["reasoning_content"] == "I look first"
