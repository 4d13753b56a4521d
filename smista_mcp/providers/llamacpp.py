"""The embedded server: llama.cpp in a child process on loopback, started when a model file is first used, kept warm.

The child ends with its standard input, so it never outlives us, however we end; it ends by itself when it was idle for
a while. It listens on a port that the system chose and answers to a key that was made for it alone.
"""

import contextlib
import os
import re
import secrets
import site
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers import wirejson
from smista_mcp.providers.base import Endpoint
from smista_mcp.providers.failures import quoted
from smista_mcp.providers.gguf_models import INSTALL, check_model

CHILD = Path(__file__).with_name("llama_child.py")
_KEPT_VARIABLES = frozenset(
    {"PATH", "LANG", "LC_ALL", "TMPDIR", "TMP", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
)
"""All that the child gets of our environment: what a program needs to start and to find its libraries."""
_ENDING_S = 0.5
_ANSWER_S = 10.0
_LOG_CAP = 256 * 1024
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead)


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """How embedded servers run.

    Attributes:
        idle_s: a server without a use for so long ends.
        start_s: loading a model may take so long.
        max_idle: so many servers may stand idle; the one used longest ago is stopped first.
        threads: None for all cores that this process may use but one.
        python: the interpreter with its options. `-I` keeps a module in the working directory from being loaded.
        environment: the variables to choose from for the child; None for those of this process.
    """

    idle_s: float = 300.0
    start_s: float = 180.0
    max_idle: int = 2
    threads: int | None = None
    python: tuple[str, ...] = (sys.executable, "-I")
    environment: Mapping[str, str] | None = None


class EmbeddedServer:
    """One child. Made by `start`; every `begin_use` that gave true is ended by one `end_use`."""

    def __init__(self, process: anyio.abc.Process, reports: BufferedByteReceiveStream, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.uses = 0
        self._process = process
        self._reports = reports
        self._asking = anyio.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, model: Path, n_ctx: int, settings: EmbeddedSettings) -> Self:
        """Starts a child on a model file and waits until it listens.

        Raises:
            ProviderError: `provider_unavailable`, with what is wrong: the file, the installation, what llama.cpp says.
        """
        key = secrets.token_urlsafe(32)
        process = await _spawn(model, n_ctx, settings)
        try:
            reports, report = await _first_report(process, key, settings)
        except BaseException:
            await _end(process)
            raise
        if report.get("address"):
            return cls(process, reports, Endpoint(f"{report['address']}/v1", key))
        await _end(process)
        if report.get("error") == "no xllamacpp":
            raise ProviderError(
                "llama.cpp is not installed in this Python", code=Code.PROVIDER_UNAVAILABLE, fix=f"run {INSTALL}"
            )
        raise await _explained(model, n_ctx, settings, process.returncode)

    async def begin_use(self) -> bool:
        """Keeps the child from ending as idle. False where it has ended already."""
        with anyio.CancelScope(shield=True):  # an answer left unread would be taken for the next one
            async with self._asking:
                try:
                    await _standard_input(self._process).send(b"+")
                    with anyio.fail_after(_ANSWER_S):
                        await self._reports.receive_exactly(1)
                except (*_BROKEN, TimeoutError):
                    return False
        self.uses += 1
        return True

    async def end_use(self) -> None:
        self.uses -= 1
        with anyio.CancelScope(shield=True), contextlib.suppress(*_BROKEN):
            await _standard_input(self._process).send(b"-")

    async def stop(self) -> None:
        """Ends the child and waits for its end."""
        await _end(self._process)


class EmbeddedServers:
    """The running servers, at most one for a model file and its size and date.

    Use as `async with EmbeddedServers(settings) as servers:`; leaving it ends them all.
    """

    def __init__(self, settings: EmbeddedSettings | None = None) -> None:
        self._settings = settings or EmbeddedSettings()
        self._running: dict[tuple[str, int, int], tuple[EmbeddedServer, int]] = {}
        self._outgrown: list[EmbeddedServer] = []
        self._starting: dict[str, anyio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        servers = [*self._outgrown, *(server for server, _ in self._running.values())]
        self._running.clear()
        self._outgrown.clear()
        for server in servers:
            await server.stop()

    @asynccontextmanager
    async def use(self, model: Path, n_ctx: int) -> AsyncGenerator[EmbeddedServer, None]:
        """A server of this model file with at least this window, for as long as the block lasts.

        Raises:
            ProviderError: `provider_unavailable`: it cannot be started.
        """
        server = await self._begun(model, n_ctx)
        try:
            yield server
        finally:
            await server.end_use()
            if server in self._outgrown and not server.uses:
                self._outgrown.remove(server)
                await server.stop()

    async def _begun(self, model: Path, n_ctx: int) -> EmbeddedServer:
        which = _identity(model)
        async with self._starting.setdefault(which[0], anyio.Lock()):
            server, has = self._running.pop(which, (None, 0))
            if server is None or has < n_ctx or not await server.begin_use():
                await self._put_aside(server)
                server, has = await EmbeddedServer.start(model, n_ctx, self._settings), n_ctx
                if not await server.begin_use():
                    await server.stop()
                    raise ProviderError("llama.cpp ended as soon as it had started", code=Code.PROVIDER_UNAVAILABLE)
            self._running[which] = server, has  # the last one used stands last
            with anyio.CancelScope(shield=True):
                await self._stop_idle()
            return server

    async def _put_aside(self, server: EmbeddedServer | None) -> None:
        if server is not None and server.uses:
            self._outgrown.append(server)
        elif server is not None:
            await server.stop()

    async def _stop_idle(self) -> None:
        idle = [which for which, (server, _) in self._running.items() if not server.uses]
        for which in idle[: max(0, len(idle) - self._settings.max_idle)]:
            server, _ = self._running.pop(which)
            await server.stop()


async def _spawn(
    model: Path, n_ctx: int, settings: EmbeddedSettings, log: IO[bytes] | None = None
) -> anyio.abc.Process:
    variables = os.environ if settings.environment is None else settings.environment
    figures = (n_ctx, settings.threads or _threads(), settings.idle_s, -1 if log is None else 1)
    started: list[anyio.abc.Process] = []
    with anyio.CancelScope(shield=True):  # a start that is broken off would leave a child that nobody knows
        process = await anyio.open_process(
            [*settings.python, str(CHILD), _identity(model)[0], *map(str, figures), *_module_folders()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if log is None else log,
            env={name: value for name, value in variables.items() if name.upper() in _KEPT_VARIABLES},
            start_new_session=True,  # Ctrl-C of a terminal is for us
        )
        started.append(process)
    return started[0]


def _identity(model: Path) -> tuple[str, int, int]:
    status = check_model(model)
    return str(model.resolve()), status.st_size, status.st_mtime_ns


def _module_folders() -> list[str]:
    """Where else the child may find llama.cpp: what `-I` takes away, but never the working directory."""
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [*user, str(Path(__file__).parents[2])]


def _threads() -> int:
    """All cores but one: llama.cpp's threads spin while they wait, so one that shares its core slows all."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    return max(1, cores - 1)


async def _first_report(
    process: anyio.abc.Process, key: str, settings: EmbeddedSettings
) -> tuple[BufferedByteReceiveStream, dict[str, object]]:
    """What the child says first; an empty report where it ended without a word."""
    if process.stdout is None:
        raise RuntimeError("the child has no standard output")
    reports = BufferedByteReceiveStream(process.stdout)
    try:
        with anyio.fail_after(settings.start_s):
            await _standard_input(process).send(f"{key}\n".encode("ascii"))
            return reports, wirejson.parse_object(await reports.receive_until(b"\n", 65536))
    except TimeoutError:
        raise ProviderError(
            f"the model did not load within {settings.start_s:g} s", code=Code.PROVIDER_UNAVAILABLE
        ) from None
    except (*_BROKEN, ValueError):
        return reports, {}


async def _explained(model: Path, n_ctx: int, settings: EmbeddedSettings, status: int | None) -> ProviderError:
    """Starts the child once more, with llama.cpp's log switched on, to learn what it has against the file."""
    with tempfile.TemporaryFile() as log:
        process = await _spawn(model, n_ctx, settings, log)
        try:
            await _first_report(process, secrets.token_urlsafe(32), settings)
        finally:
            await _end(process)
        said = _last_words(log)
    how = f"ended by signal {-status}" if status is not None and status < 0 else "could not load the model"
    return ProviderError(
        f"llama.cpp {how} {model}{f': {quoted(said)}' if said else ''}",
        code=Code.PROVIDER_UNAVAILABLE,
        fix="fetch the file again, or name another model",
    )


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read(_LOG_CAP).decode("utf-8", "replace").splitlines()
    telling = [
        line.strip() for line in lines if re.search(r"error|fail|invalid|unsupported|unknown", line, re.IGNORECASE)
    ]
    return " | ".join(telling[:3])


async def _end(process: anyio.abc.Process) -> None:
    with anyio.CancelScope(shield=True):
        await _standard_input(process).aclose()
        with anyio.move_on_after(_ENDING_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
        await process.aclose()


def _standard_input(process: anyio.abc.Process) -> anyio.abc.ByteSendStream:
    if process.stdin is None:
        raise RuntimeError("the child has no standard input")
    return process.stdin
