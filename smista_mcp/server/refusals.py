"""The noes of the HTTP door: what each says to the caller, and what standard error hears of them."""

import json
import logging
from collections.abc import Callable
from typing import NamedTuple

from starlette.responses import Response

QUIET_S = 60.0
"""Seconds between two lines about noes of one kind, so that a flood fills no log."""
_LOGGER = logging.getLogger(__name__)
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Refusal(NamedTuple):
    """A no, before anything of the request is used.

    Attributes:
        status: of HTTP.
        code: one word; it stays.
        message: what is wrong and what to do; never a word of the request.
        retry_s: seconds after which to try again; None where that is no use.
        close: whether the connection ends: where it is not sure where the next request begins.
        allow: the methods that are answered there; empty where it is about none.
    """

    status: int
    code: str
    message: str
    retry_s: float | None = None
    close: bool = False
    allow: tuple[str, ...] = ()

    def response(self) -> Response:
        """The answer: an error as the protocol has it, which hosts show."""
        error = {"code": -32600, "message": f"{self.code}: {self.message}", "data": {"code": self.code}}
        headers = dict(_NO_STORE)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.allow:
            headers["Allow"] = ", ".join(self.allow)
        if self.retry_s is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_s + 0.5)))
        if self.close:
            headers["Connection"] = "close"
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error})
        return Response(body, self.status, headers, "application/json")


class No(Exception):
    """A request is refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


REPEATED = Refusal(400, "repeated_header", "a header that may stand once stands twice", close=True)
TWO_LENGTHS = Refusal(
    400, "ambiguous_length", "Content-Length and Transfer-Encoding in one request are not taken", close=True
)
OLD_CHUNKS = Refusal(400, "ambiguous_length", "Transfer-Encoding is HTTP/1.1's", close=True)
STRANGER = Refusal(403, "not_the_proxy", "only the proxy of this server is answered here", close=True)
HOST = Refusal(421, "unknown_host", "this server does not go by that name; its owner can add it with --allowed-host")
ORIGIN = Refusal(403, "foreign_origin", "pages of other sites are not answered")
FORWARDED = Refusal(
    403, "forwarded_without_tokens", "a proxy has passed this on, and this server asks nobody for a token"
)
IN_ADDRESS = Refusal(400, "token_in_address", "a token belongs into the Authorization header, never into an address")
NO_TOKEN = Refusal(401, "no_token", "send `Authorization: Bearer TOKEN`; the owner of this server makes tokens")
BAD_TOKEN = Refusal(401, "bad_token", "that token opens nothing: it is none of this server's, over, or revoked")
TOO_MANY_TRIES = Refusal(429, "too_many_tries", "too many calls without a good token", 60.0)
LOCKED = Refusal(503, "tokens_unreadable", "the tokens cannot be read; the owner of this server has to look", 10.0)
LEAVING = Refusal(503, "leaving", "this server is about to end", 1.0, close=True)
AT_ONCE = Refusal(429, "too_many_at_once", "too many calls of this token at the same time", 1.0)
SESSIONS = Refusal(429, "too_many_sessions", "this token has too many sessions open; end some", 60.0)
PATH = Refusal(404, "unknown_path", "the endpoint is /mcp, without a slash at its end; /sse is the older transport's")
CONTENT = Refusal(415, "content_type", "send JSON as `application/json`, not compressed")
TOO_LONG = Refusal(413, "too_long", "the body is longer than any task may be")
FULL = Refusal(503, "full", "too much is being sent to this server right now", 2.0)
SHARE = Refusal(429, "too_much_at_once", "this token sends more at the same time than one may", 2.0)
SLOW = Refusal(408, "slow_body", "the body did not come in time", close=True)
PROTOCOL = Refusal(400, "not_http", "only plain requests are answered", close=True)


def too_often(wait_s: float) -> Refusal:
    """The no to a token that calls more often than its rate allows."""
    return Refusal(429, "too_often", "too many calls of this token in a minute", wait_s)


def unfit_method(allow: tuple[str, ...]) -> Refusal:
    """The no to a method that is not answered there."""
    return Refusal(405, "method", f"of methods {', '.join(allow)} is answered here", allow=allow)


class Tally:
    """Tells standard error of noes: the first of a kind at once, then how many there were, once a minute.

    A line has code and status, and the name of a token where one was shown that is good; nothing that a stranger
    can choose.
    """

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._last: dict[tuple[str, str], float] = {}
        self._silent: dict[tuple[str, str], int] = {}

    def note(self, refusal: Refusal, name: str = "") -> None:
        kind, now = (refusal.code, name), self._ticks()
        last = self._last.get(kind)
        if last is not None and now - last < QUIET_S:
            self._silent[kind] = self._silent.get(kind, 0) + 1
            return
        more = self._silent.pop(kind, 0)
        self._last[kind] = now
        whose = f" of token {name}" if name else ""
        since = f", and {more} more since the last line" if more else ""
        _LOGGER.warning("refused a request%s: %s %s%s", whose, refusal.status, refusal.code, since)
