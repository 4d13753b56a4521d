"""Which addresses are this very machine. The look at local servers goes nowhere else; the sender asks `targets`.

What an address may look like says `core.addresses`: one narrow spelling, of which 127.0.0.0/8 in four plain decimal
parts, `[::1]` and the name `localhost` are this machine. The name is then resolved and must lead to loopback addresses
alone. The parts go to the socket as they were judged; the text is never parsed a second time.
"""

import ipaddress
import socket
from collections.abc import Iterable

from smista_mcp.core.addresses import Address, parse_address
from smista_mcp.errors import Code, ProviderError


def parse_loopback(base_url: str) -> Address:
    """Judges an address without asking any resolver.

    Raises:
        ProviderError: `provider_unavailable`, nothing sent: the address is not, or may not be, on this machine.
    """
    try:
        address = parse_address(base_url)
    except ValueError:
        raise _refused() from None
    if not address.loopback:
        raise _refused()
    return address


def loopback_hosts(address: Address) -> tuple[str, ...]:
    """The IP addresses to try, in the resolver's order. Blocks while the resolver works.

    Raises:
        ProviderError: `provider_unavailable`: the name leads nowhere, or to another machine as well.
    """
    if address.host != "localhost":
        return (address.host,)
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        raise ProviderError("`localhost` does not resolve on this machine", code=Code.PROVIDER_UNAVAILABLE) from None
    return only_loopback(str(entry[4][0]) for entry in found)


def only_loopback(resolved: Iterable[str]) -> tuple[str, ...]:
    """The addresses that a name was resolved to, each once.

    Raises:
        ProviderError: `provider_unavailable`: there is none, or one of them is another machine.
    """
    hosts = tuple(dict.fromkeys(resolved))
    if not hosts or not all(ipaddress.ip_address(host.partition("%")[0]).is_loopback for host in hosts):
        raise ProviderError(
            "`localhost` leads to another machine here",
            code=Code.PROVIDER_UNAVAILABLE,
            fix="write 127.0.0.1 in `base_url`, and mend the hosts file",
        )
    return hosts


def host_header(address: Address) -> str:
    """Host and port as an HTTP `Host` header says them."""
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"


def is_sendable(key: str) -> bool:
    """Whether a header can carry the key."""
    return key.isascii() and key.isprintable()


def _refused() -> ProviderError:
    return ProviderError(
        "the provider's address is not on this machine's loopback interface, and no other is allowed",
        code=Code.PROVIDER_UNAVAILABLE,
        fix="write for example `http://127.0.0.1:11434`; a name other than `localhost` is not taken",
    )
