"""Put a real nginx and a real Caddy, as docs/team-server.md configures them, before two servers, and use them.

    python scripts/run_proxies.py [--nginx FILE] [--caddy FILE] [--long]

FILE is the program. The blocks of that page are used as they stand, but for the paths of the certificate; around
nginx's stand `events` and `http`, and Caddy gets the certificate that it would otherwise fetch. Everything runs in a
network namespace with nothing but loopback, the proxy as nobody where this is started by root.

One line for each thing that the page says; exit status 0 where all held. --long adds a call that is silent for 65 s.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

import httpx  # noqa: E402
from certificates import Authority  # noqa: E402
from fake_ollama import FakeOllama  # noqa: E402
from raw_host import ENVELOPE  # noqa: E402
from team_server import Team, token_of  # noqa: E402

NAME = "models.example.com"
PAGE = (Path(__file__).parents[1] / "docs/team-server.md").read_text(encoding="utf-8")
POLICY = '[routing.default]\nmodel = "ollama/tiny"\n[providers.ollama]\nbase_url = "{url}"\n'
NOBODY = 65534
PORTS = (7331, 7332)
TOKENS = 8
ASK = {"text": "What is a mutex?"}
TRIES = 130
"""More than the 120 calls a minute that one address has without a good token."""


class Slow(FakeOllama):
    """A model that takes some seconds where the prompt says so."""

    def write(self, question: str, send: Callable[[object], None]) -> None:
        seconds = 65.0 if "at length" in question else 4.0 if "slowly" in question else 0.0
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._over.wait(0.2):
            send({"model": "tiny", "message": {"role": "assistant", "content": "w "}, "done": False})
        super().write(question, send)


class Caller:
    """Somebody with a token, elsewhere."""

    def __init__(self, authority: Authority, token: str | None) -> None:
        self._http = httpx.Client(
            verify=str(authority.file), base_url="https://127.0.0.1", timeout=120, trust_env=False
        )
        self._fields = {"Host": NAME, "Accept": "application/json, text/event-stream"}
        self._fields |= {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, body: object = None, **fields: str) -> httpx.Response:
        """A request on a connection of its own."""
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        with self.stream(method, path, body, **named, connection="close") as answer:
            answer.read()
        return answer

    @contextmanager
    def stream(self, method: str, path: str, body: object = None, **fields: str) -> Generator[httpx.Response]:
        """The same, whose answer is read as it comes."""
        fields = {**self._fields, **fields}
        with self._http.stream(method, path, json=body, headers=fields, extensions={"sni_hostname": NAME}) as answer:
            yield answer

    def call(self, tool: str, arguments: dict[str, Any], **meta: object) -> tuple[object, dict[str, str]]:
        """Body and fields of a call of the modern era."""
        params = {"name": tool, "arguments": arguments, "_meta": {**ENVELOPE, **meta}}
        fields = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}
        return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, fields


# ----------------------------------------------------------------------------------------------- what the page says


def opens(caller: Caller, stranger: Caller) -> str:
    """A token opens, and nothing else does."""
    body, fields = caller.call("route", ASK)
    good, bad = caller.send("POST", "/mcp", body, **fields), stranger.send("POST", "/mcp", body, **fields)
    return "" if (good.status_code, bad.status_code) == (200, 401) else f"{good.status_code}, {bad.status_code}"


def misnamed(caller: Caller, _: Caller) -> str:
    """Another name does not reach the tools."""
    body, fields = caller.call("route", ASK)
    answer = caller.send("POST", "/mcp", body, **fields, Host="evil.example")
    return f"{answer.status_code} {answer.text[:80]}" if "decisions" in answer.text else ""


def streams(caller: Caller, _: Caller) -> str:
    """Progress comes while the work goes on, not with the answer."""
    body, fields = caller.call("dispatch", {"text": "Explain slowly what a mutex is."}, progressToken=1)
    times: list[tuple[float, str]] = []
    with caller.stream("POST", "/mcp", body, **fields) as answer:
        times += [(time.monotonic(), line) for line in answer.iter_lines() if line.startswith("data:")]
    told = [at for at, line in times if "notifications/progress" in line]
    spread = times[-1][0] - told[0] if told else 0.0
    return "" if len(told) > 1 and spread > 1 else f"{len(told)} notifications, {spread:.1f} s before the answer"


def sessions(caller: Caller, _: Caller) -> str:
    """A session of the handshake era lives in one process, and each of its calls gets there."""
    client = {"name": "opencode", "version": "1"}
    greeting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    hello = caller.send("POST", "/mcp", {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": greeting})
    fields = {"Mcp-Session-Id": hello.headers.get("mcp-session-id", ""), "MCP-Protocol-Version": "2025-11-25"}
    caller.send("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"}, **fields)
    asked = {"name": "route", "arguments": ASK}
    statuses = [
        caller.send("POST", "/mcp", {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": asked}, **fields)
        for n in range(1, 6)
    ]
    wrong = [one.status_code for one in (hello, *statuses) if one.status_code != 200]
    return f"{wrong}" if wrong else ""


def older(caller: Caller, _: Caller) -> str:
    """The older transport says at once where to send messages."""
    with caller.stream("GET", "/sse") as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data:"))
    return "" if "/messages/" in first else first


def bodies(caller: Caller, _: Caller) -> str:
    """A large task passes, one that is too large does not."""
    body, fields = caller.call("route", {"text": "What?", "attachments": [{"path": "a.txt", "text": "x " * 3_000_000}]})
    large = caller.send("POST", "/mcp", body, **fields).status_code
    body, fields = caller.call("route", {"text": "x" * 17 * 1024 * 1024})
    larger = caller.send("POST", "/mcp", body, **fields).status_code
    return "" if (large, larger) == (200, 413) else f"{large}, {larger}"


def addresses(caller: Caller, stranger: Caller) -> str:
    """What a caller says of its own address does not count: tries are limited, and a good token is served."""
    body, fields = caller.call("route", ASK)
    tried = [
        stranger.send("POST", "/mcp", body, **fields, **{"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(TRIES)
    ]
    good = caller.send("POST", "/mcp", body, **fields).status_code
    return "" if (tried[0], tried[-1], good) == (401, 429, 200) else f"{tried[0]}, {tried[-1]}, {good}"


def health(_: Caller, stranger: Caller) -> str:
    """Health is told without a token."""
    found = [stranger.send("GET", path).status_code for path in ("/healthz", "/readyz")]
    return "" if found == [200, 200] else f"{found}"


def silent(caller: Caller, _: Caller) -> str:
    """A call that is silent for 65 seconds gets its answer."""
    body, fields = caller.call("dispatch", {"text": "Explain at length what a mutex is."})
    answer = caller.send("POST", "/mcp", body, **fields)
    return "" if answer.status_code == 200 and '"status"' in answer.text else f"{answer.status_code}"


STEPS = (opens, misnamed, streams, sessions, older, bodies, health, addresses)


# ------------------------------------------------------------------------------------------------------- the proxies


def blocks() -> Iterator[str]:
    """The text for nginx and the one for Caddy, as the page has them."""
    found = re.findall(r"^```(?:[a-z]*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    yield next(one for one in found if one.startswith("upstream"))
    yield next(one for one in found if one.startswith(f"{NAME} {{"))


def configured(kind: str, folder: Path, pem: Path) -> list[str]:
    """Writes the configuration; the arguments that use it."""
    nginx, caddy = blocks()
    if kind == "nginx":
        text = nginx.replace("/etc/ssl/models/chain.pem", str(pem)).replace("/etc/ssl/models/key.pem", str(pem))
        (folder / "nginx.conf").write_text(f"daemon off;\nevents {{}}\nhttp {{\n{text}}}\n", encoding="utf-8")
        return ["-p", str(folder), "-c", str(folder / "nginx.conf")]
    own = caddy.replace(f"{NAME} {{\n", f"{NAME} {{\n    tls {pem} {pem}\n", 1)
    (folder / "Caddyfile").write_text(f"{{\n    admin off\n}}\n{own}", encoding="utf-8")
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@contextmanager
def proxy(kind: str, program: Path, folder: Path, pem: Path) -> Generator[None]:
    """The program, listening on 443."""
    folder.mkdir()
    folder.chmod(0o777)
    arguments = configured(kind, folder, pem)
    able = os.geteuid() == 0 and str(2**32 - 1) in Path("/proc/self/uid_map").read_text(encoding="utf-8")
    whose: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if able else {}
    own = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "PATH": os.defpath}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, *arguments], cwd=folder, env=own, stdout=log, stderr=log, **whose) as process,
    ):
        try:
            end = time.monotonic() + 15
            while b":01BB 00000000:0000 0A" not in Path("/proc/net/tcp").read_bytes() + Path(
                "/proc/net/tcp6"
            ).read_bytes().replace(b":01BB 00000000000000000000000000000000:0000 0A", b":01BB 00000000:0000 0A"):
                if time.monotonic() > end or process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text("utf-8", "replace")[-1500:])
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def tried(kind: str, program: Path, *, long: bool) -> bool:
    """Prints what came of each step; whether all held."""
    held = True
    with (
        tempfile.TemporaryDirectory(prefix="smista-proxy-") as temporary,
        Slow.serving() as model,
        ExitStack() as stack,
    ):
        folder, home = Path(temporary), Path(temporary) / "home"
        folder.chmod(0o755)
        home.mkdir()
        (home / "config.toml").write_text(POLICY.format(url=model.base_url), encoding="utf-8")
        tokens = [token_of(home, f"t{n}") for n in range(TOKENS)]
        authority = Authority.new(folder / "authority")
        authority.server(NAME)
        (pem,) = authority.folder.glob("server*.pem")
        pem.chmod(0o644)
        for port in PORTS:
            options = ("--allowed-host", NAME, "--behind-proxy", "127.0.0.1")
            stack.enter_context(Team.started(home, *options, port=port))
        stack.enter_context(proxy(kind, program, folder / kind, pem))
        callers = [Caller(authority, token) for token in tokens]
        stranger = Caller(authority, None)
        for step in (*STEPS, *((silent,) if long else ())):
            who = callers if step is sessions else callers[:1]
            try:
                told = next(filter(None, (step(caller, stranger) for caller in who)), "")
            except (httpx.HTTPError, StopIteration, KeyError) as error:
                told = repr(error)
            held = held and not told
            print(f"{'ok' if not told else 'FAIL':5}{kind:6} {(step.__doc__ or '').strip()} {told}", flush=True)
    return held


def main() -> int:
    """Tries both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nginx", type=Path)
    parser.add_argument("--caddy", type=Path)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.inside:
        for flag in ("-n", "-rn"):
            if subprocess.run(["unshare", flag, "true"], capture_output=True, check=False).returncode == 0:
                up = "ip link set lo up 2>/dev/null; echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null"
                again = [sys.executable, __file__, "--inside", *sys.argv[1:]]
                command = ["unshare", flag, "sh", "-c", f'{up}; exec "$@"', "sh", *again]
                return subprocess.run(command, check=False).returncode
        print("no network namespace can be made here", file=sys.stderr)
        return 2
    loopback_up()
    results = [
        tried(kind, program.resolve(), long=given.long)
        for kind, program in (("nginx", given.nginx), ("caddy", given.caddy))
        if program is not None
    ]
    print(json.dumps({"proxies": len(results), "held": all(results)}))
    return 0 if results and all(results) else 1


def loopback_up() -> None:
    """Brings up the one interface that a new namespace has."""
    import fcntl  # noqa: PLC0415  of Linux, as namespaces are
    import socket  # noqa: PLC0415
    import struct  # noqa: PLC0415

    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14s", b"lo", 0x1 | 0x40, b""))


if __name__ == "__main__":
    sys.exit(main())
