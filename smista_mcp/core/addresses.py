"""Addresses of model servers as policies write them: what is accepted, and which are this very machine.

One narrow spelling is taken, so that no two readers can understand an address differently: `http` or `https`, a host
name, an IPv4 address or a bracketed IPv6 address in plain ASCII, a port, a path. Nothing is resolved.
"""

import re
from typing import NamedTuple

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)(:(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[a-z0-9._~%+/-]*)?",
    re.ASCII | re.IGNORECASE,
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LOOPBACK = re.compile(rf"127(?:\.{_OCTET}){{3}}|::1|localhost", re.ASCII | re.IGNORECASE)


class HiddenCredential(ValueError):
    """An address that carries a password or a key."""


class Address(NamedTuple):
    """An accepted address; `host` in lower case and without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def loopback(self) -> bool:
        """Whether it is this machine: 127.0.0.0/8 in four plain decimal parts, `::1`, or the name `localhost`."""
        return _LOOPBACK.fullmatch(self.host) is not None


def parse_address(text: str) -> Address:
    """Reads an address.

    Raises:
        HiddenCredential: it holds a user, a password or a query. The text of the error holds none of it.
        ValueError: says what to write instead.
    """
    authority = text.partition("://")[2].partition("/")[0]
    if "@" in authority:
        raise HiddenCredential('holds a user or a password; leave it out and write `api_key = "${secret:NAME}"`')
    if "?" in text or "#" in text:
        raise HiddenCredential("holds a query, where keys hide; end it with the path and write `api_key` beside it")
    if text.startswith("unix:"):
        raise ValueError("is a unix socket, which this version does not support; write `http://127.0.0.1:PORT`")
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("is not an address; write for example `http://127.0.0.1:11434`")
    port = int(match["port"]) if match["port"] else {"http": 80, "https": 443}[match["scheme"].lower()]
    path = match["path"] or ""
    if not 0 < port < 65536 or ".." in path.split("/"):
        raise ValueError("is not an address; its port is from 1 to 65535, and its path does not climb with `..`")
    return Address(match["scheme"].lower(), match["host"].lower().strip("[]"), port, path.rstrip("/"))
