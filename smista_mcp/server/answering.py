"""How one request that the guard has let in is handed on, and what its answer shows."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smista_mcp.server.limits import Sessions

SESSION = "mcp-session-id"


class SessionOf:
    """The session that one request is of, or begins."""

    def __init__(self, sessions: Sessions, owner: str, scope: Scope) -> None:
        self._sessions = sessions
        self._owner = owner
        self._scope = scope

    def note(self, start: Message) -> None:
        """Notes what the head of the answer says of it."""
        named = Headers(scope=self._scope).get(SESSION)
        given = Headers(raw=list(start.get("headers", []))).get(SESSION)
        if named is None and given is not None and start["status"] < 400:
            self._sessions.begun(self._owner, given)
        elif named is not None and (self._scope["method"] == "DELETE" or start["status"] == 404):
            self._sessions.ended(self._owner, named)
        elif named is not None:
            self._sessions.used(self._owner, named)


class Answer:
    """What has been sent of an answer, so that it can be ended decently where its caller may stay no longer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._whole = False
        self.sessions: SessionOf | None = None

    async def send(self, message: Message) -> None:
        self._begun = True
        if self.sessions is not None and message["type"] == "http.response.start":
            self.sessions.note(message)
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
