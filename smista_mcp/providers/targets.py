"""To whom a request goes, and where that may be: judged before a socket is opened, by the address alone.

A local target takes a plain request, a remote one nothing but what the gate has cleared; the two are types of their
own, so that a type checker sees which is which.
"""

import ipaddress
import socket
from dataclasses import dataclass, field

from smista_mcp.core.addresses import Address, parse_address
from smista_mcp.errors import Cause, Code, ProviderError
from smista_mcp.providers.loopback import only_loopback

_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
"""Where clouds answer questions about the machine itself, besides the link-local addresses."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """A server whose requests stay where the user says.

    Attributes:
        key: shown nowhere.
        declared: user or organisation wrote `locality = "local"`; without it only this machine's loopback is local.
        plain_lan: they allowed plain http to it.
    """

    base_url: str
    key: str | None = field(default=None, repr=False)
    declared: bool = False
    plain_lan: bool = False


@dataclass(frozen=True, slots=True)
class RemoteTarget:
    """A server that counts as remote, wherever it stands.

    Attributes:
        model: the name under which it is asked for the model.
        key: shown nowhere.
    """

    base_url: str
    model: str
    key: str | None = field(default=None, repr=False)


Target = LocalTarget | RemoteTarget


def address_of(target: Target) -> Address:
    """The address of a target, if a request may go there. No resolver is asked.

    Raises:
        ProviderError: `provider_unavailable`, nothing sent: it is no address, not this machine where it would have to
            be, one where no model can be, or would be reached in the clear.
    """
    try:
        address = parse_address(target.base_url)
    except ValueError:
        raise _refused("is none that can be used", "write for example `https://models.example/v1`") from None
    if address.loopback:
        return address
    if isinstance(target, LocalTarget) and not target.declared:
        raise _refused(
            "is not on this machine's loopback interface, so that it is not local",
            'write for example `http://127.0.0.1:11434`, or `locality = "local"` beside it if it is yours',
        )
    plain = isinstance(target, LocalTarget) and target.plain_lan
    if address.scheme != "https" and not plain:
        raise _refused("would be reached without encryption", "write `https://`")
    if is_literal(address):
        _check_place(address.host)
    return address


def hosts_of(address: Address) -> tuple[str, ...]:
    """The IP addresses to try, in the resolver's order. Blocks while the resolver works.

    Raises:
        ProviderError: `provider_unavailable`: the name leads nowhere, or to where no model can be.
    """
    found = [address.host] if is_literal(address) else _resolved(address)
    if address.host == "localhost":
        return only_loopback(found)
    for host in found:
        _check_place(host)
    return tuple(dict.fromkeys(found))


def is_literal(address: Address) -> bool:
    """Whether its host is an IP address, so that no resolver is needed."""
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        return False
    return True


def _resolved(address: Address) -> list[str]:
    try:
        entries = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _refused("is a name that does not resolve", "check `base_url`, and the network", Cause.DNS) from None
    return [str(entry[4][0]) for entry in entries]


def _check_place(host: str) -> None:
    """Refuses what is no place for a model: the link itself, a cloud's own addresses, no single machine."""
    place = _behind(ipaddress.ip_address(host.partition("%")[0]))
    if place.is_loopback:
        return
    nowhere = place.is_link_local or place.is_multicast or place.is_unspecified or place.is_reserved
    if nowhere or place in _METADATA:
        raise _refused("leads to a link-local or reserved address", "check the name in `base_url`, and who answers it")


def _behind(place: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address inside one of the newer kind, where that holds one."""
    if isinstance(place, ipaddress.IPv4Address):
        return place
    if place in _NAT64:
        return ipaddress.IPv4Address(int(place) & 0xFFFF_FFFF)
    return place.ipv4_mapped or place.sixtofour or place


def _refused(what: str, fix: str, cause: Cause = Cause.UNUSABLE) -> ProviderError:
    return ProviderError(f"the provider's address {what}", code=Code.PROVIDER_UNAVAILABLE, fix=fix, cause=cause)
