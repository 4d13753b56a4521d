"""The guard of the HTTP door: nothing reads a request before it has passed here.

In this order: is it one request, and whose connection is it; which name does it go by, and whose page asks; who shows
which token; does that token call too often; is the body one that a task can have, and does it come in time. No header
of a proxy is believed, but for the caller's address where the owner has named the proxy.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from urllib.parse import unquote

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from smista_mcp.app import Badge
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger.access import AccessToken, holds_one, is_shaped
from smista_mcp.server import refusals
from smista_mcp.server.answering import Answer, SessionOf, end_session, may_begin, principal, replayed
from smista_mcp.server.bodies import MAX_BODY_BYTES, Bodies
from smista_mcp.server.door import Door, plain_address
from smista_mcp.server.health import Health
from smista_mcp.server.keys import Keys
from smista_mcp.server.limits import AtOnce, Rate, Sessions
from smista_mcp.server.protocol import BADGE
from smista_mcp.server.refusals import No, Refusal, Tally
from smista_mcp.server.watching import Visit, Watch
from smista_mcp.tracing import door as spans

SESSIONS_OF_ONE = 32
"""Sessions of the handshake era that one token may have open; they are lost after half an hour of silence."""
IDLE_S = 30 * 60.0
TRIES_A_MINUTE = 120
"""Calls without a good token from one address; more are told to wait."""
_OWN_SITES = frozenset({"same-origin", "none"})
"""What a browser says of a request that no other site's page has made."""
_ONCE = (
    *("host", "origin", "authorization", "content-type", "content-length", "content-encoding", "transfer-encoding"),
    *("mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"),
)
_NAMES = (b"host", b"origin")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
_HEALTH = {"/healthz": "alive", "/readyz": "ready"}
_PATHS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_HEALTH, ("GET", "HEAD")),
    "/mcp": ("GET", "POST", "DELETE"),
    "/sse": ("GET",),
    "/messages/": ("POST",),
}


class Guard:
    """Stands before an application.

    Args:
        app: what is guarded.
        door: what is asked of those who come in.
        allowed: Host headers that are accepted, and Origin headers.
        keys: the tokens; None where everyone may come in.
        cancel_all_but: ends the jobs of every token that is not among the given ids.
        health: answers whether the server is well.
    """

    def __init__(
        self,
        app: ASGIApp,
        door: Door,
        allowed: tuple[frozenset[str], frozenset[str]],
        keys: Keys | None,
        cancel_all_but: Callable[[frozenset[str]], None],
        health: Health,
    ) -> None:
        self._app = app
        self._door = door
        self._names, self._origins = allowed
        self._keys = keys
        self._cancel_all_but = cancel_all_but
        self._health = health
        self._tally = Tally(anyio.current_time)
        self._rate = Rate(door.rate, anyio.current_time)
        self._tries = Rate(TRIES_A_MINUTE, anyio.current_time)
        self._at_once = AtOnce(door.at_once)
        self._bodies = Bodies()
        self._sessions = Sessions(SESSIONS_OF_ONE, IDLE_S, anyio.current_time)
        self._watch = Watch(keys, self._end_all_but, anyio.current_time)
        self._calls = 0
        self._idle = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._before_all(scope, headers) or self._misnamed(headers)
        if refusal is None and scope["method"] in ("GET", "HEAD") and scope["path"] in _HEALTH:
            await (await self._health.answer(_HEALTH[scope["path"]]))(scope, receive, send)
            return
        badge = None
        if refusal is None:
            try:
                badge = await self._identified(scope, headers)
            except No as no:
                refusal = no.refusal
        refusal = refusal or self._unfit(scope, headers, badge)
        if refusal is not None:
            await self._refuse(refusal, badge)(scope, receive, send)
            return
        # names have no case, but for the library, which looks at them once more
        scope["headers"] = [(name, value.lower() if name in _NAMES else value) for name, value in scope["headers"]]
        await self._serve(scope, receive, send, badge)

    async def watch(self) -> None:
        """Ends what is open for a token that holds no longer; runs as long as the server."""
        await self._watch.run()

    async def _end_all_but(self, active: frozenset[str]) -> None:
        """Ends what lasts longer than a request, for every token that is not among these ids."""
        self._cancel_all_but(active)
        for owner, session in self._sessions.of_others(active):
            self._sessions.ended(owner, session)
            await end_session(self._app, min(self._names), owner, session)

    async def drained(self) -> None:
        """Lets nobody in any more, and returns when no call is under way; open streams do not count."""
        self._health.leaving = True
        while self._calls:
            self._idle = anyio.Event()
            await self._idle.wait()

    # ------------------------------------------------------------------------------------------------- who comes in

    def _before_all(self, scope: Scope, headers: Headers) -> Refusal | None:
        """What makes it unsure which request this is, or who sends it."""
        if any(len(headers.getlist(name)) > 1 for name in _ONCE):
            return refusals.REPEATED
        if "content-length" in headers and "transfer-encoding" in headers:
            return refusals.TWO_LENGTHS
        if "transfer-encoding" in headers and scope["http_version"] != "1.1":
            return refusals.OLD_CHUNKS
        if "upgrade" in headers:
            return refusals.PROTOCOL
        door = self._door
        if door.proxies and door.tls_cert is None and not self._from_here(scope) and not door.is_proxy(_peer(scope)):
            return refusals.STRANGER
        return None

    def _misnamed(self, headers: Headers) -> Refusal | None:
        """A name that is not ours, or a page of another site: that is how a browser would be led here."""
        if headers.get("host", "").lower() not in self._names:
            return refusals.HOST
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self._origins:
            return refusals.ORIGIN
        # of a plain GET a browser gives no Origin, but it does say whose page asks
        return None if _OWN_SITES.issuperset(headers.getlist("sec-fetch-site")) else refusals.ORIGIN

    async def _identified(self, scope: Scope, headers: Headers) -> Badge | None:
        """The badge of a call; None where nobody needs one.

        Raises:
            No: it comes in by none.
        """
        query = scope["query_string"].decode("latin-1")
        if holds_one(unquote(query)) or "access_token=" in query:
            raise No(refusals.IN_ADDRESS)
        if self._keys is None:
            if any(name in headers for name in _FORWARDED):
                raise No(refusals.FORWARDED)
            return None
        kind, _, secret = headers.get("authorization", "").partition(" ")
        found = await self._found(secret) if kind.lower() == "bearer" and is_shaped(secret) else None
        if found is None:
            if self._tries.wait_s(self._address(scope, headers)):
                raise No(refusals.TOO_MANY_TRIES)
            raise No(refusals.BAD_TOKEN if "authorization" in headers else refusals.NO_TOKEN)
        badge = Badge(found.token_id, found.name, found.scope)
        scope[BADGE] = badge
        scope["user"] = principal(badge.token_id)
        return badge

    async def _found(self, secret: str) -> AccessToken | None:
        try:
            return await self._keys.find(secret) if self._keys is not None else None
        except StateUnavailable:
            raise No(refusals.LOCKED) from None

    def _address(self, scope: Scope, headers: Headers) -> str:
        """From where a caller comes; a proxy is asked only where its owner has named it."""
        peer = _peer(scope)
        forwarded = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
        return forwarded[:64] if forwarded and self._door.is_proxy(peer) else peer

    def _from_here(self, scope: Scope) -> bool:
        return _peer(scope) in ("127.0.0.1", "::1")

    # --------------------------------------------------------------------------------------------------- what it asks

    def _unfit(self, scope: Scope, headers: Headers, badge: Badge | None) -> Refusal | None:
        """What keeps out a call of somebody who may come in."""
        if self._health.leaving:
            return refusals.LEAVING
        if badge is not None and (wait_s := self._rate.wait_s(badge.token_id)):
            return refusals.too_often(wait_s)
        if badge is not None and not self._at_once.has_room(badge.token_id):
            return refusals.AT_ONCE
        if badge is not None and may_begin(scope) and not self._sessions.has_room(badge.token_id):
            return refusals.SESSIONS
        methods = _PATHS.get(scope["path"])
        if methods is None:
            return refusals.PATH
        if scope["method"] not in methods:
            return refusals.unfit_method(methods)
        if scope["method"] == "POST" and not _is_json(headers):
            return refusals.CONTENT
        length = headers.get("content-length", "0")
        return None if length.isdecimal() and int(length[:12]) <= MAX_BODY_BYTES else refusals.TOO_LONG

    async def _serve(self, scope: Scope, receive: Receive, send: Send, badge: Badge | None) -> None:
        answer = Answer(send, None if badge is None else SessionOf(self._sessions, badge.token_id, scope))
        visit = Visit("" if badge is None else badge.token_id)
        with visit.scope, spans.joined(Headers(scope=scope)), self._counted(scope, badge, visit), answer.given():
            if scope["method"] != "POST":
                await self._app(scope, receive, answer.send)
                return
            try:
                body = await self._bodies.received(receive, visit.token_id)
            except No as no:
                await self._refuse(no.refusal, badge)(scope, receive, send)
                return
            if body is not None:
                await self._app(scope, replayed(body, receive), answer.send)
            return
        if visit.scope.cancelled_caught:
            await answer.end(visit.why.response(), scope, receive)

    @contextmanager
    def _counted(self, scope: Scope, badge: Badge | None, visit: Visit) -> Generator[None]:
        """Counts a request as under way; a GET is a stream, which a server that ends does not wait for."""
        call = int(scope["method"] == "POST")
        self._calls += call
        try:
            if badge is None:
                yield
            else:
                with self._at_once.taken(badge.token_id), self._watch.visited(visit):
                    yield
        finally:
            self._calls -= call
            if not self._calls:
                self._idle.set()

    def _refuse(self, refusal: Refusal, badge: Badge | None) -> ASGIApp:
        self._tally.note(refusal, "" if badge is None else badge.name)
        return refusal.response()


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" and headers.get("content-encoding", "identity").lower() == "identity"


def _peer(scope: Scope) -> str:
    client: tuple[str, int] | None = scope.get("client")
    return plain_address(client[0]) if client else ""
