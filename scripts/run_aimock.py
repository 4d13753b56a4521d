"""Ask npm's `@copilotkit/aimock`, a model server that nobody here wrote, in every protocol that smista speaks.

    python scripts/run_aimock.py [--package DIR] [--version 1.43.0]

Needs node. The package is installed with npm into a folder that goes with the run, unless DIR has it in its
`node_modules`. For each of chat completions, Responses, Anthropic, Gemini and Ollama, through the whole product as
`dispatch` does it: an answer with its counts, one behind reasoning, tools called and answered, a length stop, a
filtered answer, refusals by status, streams that are cut or broken off, and its chaos modes. Then each answer once
more where no stream is asked for, by the decoders alone, Gemini's also as a list of chunks.

One line a case, exit status 1 where any came out otherwise than expected.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import httpx

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from decoding import heard  # noqa: E402
from workbench import ALLOWED, Bench, default  # noqa: E402

from smista_mcp.core.task import Task  # noqa: E402
from smista_mcp.core.values import Effort, Intent  # noqa: E402
from smista_mcp.dispatch.connections import PROTOCOLS  # noqa: E402
from smista_mcp.errors import ProviderError  # noqa: E402
from smista_mcp.providers.base import CompletionRequest, Message  # noqa: E402

PACKAGE = "@copilotkit/aimock"
KEYS = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"), "a-key")
ANSWER = "A unit test checks one small part of a program."
USED = {"prompt_tokens": 1500, "completion_tokens": 11, "total_tokens": 1511}

UNCOUNTED = ("ollama",)
"""Where it says that it read and wrote nothing."""


class Way(NamedTuple):
    """How a protocol is spoken to: its adapter by name, and where it stands behind the server's address."""

    model: str
    kind: str
    base: str


WAYS = {
    "chat": Way("openai-compat:mock/m", "openai-compat", "/v1"),
    "responses": Way("openai/gpt-5.5", "openai", "/v1"),
    "anthropic": Way("anthropic/claude-opus-5", "anthropic", ""),
    "gemini": Way("gemini/gemini-3.5-flash", "gemini", ""),
    "ollama": Way("ollama/m", "ollama", ""),
}


@dataclass(frozen=True)
class Case:
    """What the server does, and what has to come of it.

    Attributes:
        word: stands in the task, and in no other.
        fixtures: what it says, in its own words: response and options.
        answer: what the host gets; None where it gets none.
        code: of the phase.
        others: answer and code for protocols where they differ.
        said: stands in the detail.
        without: protocols for which the server has no such thing.
    """

    word: str
    fixtures: tuple[dict[str, Any], ...]
    answer: str | None = ANSWER
    code: str | None = None
    said: str = ""
    without: tuple[str, ...] = ()
    others: dict[str, tuple[str | None, str | None]] = field(default_factory=dict[str, "tuple[str | None, str | None]"])

    @property
    def fine(self) -> bool:
        """Whether the server gives the whole answer, and all that is asked of it."""
        return all(set(one) <= {"match", "response"} and "error" not in one["response"] for one in self.fixtures)


def error(status: int, kind: str, message: str = "no") -> tuple[dict[str, Any]]:
    """A refusal."""
    return ({"response": {"error": {"message": message, "type": kind}, "status": status}},)


def chaos(**rates: float) -> tuple[dict[str, Any]]:
    """An answer that never arrives whole."""
    return ({"response": {"content": ANSWER}, "chaos": rates},)


TOOL = {"name": "read_file", "arguments": {"path": "a.py"}}
CASES = (
    Case("plain", ({"response": {"content": ANSWER, "usage": USED}},)),
    Case("thoughtful", ({"response": {"content": ANSWER, "reasoning": "Let me think.", "usage": USED}},)),
    Case(
        "looking",
        (
            {"match": {"hasToolResult": True}, "response": {"content": ANSWER, "usage": USED}},
            {"match": {"hasToolResult": False}, "response": {"toolCalls": [TOOL], "usage": USED}},
        ),
    ),
    Case(
        "talkative",
        (
            {"match": {"hasToolResult": True}, "response": {"content": ANSWER, "usage": USED}},
            {
                "match": {"hasToolResult": False},
                "response": {"content": "I look.", "toolCalls": [TOOL, TOOL], "usage": USED},
            },
        ),
    ),
    Case(
        "lengthy",
        ({"response": {"content": ANSWER, "finishReason": "length", "usage": USED}},),
        said="length",
        without=("ollama",),
    ),
    Case(
        "filtered",
        ({"response": {"content": "I can", "finishReason": "content_filter"}},),
        answer="I can",
        said="content filter",
        without=("ollama",),
        others={"responses": (None, "provider_unavailable")},  # it says `failed` there, and names no reason
    ),
    Case("blank", ({"response": {"content": " \n", "usage": USED}},), answer=None, code="empty_completion"),
    Case("wrong", error(400, "invalid_request_error"), answer=None, code="provider_invalid_request"),
    Case(
        "overlong",
        error(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
        None,
        "context_window_exceeded",
    ),
    Case("keyless", error(401, "authentication_error"), answer=None, code="provider_auth"),
    Case("poor", error(402, "billing_error"), answer=None, code="provider_rate_limited"),
    Case("forbidden", error(403, "permission_error"), answer=None, code="provider_auth"),
    Case("nobody", error(404, "not_found_error", "model: nobody not found"), answer=None, code="unknown_model"),
    Case("huge", error(413, "request_too_large"), answer=None, code="context_window_exceeded"),
    Case("busy", error(429, "rate_limit_error"), answer=None, code="provider_rate_limited"),
    Case("failing", error(500, "api_error"), answer=None, code="provider_unavailable"),
    Case("absent", error(503, "service_unavailable"), answer=None, code="provider_unavailable"),
    Case("slow", error(504, "timeout_error"), answer=None, code="provider_timeout"),
    Case("overloaded", error(529, "overloaded_error"), answer=None, code="provider_unavailable"),
    Case("shortened", ({"response": {"content": ANSWER}, "truncateAfterChunks": 3},), None, "provider_protocol"),
    Case(
        "interrupted",
        ({"response": {"content": ANSWER * 9}, "latency": 20, "disconnectAfterMs": 60},),
        answer=None,
        code="provider_protocol",
    ),
    Case("dropped", chaos(dropRate=1), answer=None, code="provider_unavailable"),
    Case("garbled", chaos(malformedRate=1), answer=None, code="provider_protocol"),
    Case("disconnected", chaos(disconnectRate=1), answer=None, code="provider_protocol"),
    Case("limited", chaos(rateLimitRate=1), answer=None, code="provider_rate_limited"),
)


def fixtures() -> dict[str, Any]:
    """All cases in the words of the server. The first fixture that matches holds."""
    found: list[dict[str, Any]] = []
    for case in CASES:
        for fixture in case.fixtures:
            match = {"userMessage": f"{case.word} unit test", **fixture.get("match", {})}
            found.append({**fixture, "match": match})
    found.append({"match": {"userMessage": "never asked", "model": "m"}, "response": {"content": "-"}})
    return {"fixtures": found}


# ------------------------------------------------------------------------------------------------------------ server


def installed(options: argparse.Namespace, folder: Path) -> Path:
    """The server's program, installed where nobody names a folder that has it."""
    if options.package is None:
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("npm is needed, with node 20 or later")
        wanted = f"{PACKAGE}@{options.version}" if options.version else PACKAGE
        told = ["--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--prefix", str(folder), wanted]
        subprocess.run([npm, "install", *told], check=True, cwd=folder)
    package = (options.package or folder) / "node_modules" / PACKAGE
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    print(f"{PACKAGE} {version}")
    return package / "dist" / "cli.js"


@contextmanager
def serving(program: Path, folder: Path) -> Generator[str]:
    """The address of the server while the block lasts."""
    script = folder / "fixtures.json"
    script.write_text(json.dumps(fixtures()), encoding="utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = ["node", str(program), "-p", str(port), "-f", str(script), "--chunk-size", "8", "--log-level", "warn"]
    process = subprocess.Popen([*command, "--validate-on-load"], cwd=folder)
    try:
        for _ in range(200):
            with suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/health")
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


# ------------------------------------------------------------------------------------------------- the whole product


def policy(root: str) -> str:
    """Every protocol at the same server."""
    text = ALLOWED + default("openai-compat:mock/m") + "[dispatch]\nmax_retries = 0\n"
    for way in WAYS.values():
        name = way.model.partition("/")[0]
        text += f'[providers."{name}"]\nbase_url = "{root}{way.base}"\n'
        # A local Ollama is asked first whether it passes a model on, which this server cannot say.
        text += 'locality = "remote"\n' if name == "ollama" else ""
    facts = "context_window = 32768\ncapabilities = { tools = true }\n"
    text += f'[catalog."openai-compat:mock/m"]\n{facts}input_price = "1"\noutput_price = "1"\n'
    return text + f'[catalog."ollama/m"]\n{facts}'


async def asked(bench: Bench, root: str, name: str, case: Case) -> tuple[str, list[str]]:
    """What became of one case, and what is wrong with that."""
    app = bench.app(policy(root), **KEYS)
    task = Task(text=f"explain the {case.word} unit test", intent=Intent.ANALYZE, model=WAYS[name].model)
    async with app.running():
        with anyio.fail_after(60):
            told = await app.dispatch(task)
    (phase,) = told.phases
    wrong: list[str] = []
    if (phase.answer, phase.code) != case.others.get(name, (case.answer, case.code)):
        wrong.append(f"{phase.status} {phase.code} {phase.answer!r}: {phase.detail}")
    if case.said not in phase.detail and name not in case.others:
        wrong.append(f"`{case.said}` is not in: {phase.detail}")
    used = phase.usage
    counted = any("usage" in fixture["response"] for fixture in case.fixtures) and name not in UNCOUNTED
    counts, rounds = (used.input_tokens, used.output_tokens), len(case.fixtures)
    if case.answer and counted and counts != (USED["prompt_tokens"] * rounds, USED["completion_tokens"] * rounds):
        wrong.append(f"counts {used}")
    return f"{phase.status} {phase.code or ''} {counts[0]}/{counts[1]}", wrong


# ------------------------------------------------------------------------------------------------------ not streamed


def whole(root: str, name: str, case: Case) -> Iterator[tuple[str, str, bool]]:
    """The same answer where no stream is asked for, in every form that the protocol has."""
    way = WAYS[name]
    protocol = PROTOCOLS[way.kind]
    request = CompletionRequest(way.model.partition("/")[2], (Message("user", f"{case.word} unit test"),), Effort.LOW)
    request = replace(request, prompt_tokens=USED["prompt_tokens"])
    wire = protocol.encode(request)
    body = json.dumps({**json.loads(wire.body), "stream": False}).encode() if name != "gemini" else wire.body
    forms = {"whole": wire.path}
    if name == "gemini":
        path = wire.path.partition("?")[0]
        forms = {"whole": path.replace("streamGenerateContent", "generateContent"), "list": path}
    for form, path in forms.items():
        answer = httpx.post(root + way.base + path, content=body, headers={"content-type": "application/json"})
        try:
            text, calls, end = heard(protocol, [answer.content], request)
        except ProviderError as failure:
            yield form, f"{failure.code}: {failure.message}", case.others.get(name, ("", ""))[1] == failure.code
            continue
        made = [(call.name, json.loads(call.arguments)) for call in calls]
        wanted = [(call["name"], call["arguments"]) for call in case.fixtures[-1]["response"].get("toolCalls", ())]
        expected = case.fixtures[-1]["response"].get("content", "")
        stop = {"lengthy": "length", "filtered": "content_filter"}.get(case.word, "tool_calls" if wanted else "stop")
        good = (text, made, end.stop_reason) == (expected, wanted, stop)
        yield form, f"{end.stop_reason} {len(text)} characters, {len(calls)} calls, {end.usage.input_tokens} in", good


async def run(options: argparse.Namespace) -> int:
    """Runs every case; how many failed."""
    failed = count = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(folder / "home", folder / "work")
        for made in (bench.home, bench.workspace):
            made.mkdir()
        bench.write("a.py", "print(1)\n")
        with serving(installed(options, folder), folder) as root:
            for protocol in WAYS:
                for case in CASES:
                    if protocol in case.without:
                        continue
                    told, wrong = await asked(bench, root, protocol, case)
                    failed, count = failed + bool(wrong), count + 1
                    print(f"{'FAILED' if wrong else 'ok':6} {protocol:10} {case.word:13} streamed {told}", flush=True)
                    for line in wrong:
                        print(f"       {line}")
                    for form, said, good in whole(root, protocol, case) if case.fine else ():
                        failed, count = failed + (not good), count + 1
                        print(
                            f"{'ok' if good else 'FAILED':6} {protocol:10} {case.word:13} {form:8} {said}", flush=True
                        )
    print(f"{count} cases, {failed} otherwise than expected")
    return failed


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="a folder that has it in its node_modules")
    parser.add_argument("--version", default="", help="of the package, where it is installed here")
    return 1 if anyio.run(run, parser.parse_args()) else 0


if __name__ == "__main__":
    sys.exit(main())
