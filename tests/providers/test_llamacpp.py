import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from decoding import a_request

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import CompletionRequest, Endpoint, Finished, TextDelta, Timeouts
from smista_mcp.providers.llamacpp import CHILD, EmbeddedServer, EmbeddedServers, EmbeddedSettings
from smista_mcp.providers.openai_compat import OpenAiCompat
from smista_mcp.providers.probe import parse_answer
from smista_mcp.providers.sender import Sender
from smista_mcp.providers.targets import LocalTarget

pytestmark = pytest.mark.anyio

SETTINGS = EmbeddedSettings(threads=1)
ROOT = Path(__file__).parents[2]
PARENT = """
import sys, time, anyio
from pathlib import Path
from smista_mcp.providers.llamacpp import EmbeddedServer, EmbeddedSettings

async def main():
    server = await EmbeddedServer.start(Path(sys.argv[1]), 2048, EmbeddedSettings(threads=1))
    print(server.endpoint.base_url, flush=True)
    await anyio.sleep(60)

anyio.run(main)
"""


async def ask(endpoint: Endpoint, request: CompletionRequest | None = None) -> tuple[str, Finished]:
    protocol, asked = OpenAiCompat(), request or a_request(max_output_tokens=8, temperature=0.0)
    async with Sender(lambda: 0.0) as sender:
        stream = sender.stream(
            protocol.encode(asked),
            protocol.decoder(asked),
            target=LocalTarget(endpoint.base_url, endpoint.key),
            timeouts=Timeouts(),
            protocol=protocol,
        )
        events = [event async for event in stream]
    end = events[-1]
    assert isinstance(end, Finished)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), end


def port_of(base_url: str) -> int:
    return int(base_url.rpartition(":")[2].partition("/")[0])


def get(port: int, path: str, *headers: str) -> tuple[int, bytes, bytes]:
    """Status, head and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        lines = [f"GET {path} HTTP/1.0", "Host: 127.0.0.1", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    status, body = parse_answer(answer)
    return status, answer.partition(b"\r\n\r\n")[0], body


async def until_closed(port: int) -> None:
    with anyio.fail_after(10):
        while True:
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                return
            await stream.aclose()
            await anyio.sleep(0.005)


def told_by_system(pid: int, what: str) -> list[bytes]:
    return [entry for entry in Path(f"/proc/{pid}/{what}").read_bytes().split(b"\0") if entry]


def our_children() -> list[int]:
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == os.getpid() and str(CHILD).encode() in command:
            found.append(int(process.name))
    return found


async def test_a_model_file_answers(tiny_model: Path) -> None:
    async with EmbeddedServers(SETTINGS) as servers, servers.use(tiny_model, 2048) as server:
        text, end = await ask(server.endpoint)
    assert text
    assert (end.stop_reason, end.model) == ("length", "tiny")
    assert end.usage.output_tokens == 8
    assert end.usage.input_tokens


async def test_a_server_stays_warm_and_ends_with_its_owner(tiny_model: Path) -> None:
    async with EmbeddedServers(SETTINGS) as servers:
        async with servers.use(tiny_model, 2048) as first:
            await ask(first.endpoint)
        async with servers.use(tiny_model, 1024) as second:
            await ask(second.endpoint)
        assert first is second
        assert our_children() == [first.pid]
    await until_closed(port_of(first.endpoint.base_url))
    assert our_children() == []


async def test_two_servers_share_neither_port_nor_key(tiny_model: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(tiny_model, tmp_path / "other model ü.gguf"))
    async with (
        EmbeddedServers(SETTINGS) as servers,
        servers.use(tiny_model, 2048) as one,
        servers.use(other, 2048) as two,
    ):
        assert one.endpoint.key != two.endpoint.key
        assert one.endpoint.base_url != two.endpoint.base_url
        assert (await ask(two.endpoint))[1].model == "other model ü"
        with pytest.raises(ProviderError) as failure:
            await ask(Endpoint(one.endpoint.base_url, two.endpoint.key))
    assert failure.value.code is Code.PROVIDER_AUTH


async def test_without_the_key_nothing_but_health_is_told(tiny_model: Path) -> None:
    async with EmbeddedServers(SETTINGS) as servers, servers.use(tiny_model, 2048) as server:
        port, key = port_of(server.endpoint.base_url), server.endpoint.key
        for path in (
            "/v1/models",
            "/props",
            "/slots",
            "/metrics",
            "/tokenize",
            "/v1/chat/completions",
            "/",
            "/index.html",
        ):
            assert get(port, path)[0] in (401, 404), path
        told = get(port, "/props", f"Authorization: Bearer {key}", "Origin: http://evil.example")
        assert told[0] == 200
        assert b"evil.example" not in told[1]
        assert b"access-control-allow-origin: *" not in told[1].lower()
        assert get(port, "/slots", f"Authorization: Bearer {key}")[0] != 200
        assert key is not None
        assert key not in f"{server.endpoint!r}"


async def test_the_child_gets_neither_our_environment_nor_the_key_on_its_command_line(tiny_model: Path) -> None:
    variables = {**os.environ, "ANTHROPIC_API_KEY": "hush-1", "LD_PRELOAD": "", "HTTP_PROXY": "http://hush-2"}
    settings = EmbeddedSettings(threads=1, environment=variables)
    async with EmbeddedServers(settings) as servers, servers.use(tiny_model, 2048) as server:
        names = {entry.partition(b"=")[0] for entry in told_by_system(server.pid, "environ")}
        command = b" ".join(told_by_system(server.pid, "cmdline"))
    assert names <= {b"PATH", b"LANG", b"LC_ALL", b"LC_CTYPE", b"TMPDIR", b"TMP", b"TEMP", b"LD_LIBRARY_PATH"}
    assert (server.endpoint.key or "").encode() not in command


async def test_a_module_in_the_working_directory_is_not_loaded(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("xllamacpp", "json", "queue"):
        (tmp_path / f"{name}.py").write_text("open('was-here', 'w')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with EmbeddedServers(SETTINGS) as servers, servers.use(tiny_model, 2048) as server:
        await ask(server.endpoint)
    assert not (tmp_path / "was-here").exists()


async def test_a_prompt_beyond_the_window_is_refused_not_cut(tiny_model: Path) -> None:
    async with EmbeddedServers(SETTINGS) as servers, servers.use(tiny_model, 512) as server:
        with pytest.raises(ProviderError) as failure:
            await ask(server.endpoint, a_request("word " * 1000))
    assert failure.value.code is Code.CONTEXT_WINDOW_EXCEEDED


async def test_a_larger_window_takes_a_new_server_and_leaves_a_busy_one_its_time(tiny_model: Path) -> None:
    async with EmbeddedServers(SETTINGS) as servers:
        async with servers.use(tiny_model, 512) as small:
            async with servers.use(tiny_model, 1024) as large:
                assert large is not small
                await ask(small.endpoint)
            async with servers.use(tiny_model, 512) as again:
                assert again is large
        assert our_children() == [large.pid]


async def test_a_file_that_was_replaced_is_loaded_anew(tiny_model: Path, tmp_path: Path) -> None:
    model = Path(shutil.copy(tiny_model, tmp_path / "m.gguf"))
    async with EmbeddedServers(SETTINGS) as servers:
        async with servers.use(model, 512) as old:
            pass
        os.utime(model, (1, 1))
        async with servers.use(model, 512) as new:
            assert new is not old


async def test_only_so_many_servers_stand_idle(tiny_model: Path, tmp_path: Path) -> None:
    files = [Path(shutil.copy(tiny_model, tmp_path / f"{name}.gguf")) for name in "abc"]
    async with EmbeddedServers(EmbeddedSettings(threads=1, max_idle=1)) as servers:
        pids: list[int] = []
        for file in files:
            async with servers.use(file, 512) as server:
                pids.append(server.pid)
        async with servers.use(files[2], 512):
            assert our_children() == sorted(pids[1:])


async def test_an_idle_server_ends_by_itself_and_a_used_one_does_not(tiny_model: Path) -> None:
    settings = EmbeddedSettings(threads=1, idle_s=0.2)
    async with EmbeddedServers(settings) as servers:
        async with servers.use(tiny_model, 512) as first:
            await anyio.sleep(0.4)
            await ask(first.endpoint)
        await until_closed(port_of(first.endpoint.base_url))
        async with servers.use(tiny_model, 512) as second:
            assert second is not first
            await ask(second.endpoint)


async def test_a_server_that_was_killed_is_started_again(tiny_model: Path) -> None:
    async with EmbeddedServers(SETTINGS) as servers:
        async with servers.use(tiny_model, 512) as first:
            os.kill(first.pid, signal.SIGKILL)
            await until_closed(port_of(first.endpoint.base_url))
        async with servers.use(tiny_model, 512) as second:
            await ask(second.endpoint)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_child_does_not_outlive_its_parent_however_that_ends(tiny_model: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(tiny_model)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        port = port_of(parent.stdout.readline().strip())
        assert get(port, "/health")[0] == 200
        parent.send_signal(how)
        parent.wait(10)
        anyio.run(until_closed, port)


async def test_a_damaged_model_is_refused_with_the_reason_that_llamacpp_gives(tiny_model: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copy(tiny_model, tmp_path / "damaged.gguf"))
    os.truncate(damaged, 80_000)
    async with EmbeddedServers(SETTINGS) as servers:
        with pytest.raises(ProviderError) as failure:
            async with servers.use(damaged, 512):
                pass
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE
    assert not failure.value.sent
    assert "tensor" in failure.value.message
    assert len(failure.value.message) < 1000
    assert our_children() == []


async def test_without_llamacpp_the_command_that_brings_it_is_named(tiny_model: Path) -> None:
    settings = EmbeddedSettings(threads=1, python=(sys.executable, "-I", "-S"))  # -S: no installed packages
    with pytest.raises(ProviderError) as failure:
        await EmbeddedServer.start(tiny_model, 512, settings)
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE
    assert "pip install 'smista-mcp[local]'" in failure.value.fix


async def test_a_load_that_takes_too_long_is_ended(tiny_model: Path) -> None:
    with pytest.raises(ProviderError) as failure:
        await EmbeddedServer.start(tiny_model, 512, EmbeddedSettings(threads=1, start_s=0.001))
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE
    assert our_children() == []


async def test_a_start_that_is_cancelled_leaves_no_child(tiny_model: Path) -> None:
    async with EmbeddedServers(SETTINGS) as servers:
        with anyio.move_on_after(0.03):
            async with servers.use(tiny_model, 512):
                await anyio.sleep_forever()
    assert our_children() == []
