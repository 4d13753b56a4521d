"""The one way out: the only module that knows an HTTP client, and the last that sees a request before the socket.

It works on transports of httpx, below its client, and on one of our own for what goes in the clear: no redirect is
followed, no cookie kept, no proxy or credential taken from the environment. A remote target gets what the gate has
cleared and nothing else, and that only after the check at egress has read the bytes once more. Certificates are
verified against the system's authorities and those that come with the HTTP client, or, where SSL_CERT_FILE or
SSL_CERT_DIR is set, against those alone.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self, overload

import anyio
import anyio.to_thread
import httpx

from smista_mcp.core.addresses import Address
from smista_mcp.errors import Cause, Code, ProviderError
from smista_mcp.providers.base import (
    ClearedWire,
    Decoder,
    Event,
    Finished,
    Timeouts,
    WireProtocol,
    WireRequest,
)
from smista_mcp.providers.egress import Watch, check_departure
from smista_mcp.providers.failures import not_of_protocol, quoted, timed_out, untrusted, without_key
from smista_mcp.providers.lines import LineSplitter
from smista_mcp.providers.loopback import host_header, is_sendable
from smista_mcp.providers.plainhttp import PlainTransport
from smista_mcp.providers.targets import LocalTarget, RemoteTarget, Target, address_of, hosts_of, is_literal

_MAX_ERROR_BODY = 64 * 1024
_SMALL = 8 * 1024
_PARTIAL = 206
"""Bytes of a body that are looked at sooner than a thread is found for it."""
_REFUSAL_S = 5.0
"""Seconds that the words of a refusal may take; with those that came it is one."""
_CLOSING_S = 1.0
"""Seconds that the closing of a connection may take."""
_REST_S = 0.2
"""Seconds that a server may take to end the body behind the end of the answer; then its connection is not kept."""


class Authorities(NamedTuple):
    """Who may vouch for a server: certificates in PEM form. Nothing here means the customary authorities."""

    file: str | None = None
    folder: str | None = None


_CUSTOMARY = Authorities()


class Sender:
    """Sends requests and gives each answer's events while they arrive. One instance for many requests at once.

    Use as `async with Sender(now) as sender:`; leaving it closes every connection.

    Args:
        now: tells the seconds since the epoch, for waiting times that a provider gives as a date.
        authorities: a file and a folder of certificates that are believed in place of the customary ones.
    """

    def __init__(self, now: Callable[[], float], authorities: Authorities = _CUSTOMARY) -> None:
        self._now = now
        self._authorities = authorities
        # One for each host: connections are kept by their IP address, and a certificate is good for one name.
        self._transports: dict[tuple[str, str], httpx.AsyncBaseTransport] = {}
        self._trust: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            with anyio.move_on_after(_CLOSING_S, shield=True):
                await transport.aclose()

    @overload
    def stream(
        self,
        wire: WireRequest,
        decoder: Decoder,
        *,
        target: LocalTarget,
        timeouts: Timeouts,
        protocol: WireProtocol,
        watch: Watch | None = None,
    ) -> AsyncGenerator[Event, None]: ...

    @overload
    def stream(
        self,
        wire: ClearedWire,
        decoder: Decoder,
        *,
        target: RemoteTarget,
        timeouts: Timeouts,
        protocol: WireProtocol,
        watch: Watch,
    ) -> AsyncGenerator[Event, None]: ...

    async def stream(
        self,
        wire: WireRequest | ClearedWire,
        decoder: Decoder,
        *,
        target: Target,
        timeouts: Timeouts,
        protocol: WireProtocol,
        watch: Watch | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Sends one request and yields the events of its answer, `Finished` last.

        Close the generator (`contextlib.aclosing`) where the loop over it may be left early; closing or cancelling it
        ends the request.

        Args:
            wire: what to send; to a remote target only what the gate has cleared.
            decoder: of this one answer.
            target: to whom.
            timeouts: how long it may take.
            protocol: what both speak.
            watch: what the call knows of itself, for the check at egress; a remote target needs it.

        Raises:
            ProviderError: the attempt failed; nothing of the answer is complete then, whatever was yielded before.
                `sent` says whether a model may have worked on it. The key stands in no text of it.
        """
        flight = _Flight(timeouts)
        try:
            with flight.translated():
                response = await self._open(await _checked(wire, target, protocol, watch), protocol, target, flight)
                try:
                    await self._check(response, protocol, flight)
                    splitter = LineSplitter()
                    while (chunk := await flight.next_chunk()) is not None:
                        for line in splitter.feed(chunk):
                            for event in decoder.feed(line):
                                if isinstance(event, Finished):
                                    flight.finish()
                                yield event
                    for event in () if flight.finished else _last_events(decoder, splitter.rest()):
                        yield event
                finally:
                    with anyio.move_on_after(_CLOSING_S, shield=True):
                        await response.aclose()
        except ProviderError as error:
            told = without_key(error, target.key)
            told.unsent = not flight.departed
            raise told from None

    async def _open(
        self, wire: WireRequest, protocol: WireProtocol, target: Target, flight: "_Flight"
    ) -> httpx.Response:
        address = address_of(target)
        authorization = _authorization(protocol, target.key)
        transport = await self._transport(address)
        *others, last = await flight.hosts(address)
        for host in others:
            try:
                return await flight.take_off(transport, _request(wire, authorization, address, host))
            except (httpx.ConnectError, httpx.ConnectTimeout):  # a server may listen on some of its addresses only
                continue
        return await flight.take_off(transport, _request(wire, authorization, address, last))

    async def _transport(self, address: Address) -> httpx.AsyncBaseTransport:
        known = self._transports.get((address.scheme, address.host))
        if known is not None:
            return known
        made: httpx.AsyncBaseTransport = PlainTransport()
        if address.scheme == "https":
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5.0)
            made = httpx.AsyncHTTPTransport(verify=await self._verification(), trust_env=False, limits=limits)
        return self._transports.setdefault((address.scheme, address.host), made)

    async def _verification(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = await anyio.to_thread.run_sync(trusted, self._authorities)
        return self._trust

    async def _check(self, response: httpx.Response, protocol: WireProtocol, flight: "_Flight") -> None:
        if not 200 <= response.status_code < 300:
            body = b""
            with anyio.move_on_after(_REFUSAL_S), suppress(TimeoutError, httpx.TransportError):  # the status is said
                while len(body) < _MAX_ERROR_BODY and (chunk := await flight.next_chunk()) is not None:
                    body += chunk
            headers = {name.lower(): value for name, value in response.headers.items()}
            raise protocol.failure(response.status_code, headers, body[:_MAX_ERROR_BODY], now=self._now())
        if response.status_code == _PARTIAL:  # nobody asked for a part
            raise not_of_protocol("is only a part of one", cause=Cause.CUT)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise not_of_protocol("is compressed although that was declined", cause=Cause.COMPRESSED)


class _Flight:
    """One request under way: how far it came, and how long it may still take.

    Attributes:
        departed: something of the request was written.
        sent: the request may have reached a model.
        finished: the answer's own end was read.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        # The transport has one limit for every read. Where that cannot be the idle time, because the first byte may
        # take longer, each chunk gets a scope of its own, which costs as much as reading it.
        self._scope_each_chunk = timeouts.idle_s < timeouts.first_byte_s
        self._deadline: float | None = None
        self._scope: anyio.CancelScope | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self.departed = False
        self.sent = False
        self.finished = False

    async def hosts(self, address: Address) -> tuple[str, ...]:
        if is_literal(address):
            return hosts_of(address)
        with anyio.fail_after(self._timeouts.connect_s):
            return await anyio.to_thread.run_sync(hosts_of, address, abandon_on_cancel=True)

    def _extensions(self) -> dict[str, object]:
        """What the transport must know."""
        connect, write = self._timeouts.connect_s, self._timeouts.first_byte_s
        read = None if self._scope_each_chunk else self._timeouts.idle_s
        return {"timeout": {"connect": connect, "read": read, "write": write, "pool": None}, "trace": self._trace}

    async def take_off(self, transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
        """Sends the request and reads the answer's headers."""
        request.extensions = {**request.extensions, **self._extensions()}
        with anyio.fail_after(self._timeouts.connect_s + self._timeouts.first_byte_s) as self._scope:
            response = await transport.handle_async_request(request)
        self._chunks = aiter(response.stream) if isinstance(response.stream, httpx.AsyncByteStream) else None
        return response

    async def _trace(self, event: str, info: object) -> None:
        """Told by the transport how far it is."""
        del info
        if event == "http11.send_request_headers.started":
            self.departed = True
        elif event == "http11.send_request_body.started":
            self.sent = True
        elif event == "http11.send_request_body.complete" and self._scope is not None:
            self._deadline = anyio.current_time() + self._timeouts.first_byte_s
            self._scope.deadline = self._deadline

    def finish(self) -> None:
        """The answer's own end was read."""
        self.finished = True
        self._deadline = anyio.current_time() + _REST_S

    async def next_chunk(self) -> bytes | None:
        """The next bytes of the body; None at its end. Behind the answer's own end nothing counts as a failure."""
        if self._chunks is None:
            return None
        if self._deadline is None and not self._scope_each_chunk:
            return await anext(self._chunks, None)
        left = self._timeouts.idle_s if self._deadline is None else self._deadline - anyio.current_time()
        try:
            with anyio.fail_after(left):
                chunk = await anext(self._chunks, None)
        except (TimeoutError, httpx.TransportError):
            if self.finished:
                return None
            raise
        if not self.finished:
            self._deadline = None
        return chunk

    @contextmanager
    def translated(self) -> Generator[None]:
        """Turns the transport's failures into ours."""
        try:
            yield
        except httpx.ConnectTimeout:
            raise timed_out("the provider did not take the connection") from None
        except (TimeoutError, httpx.TimeoutException):
            raise timed_out("the provider did not answer", sent=self.sent, cause=Cause.SILENT) from None
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise untrusted().saying(_reason(error)) from None
            raise ProviderError(
                "nothing answers at the provider's address",
                code=Code.PROVIDER_UNAVAILABLE,
                fix="start the server, or check `base_url`",
                cause=_unreached(error),
            ).saying(_reason(error)) from None
        except httpx.TransportError as error:
            if not self.sent:
                broken = ProviderError(
                    "the provider broke off the connection", code=Code.PROVIDER_UNAVAILABLE, cause=Cause.BROKEN
                )
                raise broken.saying(_reason(error)) from None
            raise not_of_protocol("was cut", _reason(error), Cause.CUT) from None


async def _checked(
    wire: WireRequest | ClearedWire, target: Target, protocol: WireProtocol, watch: Watch | None
) -> WireRequest:
    """The request, if it may go there.

    Raises:
        ProviderError: it may not; `sent` is false.
    """
    if isinstance(target, LocalTarget):
        return wire.wire if isinstance(wire, ClearedWire) else wire
    if not isinstance(wire, ClearedWire) or watch is None:
        raise ProviderError("stopped before it left this machine: nobody has cleared it", code=Code.RESTRICTED_CONTENT)
    if len(wire.wire.body) <= _SMALL:
        check_departure(wire, target.model, protocol.words, watch)
    else:
        await anyio.to_thread.run_sync(check_departure, wire, target.model, protocol.words, watch)
    return wire.wire


def trusted(authorities: Authorities) -> ssl.SSLContext:
    """Whose certificates are believed.

    Raises:
        ProviderError: `provider_unavailable`: what is named cannot be read.
    """
    if not authorities.file and not authorities.folder:
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()
        return context
    try:
        return ssl.create_default_context(cafile=authorities.file, capath=authorities.folder)
    except OSError:
        raise ProviderError(
            "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read",
            code=Code.PROVIDER_UNAVAILABLE,
            fix="name a file of certificates in PEM form, or take the variable out",
        ) from None


def _request(wire: WireRequest, authorization: Mapping[str, str], address: Address, host: str) -> httpx.Request:
    own = {"host": host_header(address), "accept-encoding": "identity", "user-agent": "smista-mcp"}
    return httpx.Request(
        wire.method,
        _url(address, host, wire.path),
        headers={**wire.headers, **authorization, **own},
        content=wire.body,
        extensions={"sni_hostname": address.host},
    )


@lru_cache(maxsize=64)
def _url(address: Address, host: str, path: str) -> httpx.URL:
    raw_path = f"{address.path}{path}".encode("ascii")
    return httpx.URL(scheme=address.scheme, host=host, port=address.port, raw_path=raw_path)


def _authorization(protocol: WireProtocol, key: str | None) -> Mapping[str, str]:
    if key and not is_sendable(key):
        raise ProviderError(
            "the provider's key holds characters that no header can carry",
            code=Code.PROVIDER_AUTH,
            fix="set it anew, without line breaks",
        )
    return protocol.authorization(key) if key else {}


def _unreached(error: httpx.TransportError) -> Cause:
    """Why no connection stands, by what lies under the client's own error. Names are resolved before."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, ssl.SSLError):
            return Cause.TLS
        below = below.__cause__ or below.__context__
    return Cause.REFUSED


def _reason(error: httpx.TransportError) -> str:
    return quoted(str(error)) or "the connection broke"


def _last_events(decoder: Decoder, rest: bytes) -> Iterator[Event]:
    if rest:
        yield from decoder.feed(rest)
    yield from decoder.end()
