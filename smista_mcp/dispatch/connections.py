"""From an accepted candidate to something that can be asked: a protocol, an address, a key."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.headless import CLI_KIND
from smista_mcp.core.modelref import PROTOCOL_KIND
from smista_mcp.core.selection import Candidate
from smista_mcp.core.values import Locality
from smista_mcp.core.vendors import PLAIN, vendor_of
from smista_mcp.errors import Code, ProviderError, UnknownModel
from smista_mcp.providers.anthropic import Anthropic
from smista_mcp.providers.base import Remote, WireProtocol
from smista_mcp.providers.cli_sender import CliTarget
from smista_mcp.providers.gemini import Gemini
from smista_mcp.providers.gguf_models import find_model
from smista_mcp.providers.llamacpp import EmbeddedServers
from smista_mcp.providers.ollama import Ollama
from smista_mcp.providers.openai_compat import OpenAiCompat
from smista_mcp.providers.openai_responses import OpenAiResponses
from smista_mcp.providers.probe import passes_on
from smista_mcp.providers.targets import LocalTarget, RemoteTarget, address_of

_EMBEDDED = "llamacpp"
_SHOWN_S = 5.0
"""Seconds in which Ollama has to say what a model is."""
_AGAINST_LOOPS = {"repeat_penalty": 1.05, "repeat_last_n": 256}
"""llama.cpp's own fields. At temperature 0 a small model repeats its last sentence until the limit without them."""
PROTOCOLS: Mapping[str, WireProtocol] = {
    _EMBEDDED: OpenAiCompat(_AGAINST_LOOPS),
    "ollama": Ollama(),
    "openai-compat": OpenAiCompat(),
    "openai": OpenAiResponses(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
}
"""The protocol of every kind of provider that is a server, and speaks one of smista's own."""


@dataclass(frozen=True, slots=True)
class LocalConnection:
    """A protocol, and a server that is local for this request."""

    protocol: WireProtocol
    target: LocalTarget


@dataclass(frozen=True, slots=True)
class RemoteConnection:
    """A protocol as remote models are spoken to in it, and one of their servers."""

    adapter: Remote
    target: RemoteTarget


@dataclass(frozen=True, slots=True)
class CliConnection:
    """A headless CLI, which counts as remote."""

    target: CliTarget


Connection = LocalConnection | RemoteConnection | CliConnection


def speaker_of(connection: Connection) -> str | None:
    """Whose code makes its requests, where that is a package's; None where it is ours."""
    if isinstance(connection, CliConnection):
        return None
    protocol = connection.protocol if isinstance(connection, LocalConnection) else connection.adapter.protocol
    return getattr(protocol, "shown", None)


@dataclass(frozen=True, slots=True)
class Connections:
    """Opens connections.

    Attributes:
        secret: gives the value of a key's variable.
        models_folder: tells where the files of embedded models lie.
        clis: makes the target of a headless CLI; None where none may be run.
        protocols: gives the protocol that an installed package offers under a name, or raises a `ProviderError`.
    """

    servers: EmbeddedServers
    secret: Callable[[str], str | None]
    models_folder: Callable[[ProviderSpec], Path]
    clis: Callable[[ProviderSpec, str], CliTarget] | None = None
    protocols: Callable[[str], WireProtocol] | None = None

    @asynccontextmanager
    async def open(self, candidate: Candidate, spec: ProviderSpec) -> AsyncGenerator[Connection]:
        """A connection for as long as the block lasts; an embedded model is started where it does not run yet.

        Nothing of the task is sent for it. An address at which no request may go is refused here, before anything is
        recorded or reserved, and by the sender again. An Ollama is asked once more whether it passes on what a local
        model is asked: what it said to the decision may be old.

        Raises:
            ProviderError: its address is refused, its server cannot be started, or a model that was taken for local
                is not.
        """
        if spec.kind == CLI_KIND:
            if self.clis is None:
                raise ProviderError("no CLI may be run here", code=Code.PROVIDER_UNAVAILABLE)
            yield CliConnection(await anyio.to_thread.run_sync(self.clis, spec, candidate.facts.ref.model))
            return
        protocol = await anyio.to_thread.run_sync(self._offered, spec) if spec.protocol else _own(spec)
        if spec.kind != _EMBEDDED:
            key = self.secret(spec.key_variable) if spec.key_variable else None
            connection = _connection(protocol, candidate, spec, key)
            address_of(connection.target)
            if spec.kind == "ollama" and isinstance(connection, LocalConnection):
                await _check_stays(connection.target.base_url, key, candidate.facts.ref.model)
            yield connection
            return
        try:
            model = find_model(self.models_folder(spec), candidate.facts.ref.model)
        except UnknownModel as error:
            raise ProviderError(error.message, fix=error.fix, code=error.code) from None
        async with self.servers.use(model, candidate.window) as server:
            yield LocalConnection(protocol, LocalTarget(server.endpoint.base_url, server.endpoint.key))

    def _offered(self, spec: ProviderSpec) -> WireProtocol:
        if self.protocols is None or spec.kind != PROTOCOL_KIND or spec.protocol is None:
            raise ProviderError("no protocol of a package may be spoken here", code=Code.PROVIDER_UNAVAILABLE)
        return self.protocols(spec.protocol)


def _own(spec: ProviderSpec) -> WireProtocol:
    """The protocol of a provider, as its vendor speaks it."""
    vendor = vendor_of(spec.name)
    return PROTOCOLS[spec.kind] if vendor is PLAIN else OpenAiCompat(vendor=vendor)


def _connection(
    protocol: WireProtocol, candidate: Candidate, spec: ProviderSpec, key: str | None
) -> LocalConnection | RemoteConnection:
    """The connection of the candidate's locality, which may be less than what its provider is declared to be."""
    base_url = spec.base_url or ""
    if candidate.locality is Locality.LOCAL and spec.locality is Locality.LOCAL:
        return LocalConnection(protocol, LocalTarget(base_url, key, declared=spec.declared, plain_lan=spec.plain_lan))
    return RemoteConnection(Remote(protocol), RemoteTarget(base_url, candidate.facts.ref.model, key))


async def _check_stays(base_url: str, key: str | None, model: str) -> None:
    def asked() -> bool:
        return passes_on(base_url, key, model, end=time.monotonic() + _SHOWN_S)

    if await anyio.to_thread.run_sync(asked, abandon_on_cancel=True):
        raise ProviderError(
            f"its server passes `{model}` on to another machine, so it is not local",
            code=Code.PROVIDER_UNAVAILABLE,
            fix="name a model that runs on this machine",
        )
