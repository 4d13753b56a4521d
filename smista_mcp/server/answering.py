"""How one request that the guard has let in is handed on, and what its answer shows."""

from collections.abc import Generator
from contextlib import contextmanager

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken as Principal
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smista_mcp.server.limits import Sessions

SESSION = "mcp-session-id"


class SessionOf:
    """The session that one request is of, or begins.

    Args:
        sessions: all.
        owner: whose request it is.
        scope: of the request.
    """

    def __init__(self, sessions: Sessions, owner: str, scope: Scope) -> None:
        self._sessions = sessions
        self._owner = owner
        self._scope = scope
        self._expected = may_begin(scope)
        if self._expected:
            sessions.expect(owner)

    def settle(self) -> None:
        """Whether one begins is known now."""
        if self._expected:
            self._expected = False
            self._sessions.settled(self._owner)

    def note(self, start: Message) -> None:
        """Notes what the head of the answer says of it."""
        named = Headers(scope=self._scope).get(SESSION)
        given = Headers(raw=list(start.get("headers", []))).get(SESSION)
        status: int = start["status"]
        self.settle()
        if named is None and given is not None and status < 400:
            self._sessions.begun(self._owner, given)
        elif named is None or not _reaches_sessions(self._scope):
            return  # whatever the answer is, the session that it names knows nothing of it
        elif status == 404 or (self._scope["method"] == "DELETE" and status < 400):
            self._sessions.ended(self._owner, named)
        else:
            self._sessions.used(self._owner, named)


class Answer:
    """What has been sent of an answer, so that it can be ended decently where its caller may stay no longer."""

    def __init__(self, send: Send, session: SessionOf | None) -> None:
        self._send = send
        self._begun = self._whole = False
        self._session = session

    @contextmanager
    def given(self) -> Generator[None]:
        """While somebody works on it."""
        try:
            yield
        finally:
            if self._session is not None:
                self._session.settle()

    async def send(self, message: Message) -> None:
        self._begun = True
        if self._session is not None and message["type"] == "http.response.start":
            self._session.note(message)
        self._whole = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self, no: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Ends what is begun, or says no."""
        if not self._begun:
            await no(scope, receive, self._send)
        elif not self._whole:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body as one message; after it, what the connection says."""
    first = True

    async def again() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


def may_begin(scope: Scope) -> bool:
    """Whether the library begins a session for a request: it goes by the head, before there is a body."""
    return scope["method"] == "POST" and SESSION not in Headers(scope=scope) and _reaches_sessions(scope)


def _reaches_sessions(scope: Scope) -> bool:
    """Whether the library looks a request up among sessions of the handshake era."""
    revision = Headers(scope=scope).get("mcp-protocol-version")
    return (revision is None or revision in HANDSHAKE_PROTOCOL_VERSIONS) and not scope["path"].startswith("/messages/")


def principal(token_id: str) -> AuthenticatedUser:
    """A token as the library knows one: both transports keep the sessions of one from the other by it."""
    return AuthenticatedUser(Principal(token="", client_id=token_id, scopes=[]))


async def end_session(app: ASGIApp, host: str, owner: str, session: str) -> None:
    """Ends a session as its owner would.

    Args:
        app: whose session it is.
        host: a name by which the app goes.
        owner: the id of a token.
        session: its id.
    """
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
        "method": "DELETE",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "client": None,
        "headers": [(b"host", host.encode()), (SESSION.encode(), session.encode())],
        "user": principal(owner),
    }

    async def unheard(_: Message) -> None:
        pass

    async def nothing_more() -> Message:
        return {"type": "http.disconnect"}

    await app(scope, replayed(b"", nothing_more), unheard)
