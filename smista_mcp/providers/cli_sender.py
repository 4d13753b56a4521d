"""The other way out: a checked request goes to a headless CLI, on its standard input and nowhere else.

Like the sender it takes for a remote target only what the gate has cleared, and lets the check at egress read the very
bytes first. The CLI runs in an empty folder of its own, under a process that ends it, and all that it started, with us.
"""

import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

from smista_mcp.core.headless import DEFAULT_MODEL
from smista_mcp.errors import Cause, Code, ProviderError
from smista_mcp.providers.base import ClearedWire, Event, Finished, Timeouts
from smista_mcp.providers.cli_answers import DECODERS, CliDecoder
from smista_mcp.providers.cli_folder import WORK, environment, filled, made_folder
from smista_mcp.providers.cli_specs import CliSpec
from smista_mcp.providers.cli_wire import texts_of_stdin
from smista_mcp.providers.egress import Watch, check_departure
from smista_mcp.providers.lines import LineSplitter

_CHILD = Path(__file__).with_name("cli_child.py")
_GRACE_S = 0.4
"""Seconds in which a CLI that was told to end may do so by itself."""
_ENDING_S = 1.5
"""Seconds in which it and all that it started have to be gone."""
_REST_S = 5.0
"""Seconds that it may take to end after the last it says."""
_TAIL = 8 * 1024
_MOST_USAGE = 256 * 1024
_MODEL_NAME = re.compile(r"[\w.:/@+\[\]][\w.:/@+\[\]-]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CliTarget:
    """A CLI that counts as remote.

    Attributes:
        model: under which it is asked for the model; `default` for the one that it is set to.
        command: the program.
        variables: our environment, of which it gets little.
        allowed: names of further variables that it gets.
        parent: where private folders are made.
        unmediated: whether nothing is known to keep its own tools from reading.
    """

    row: CliSpec
    model: str
    command: Path
    variables: Mapping[str, str] = field(repr=False)
    allowed: tuple[str, ...]
    parent: Path
    unmediated: bool = False

    @property
    def base_url(self) -> str:
        """What stands for an address in receipts."""
        return f"cli:{self.row.name}"


async def stream_cli(
    departing: ClearedWire, *, target: CliTarget, effort: str | None, timeouts: Timeouts, watch: Watch
) -> AsyncGenerator[Event, None]:
    """Asks a CLI once, and yields the events of its answer, `Finished` last; all of them come at its end.

    Args:
        departing: what the gate has cleared.
        target: whom to ask.
        effort: in the CLI's own words; None: it is told none.
        timeouts: how long it may take.
        watch: what the call knows of itself, for the check at egress.

    Raises:
        ProviderError: the attempt failed. `sent` says whether a model may have worked on it.
    """
    try:
        words, private = await _prepared(departing, target, effort, watch)
    except ProviderError as error:
        error.unsent = True
        raise
    try:
        events = await _Run(target, words, private, timeouts).answer(departing.wire.body)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_removed, private)
    for event in events:
        yield event


async def _prepared(
    departing: ClearedWire, target: CliTarget, effort: str | None, watch: Watch
) -> tuple[tuple[str, ...], Path]:
    """The checked command line and a private folder.

    Raises:
        ProviderError: it may not go, or not so; nothing was started.
    """
    await anyio.to_thread.run_sync(check_departure, departing, target.model, frozenset[str](), watch, texts_of_stdin)
    words = _arguments(target, effort)
    try:
        return words, await anyio.to_thread.run_sync(made_folder, target.row, target.variables, target.parent)
    except OSError as error:
        raise _cannot(f"no private folder could be made ({error.strerror})") from None


def _removed(private: Path) -> None:
    shutil.rmtree(private, ignore_errors=True)


def _cannot(what: str, fix: str = "") -> ProviderError:
    return ProviderError(what, code=Code.PROVIDER_UNAVAILABLE, fix=fix)


def _arguments(target: CliTarget, effort: str | None) -> tuple[str, ...]:
    row = target.row
    model: tuple[str, ...] = ()
    if target.model != DEFAULT_MODEL:
        if not _MODEL_NAME.fullmatch(target.model):
            raise ProviderError("its name cannot be given to a CLI", code=Code.UNKNOWN_MODEL)
        model = tuple(word.replace("{model}", target.model) for word in row.model)
    told = tuple(word.replace("{effort}", effort) for word in row.effort) if effort else ()
    return (*row.arguments, *model, *told, *row.last)


@dataclass(slots=True)
class _Run:
    """One run of a CLI."""

    target: CliTarget
    words: tuple[str, ...]
    private: Path
    timeouts: Timeouts
    tail: bytes = b""
    events: tuple[Event, ...] = ()

    async def answer(self, body: bytes) -> tuple[Event, ...]:
        """Runs it, and gives the events of its answer. Whatever ends this, nothing of it runs on."""
        row = self.target.row
        reading, lifeline = os.pipe()
        words = [filled(word, self.private) for word in self.words]
        command = [str(self.target.command), *words]
        try:
            try:
                process = await anyio.open_process(
                    [sys.executable, "-I", str(_CHILD), str(reading), str(self.private), str(_GRACE_S), *command],
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=PIPE,
                    env=environment(row, self.target.variables, self.target.allowed, self.private),
                    cwd=self.private / WORK,
                    start_new_session=True,
                    pass_fds=(reading,),
                )
            finally:
                os.close(reading)
        except OSError as error:
            os.close(lifeline)
            failed = _cannot(f"the CLI could not be started ({error.strerror})")
            failed.unsent = True
            raise failed from None
        try:
            await self._talk(process, body, DECODERS[row.name]())
        finally:
            os.close(lifeline)
            with anyio.CancelScope(shield=True):
                await _ended(process)
        return self.events

    async def _talk(self, process: Process, body: bytes, decoder: CliDecoder) -> None:
        assert process.stdin is not None  # noqa: S101  all three are pipes
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        failure: ProviderError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_give, process.stdin, body)
            tasks.start_soon(self._hear_complaints, process.stderr)
            try:
                if not await self._read(process.stdout, decoder):
                    usage = self._usage()
                    with anyio.move_on_after(_REST_S):
                        await process.wait()
                    status = process.returncode
                    said = self.tail.decode("utf-8", "replace")
                    self.events += decoder.end(-1 if status is None else status, said, usage)
            except ProviderError as error:
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _read(self, stdout: ByteReceiveStream, decoder: CliDecoder) -> bool:
        """Reads to the end of the answer (true), or of what it says."""
        splitter = LineSplitter()
        begun = False
        while True:
            chunk = await self._chunk(stdout, begun=begun)
            begun = True
            lines = splitter.feed(chunk) if chunk else [splitter.rest()]
            for line in lines:
                self.events += decoder.feed(line)
                if self.events and isinstance(self.events[-1], Finished):
                    return True
            if not chunk:
                return False

    async def _chunk(self, stdout: ByteReceiveStream, *, begun: bool) -> bytes:
        """The next bytes; none at the end. One that says nothing while its model works has until the deadline."""
        row = self.target.row
        limit = self.timeouts.idle_s if begun and row.talks else None
        if not begun and row.first:
            limit = self.timeouts.first_byte_s
        try:
            with anyio.fail_after(limit):
                return await stdout.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            return b""
        except TimeoutError:
            said = "went silent" if begun else "said nothing"
            words = f"the CLI {said} for too long", "allow it more time, or choose another"
            raise ProviderError(
                words[0], code=Code.PROVIDER_TIMEOUT, fix=words[1], sent=True, cause=Cause.SILENT
            ) from None

    async def _hear_complaints(self, stderr: ByteReceiveStream) -> None:
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            async for chunk in stderr:
                self.tail = (self.tail + chunk)[-_TAIL:]

    def _usage(self) -> bytes:
        """The file in which it says what it used; read before the folder goes."""
        if self.target.row.usage is None:
            return b""
        try:
            with (self.private / self.target.row.usage).open("rb") as file:
                return file.read(_MOST_USAGE)
        except OSError:
            return b""


async def _give(stdin: ByteSendStream, body: bytes) -> None:
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, BrokenPipeError, ConnectionError):
        await stdin.send(body)
        await stdin.aclose()


async def _ended(process: Process) -> None:
    """Waits until the process that watches over the CLI is gone; it is ended where that takes too long."""
    with anyio.move_on_after(_ENDING_S):
        await process.wait()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    await process.aclose()
