"""Whether a server on another machine can be reached at all: a connection is opened and closed, and nothing is said."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping

from smista_mcp.core.addresses import parse_address
from smista_mcp.errors import ProviderError


def knock_all(urls: Mapping[str, str], trust: Callable[[], ssl.SSLContext], *, limit_s: float) -> dict[str, str]:
    """Knocks at all addresses at once.

    Neither a key nor a word of a request is sent; over https the certificate is judged.

    Args:
        urls: name -> address.
        trust: gives whose certificates are believed; raises ProviderError where they cannot be read.
        limit_s: seconds for all of them.

    Returns:
        name -> why it cannot be reached, empty where it can.
    """
    if not urls:
        return {}
    try:
        context = trust()
    except ProviderError as error:
        return dict.fromkeys(urls, error.message)
    end = time.monotonic() + limit_s
    found: dict[str, str] = {}
    threads = [
        threading.Thread(target=_note, args=(found, name, url, context, end), name=f"knock {name}", daemon=True)
        for name, url in urls.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end + 0.05 - time.monotonic()))
    known = dict(found)
    return {name: known.get(name, "does not answer in time") for name in urls}


def _note(found: dict[str, str], name: str, url: str, context: ssl.SSLContext, end: float) -> None:
    found[name] = _knock(url, context, end)


def _knock(url: str, context: ssl.SSLContext, end: float) -> str:
    try:
        address = parse_address(url)
    except ValueError:
        return "its address is none"
    try:
        with socket.create_connection((address.host, address.port), timeout=_left(end)) as connection:
            connection.settimeout(_left(end))
            if address.scheme == "https":
                context.wrap_socket(connection, server_hostname=address.host).close()
    except ssl.SSLCertVerificationError:
        return "its certificate is not trusted here"
    except ssl.SSLError:
        return "it does not speak TLS"
    except TimeoutError:
        return "does not answer in time"
    except socket.gaierror:
        return "its name is not known here"
    except ConnectionRefusedError:
        return "nothing listens there"
    except OSError as error:
        return error.strerror or "it cannot be reached"
    return ""


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
