"""What is tried at the HTTP door: every row is a request over a socket to a real server, and what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from team_server import NAME, Team

from smista_mcp.ledger.access import TokenBook
from smista_mcp.server.bodies import MAX_BODY_BYTES

ASK = {"text": "What is a mutex?"}
GREETING = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"opencode","version":"1"}}}'
)
STRANGE = "smista_tk_" + "A" * 43
LONG = MAX_BODY_BYTES + 1


@dataclass(frozen=True)
class Probe:
    """One row.

    Attributes:
        send: makes the bytes.
        status: any of these.
        code: of the guard; empty where somebody else says no.
    """

    name: str
    send: Callable[[Team], bytes]
    status: int | tuple[int, ...]
    code: str = ""


def call(**changes: Any) -> Callable[[Team], bytes]:
    return lambda team: team.calling("route", ASK, **changes)


def plain(method: str = "POST", target: str = "/mcp", **given: Any) -> Callable[[Team], bytes]:
    given = ({"body": b"{}"} if method == "POST" else {}) | given
    return lambda team: team.request(method, target, **given)


def chunked(team: Team) -> bytes:
    head = team.request(content_length=None, transfer_encoding="chunked")
    return head + (b"100000\r\n" + b" " * 0x100000 + b"\r\n") * 17 + b"0\r\n\r\n"


WHO: list[Probe] = [
    Probe("a good token", call(), 200),
    Probe(
        "a good token, `bearer` in small letters",
        lambda t: t.calling("route", ASK, authorization=f"bearer {t.tokens['alice']}"),
        200,
    ),
    Probe("no token", call(authorization=None), 401, "no_token"),
    Probe("a token that nobody made", call(by=STRANGE), 401, "bad_token"),
    Probe(
        "a token with one letter changed",
        lambda t: t.calling("route", ASK, by=t.tokens["alice"][:-1] + "-"),
        401,
        "bad_token",
    ),
    Probe("the beginning of a token", lambda t: t.calling("route", ASK, by=t.tokens["alice"][:-1]), 401, "bad_token"),
    Probe("a token and more", lambda t: t.calling("route", ASK, by=t.tokens["alice"] + " x"), 401, "bad_token"),
    Probe("a word", call(by="letmein"), 401, "bad_token"),
    Probe("an empty token", call(authorization="Bearer "), 401, "bad_token"),
    Probe("a revoked token", call(by="revoked"), 401, "bad_token"),
    Probe("an expired token", call(by="expired"), 401, "bad_token"),
    Probe(
        "a token of another scheme",
        lambda t: t.calling("route", ASK, authorization=f"Basic {t.tokens['alice']}"),
        401,
        "bad_token",
    ),
    Probe(
        "the hash that is kept",
        lambda t: t.calling("route", ASK, by=TokenBook(t.home / "state").all()[0].digest),
        401,
        "bad_token",
    ),
    Probe(
        "two Authorization headers",
        lambda t: t.request(body=b"{}", lines=(f"Authorization: Bearer {t.tokens['bob']}",)),
        400,
        "repeated_header",
    ),
    Probe(
        "two tokens in one header",
        lambda t: t.calling("route", ASK, authorization=f"Bearer {t.tokens['alice']}, Bearer {t.tokens['bob']}"),
        401,
        "bad_token",
    ),
    Probe(
        "a token in the query",
        lambda t: t.request(target=f"/mcp?token={t.tokens['alice']}", by=None, body=b"{}"),
        400,
        "token_in_address",
    ),
    Probe(
        "a token in the query, escaped",
        lambda t: t.request(target=f"/mcp?t=%73mista_tk_{t.tokens['alice'][10:]}", by=None, body=b"{}"),
        400,
        "token_in_address",
    ),
    Probe("access_token in the query", plain(target="/mcp?access_token=x"), 400, "token_in_address"),
    Probe(
        "a token in a cookie",
        lambda t: t.calling("route", ASK, authorization=None, cookie=f"token={t.tokens['alice']}"),
        401,
        "no_token",
    ),
    Probe(
        "a token in X-Api-Key",
        lambda t: t.calling("route", ASK, authorization=None, x_api_key=t.tokens["alice"]),
        401,
        "no_token",
    ),
    Probe(
        "a token in the header of a proxy",
        lambda t: t.calling("route", ASK, authorization=None, proxy_authorization=f"Bearer {t.tokens['alice']}"),
        401,
        "no_token",
    ),
    Probe(
        "a user that a proxy vouches for",
        call(authorization=None, x_forwarded_user="alice", remote_user="alice"),
        401,
        "no_token",
    ),
    Probe(
        "from loopback, says a header",
        call(authorization=None, x_forwarded_for="127.0.0.1", x_real_ip="127.0.0.1"),
        401,
        "no_token",
    ),
]
NAMES: list[Probe] = [
    Probe("the name with the port of TLS", call(host=f"{NAME}:443"), 200),
    Probe("the name in capitals", call(host=NAME.upper()), 200),
    Probe("the name in capitals, for a session", plain(host=NAME.upper(), body=GREETING), 200),
    Probe("a foreign Host", call(host="evil.example"), 421, "unknown_host"),
    Probe("a Host that begins like ours", call(host=f"{NAME}.evil.example"), 421, "unknown_host"),
    Probe("a Host that ends like ours", call(host=f"evil-{NAME}"), 421, "unknown_host"),
    Probe("our Host behind a user", call(host=f"evil@{NAME}"), 421, "unknown_host"),
    Probe("our Host with a dot", call(host=f"{NAME}."), 421, "unknown_host"),
    Probe("our Host with another port", call(host=f"{NAME}:81"), 421, "unknown_host"),
    Probe("an empty Host", call(host=""), 421, "unknown_host"),
    Probe("no Host", call(host=None), 400),
    Probe("no Host, HTTP/1.0", lambda t: t.request(version="1.0", host=None, body=b"{}"), 421, "unknown_host"),
    Probe("two Hosts", lambda t: t.request(body=b"{}", lines=("Host: evil.example",)), 400),
    Probe("our Host, says X-Forwarded-Host", call(host="evil.example", x_forwarded_host=NAME), 421, "unknown_host"),
    Probe(
        "rebinding: their name at our address",
        call(host="evil.example:{port}", origin="http://evil.example:{port}"),
        421,
        "unknown_host",
    ),
    Probe("a foreign Origin", call(origin="https://evil.example"), 403, "foreign_origin"),
    Probe("no Origin to speak of", call(origin="null"), 403, "foreign_origin"),
    Probe("our Origin without TLS", call(origin=f"http://{NAME}"), 403, "foreign_origin"),
    Probe("our own Origin", call(origin=f"https://{NAME}"), 200),
    Probe("our own Origin in capitals", call(origin=f"HTTPS://{NAME.upper()}"), 200),
    Probe("our own Origin in capitals, for a session", plain(origin=f"HTTPS://{NAME.upper()}", body=GREETING), 200),
    Probe("a page of another site", call(sec_fetch_site="cross-site"), 403, "foreign_origin"),
    Probe("a page of a neighbour", call(sec_fetch_site="same-site"), 403, "foreign_origin"),
    Probe(
        "a browser that asks first",
        plain("OPTIONS", origin="https://evil.example", access_control_request_method="POST"),
        403,
        "foreign_origin",
    ),
]
LENGTHS: list[Probe] = [
    Probe("two lengths", lambda t: t.request(body=b"{}", lines=("Content-Length: 7",)), 400),
    Probe(
        "a length and chunks",
        lambda t: t.request(body=b"0\r\n\r\n", transfer_encoding="chunked"),
        400,
        "ambiguous_length",
    ),
    Probe(
        "chunks in HTTP/1.0",
        lambda t: t.request(
            version="1.0", body=b"2\r\n{}\r\n0\r\n\r\n", content_length=None, transfer_encoding="chunked"
        ),
        400,
        "ambiguous_length",
    ),
    Probe("chunks and more", plain(content_length=None, transfer_encoding="gzip, chunked"), 400),
    Probe("chunks, misspelt", plain(content_length=None, transfer_encoding="xchunked"), 400),
    Probe(
        "a chunk without a size",
        lambda t: t.request(body=b"z\r\n", content_length=None, transfer_encoding="chunked"),
        400,
    ),
    Probe("a length that is no number", plain(content_length="-1"), 400),
    Probe("a blank before the colon", lambda t: t.request(body=b"{}", lines=("Authorization : Bearer x",)), 400),
    Probe(
        "a header that goes on in the next line",
        lambda t: t.request(body=b"{}", by=None, lines=("X: 1", f" Authorization: Bearer {t.tokens['alice']}")),
        401,
        "no_token",
    ),
    Probe("a NUL in a header", plain(x_odd="a\0b"), 400),
    Probe("a line feed in a header", plain(x_odd="a\nAuthorization: Bearer x"), 400, "repeated_header"),
    Probe("a header of 100 kB", plain(x_long="x" * 100_000), (0, 400, 431)),
    Probe(
        "ten thousand headers",
        lambda t: t.request(body=b"{}", lines=tuple(f"x-{n}: y" for n in range(10_000))),
        (0, 400, 431),
    ),
    Probe("an address of 100 kB", plain(target="/mcp?" + "x" * 100_000), (0, 400, 414, 431)),
    Probe("no HTTP at all", lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", 400),
    Probe("HTTP/2 that was not agreed on", lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421, "unknown_host"),
]
PATHS: list[Probe] = [
    Probe("PUT", plain("PUT"), 405, "method"),
    Probe("TRACE", plain("TRACE"), 405, "method"),
    Probe("OPTIONS", plain("OPTIONS"), 405, "method"),
    Probe("HEAD", plain("HEAD"), 405),
    Probe("CONNECT", plain("CONNECT", "evil.example:443"), 404, "unknown_path"),
    Probe("a method that there is not", plain("SMUGGLE"), 405, "method"),
    Probe("PUT that says it is POST", plain("PUT", x_http_method_override="POST"), 405, "method"),
    Probe(
        "POST that says it is GET",
        lambda t: t.request(target="/healthz", by=None, body=b"{}", x_http_method_override="GET"),
        401,
        "no_token",
    ),
    Probe("health", plain("GET", "/healthz", by=None), 200),
    Probe("readiness", plain("GET", "/readyz", by=None), 200),
    Probe("health under a foreign name", plain("GET", "/healthz", by=None, host="evil.example"), 421, "unknown_host"),
    Probe("a path out of health", plain("GET", "/healthz/../mcp", by=None), 401, "no_token"),
    Probe("a path below health", plain("GET", "/healthz/mcp", by=None), 401, "no_token"),
    Probe("two slashes", plain("GET", "//healthz", by=None), 401, "no_token"),
    Probe("health and a parameter of the path", plain("GET", "/healthz;/mcp", by=None), 401, "no_token"),
    Probe("health and a NUL", plain("GET", "/healthz%00", by=None), 401, "no_token"),
    Probe("a whole address of ours as the path", plain("GET", f"http://{NAME}/healthz", by=None), 401, "no_token"),
    Probe("a whole address of theirs", plain("GET", "http://evil.example/mcp", by=None), 401, "no_token"),
    Probe("a path that there is not, without a token", plain("GET", "/admin", by=None), 401, "no_token"),
    Probe("a path that there is not", plain("GET", "/admin"), 404, "unknown_path"),
    Probe(
        "our endpoint with a slash, from a proxy", plain(target="/mcp/", x_forwarded_proto="https"), 404, "unknown_path"
    ),
    Probe("our endpoint with a slash, escaped", plain(target="/mcp%2f"), 404, "unknown_path"),
    Probe("below our endpoint", plain("GET", "/mcp/x"), 404, "unknown_path"),
    Probe("below messages", plain(target="/messages/x"), 404, "unknown_path"),
    Probe("messages without a slash", plain(target="/messages"), 404, "unknown_path"),
    Probe("the older transport with a slash", plain("GET", "/sse/"), 404, "unknown_path"),
    Probe("POST to the older transport", plain(target="/sse"), 405, "method"),
    Probe("GET of messages", plain("GET", "/messages/"), 405, "method"),
    Probe("POST to health", plain(target="/healthz"), 405, "method"),
    Probe("our endpoint, escaped", plain(target="/%6dcp", by=None), 401, "no_token"),
    Probe("the older transport without a token", plain("GET", "/sse", by=None), 401, "no_token"),
    Probe("its messages without a token", plain(target="/messages/?session_id=0", by=None), 401, "no_token"),
    Probe(
        "a websocket",
        plain("GET", connection="Upgrade", upgrade="websocket", sec_websocket_version="13", sec_websocket_key="eDE="),
        400,
        "not_http",
    ),
    Probe(
        "HTTP/2 by upgrade",
        plain("GET", connection="Upgrade, HTTP2-Settings", upgrade="h2c", http2_settings="AAM"),
        400,
        "not_http",
    ),
]
BODIES: list[Probe] = [
    Probe("a body that is too long, said", plain(content_length=str(LONG)), 413, "too_long"),
    Probe("a length that no machine has", plain(content_length="9" * 19), 413, "too_long"),
    Probe("a body that is too long, in chunks", chunked, 413, "too_long"),
    Probe("text", plain(content_type="text/plain"), 415, "content_type"),
    Probe("a form", plain(content_type="application/x-www-form-urlencoded"), 415, "content_type"),
    Probe("almost JSON", plain(content_type="application/jsonx"), 415, "content_type"),
    Probe("no type", plain(content_type=None), 415, "content_type"),
    Probe("two types", lambda t: t.request(body=b"{}", lines=("Content-Type: text/plain",)), 400, "repeated_header"),
    Probe("a compressed body", plain(content_encoding="gzip"), 415, "content_type"),
    Probe("nonsense", plain(body=b"{nonsense"), 400),
    Probe("a batch", plain(body=b"[]"), 400),
    Probe("a hundred thousand brackets", plain(body=b"[" * 100_000), 400),
    Probe("a version that there is not", call(mcp_protocol_version="2099-01-01"), 400),
    Probe("a name in the head that the body does not have", call(mcp_name="dispatch"), 400),
    Probe("a session that there is not", plain(mcp_session_id="0" * 32), 404),
]


PROBES = [*WHO, *NAMES, *LENGTHS, *PATHS, *BODIES]
