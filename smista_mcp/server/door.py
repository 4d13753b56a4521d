"""What the HTTP door asks of those who come in, and where it may stand at all."""

import ssl
import sys
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from stat import S_IROTH, S_IWOTH
from typing import NamedTuple

Network = IPv4Network | IPv6Network
OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""What this machine is called by itself, as a Host header has it."""


class Door(NamedTuple):
    """How the door stands.

    Attributes:
        hosts: further names by which it is reached, as Host headers have them: `name` or `name:port`.
        tls_cert: a PEM file with its certificate and those that lead to it; None for plain HTTP.
        tls_key: a PEM file with the key.
        proxies: from where alone connections are taken on an address that others reach without TLS; of these the
            forwarded address of the caller is believed.
        rate: requests a minute of one token.
        at_once: requests of one token at the same time, open streams included.
        grace_s: seconds that calls under way get after a signal.
        tokens: False lets everyone in; that is for loopback alone.
    """

    hosts: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    proxies: tuple[Network, ...] = ()
    rate: int = 600
    at_once: int = 32
    grace_s: float = 0.0
    tokens: bool = True

    @property
    def outside(self) -> bool:
        """Whether it is reached under a name that is not this machine's own."""
        return any(_name(host) not in OWN_NAMES for host in self.hosts)

    def names(self, address: str, port: int) -> frozenset[str]:
        """Every Host header that is accepted; lower case.

        A name without a port stands for itself, for this port, and for 443, which a proxy leaves out or not.
        """
        shown = f"[{address}]" if ":" in address else address
        own = [f"{name}:{port}" for name in (shown, *OWN_NAMES)]
        given = [host.lower() for host in self.hosts]
        return frozenset(
            [*own, *given, *(f"{name}:{at}" for name in given if _name(name) == name for at in (port, 443))]
        )

    def is_proxy(self, peer: str) -> bool:
        """Whether a connection from there comes from one of the proxies."""
        try:
            address = ip_address(plain_address(peer))
        except ValueError:
            return False
        return any(address in network for network in self.proxies if network.version == address.version)


def plain_address(peer: str) -> str:
    """From where a connection comes; a socket that takes both has IPv4 addresses inside IPv6 ones."""
    if not peer.startswith("::"):
        return peer
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    inner = address.ipv4_mapped if address.version == 6 else None
    return peer if inner is None else str(inner)


class Refused(Exception):
    """The door cannot stand so; the text says why, and what to write."""


def networks(given: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks as they were written.

    Raises:
        Refused: one is neither.
    """
    found: list[Network] = []
    for text in given:
        try:
            found.append(ip_network(text))
        except ValueError:
            raise Refused(f"`{text}` is no address and no network; write for example 10.0.0.5 or 10.0.0.0/24") from None
    return tuple(found)


def check_place(door: Door, *, loopback: bool, active: bool, reads_files: bool) -> None:
    """Refuses a door that anybody could walk through.

    Args:
        door: how it is to stand.
        loopback: whether it listens on this machine alone.
        active: whether there is a token that holds.
        reads_files: whether there is a workspace.

    Raises:
        Refused: why, and what to write.
    """
    if (door.tls_cert is None) != (door.tls_key is None):
        raise Refused("--tls-cert and --tls-key go together: write both, or neither")
    for host in door.hosts:
        if not _is_host(host):
            raise Refused(f"`{host}` is no name of a host; write for example models.example.com or 10.0.0.5:7331")
    if loopback and not door.outside:
        return
    if not door.tokens:
        raise Refused("--no-tokens is for loopback alone: whoever reaches this server spends your money")
    if not loopback and not door.hosts:
        raise Refused(
            "to be reached from other machines it has to know its names: write --allowed-host NAME for each"
            " (or listen on 127.0.0.1)"
        )
    if not active:
        raise Refused(
            "there is no token by which anybody could come in: whoever reaches this server spends your money; make one"
            " with `smista-mcp token create NAME` (or listen on 127.0.0.1 without --allowed-host)"
        )
    if not loopback and door.tls_cert is None and not door.proxies:
        raise Refused(
            "over plain HTTP everybody on the way reads the tokens: write --tls-cert and --tls-key, or --behind-proxy"
            " ADDRESS where a proxy ends TLS (or let that reach 127.0.0.1)"
        )
    if reads_files:
        raise Refused("--workspace is for loopback alone: nobody elsewhere may have files of this machine read")


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """What a server needs for TLS 1.2 and later.

    Raises:
        Refused: the files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if key.stat().st_mode & (S_IROTH | S_IWOTH) and sys.platform != "win32":  # modes say nothing there
            raise Refused(f"everybody may read or write the key `{key}`: `chmod o-rwx` it")
        context.load_cert_chain(cert, key, password=lambda: b"")  # a key with a password would ask at the terminal
    except FileNotFoundError as error:
        raise Refused(f"there is no file `{error.filename or cert}`; write where certificate and key are") from None
    except (OSError, ValueError) as error:  # SSLError is one of the former
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise Refused(
            f"`{cert}` and `{key}` cannot be used: {why}; write a PEM certificate with its chain, and its key without"
            " a password"
        ) from None
    return context


def _name(host: str) -> str:
    """A Host header without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _is_host(host: str) -> bool:
    name = _name(host)
    inner = name.removeprefix("[").removesuffix("]")
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789.-_") | (set(":") if inner != name else set[str]())
    return bool(inner) and letters.issuperset(inner) and not inner.startswith(("-", "."))
