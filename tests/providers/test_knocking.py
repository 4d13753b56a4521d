"""Knocking at servers on other machines; here they are on loopback, which it does not look at."""

import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from certificates import Authority

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.knocking import knock_all
from smista_mcp.providers.sender import Authorities, trusted


@contextmanager
def listening(tls: ssl.SSLContext | None = None) -> Generator[tuple[int, list[bytes]]]:
    """A port where somebody accepts, says nothing, and keeps what is said."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            try:
                connection, _ = server.accept()
                with connection:
                    if tls is not None:
                        with tls.wrap_socket(connection, server_side=True) as secured:
                            heard.append(secured.recv(100))
                    else:
                        heard.append(connection.recv(100))
            except OSError:
                heard.append(b"broken")

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1], heard
        with socket.socket() as last:  # where nobody knocked
            last.connect_ex(("127.0.0.1", server.getsockname()[1]))
        thread.join()


def knock(url: str, authorities: Authorities, limit_s: float = 20.0) -> str:
    return knock_all({"one": url}, lambda: trusted(authorities), limit_s=limit_s)["one"]


def test_a_server_is_heard_to_be_there_and_is_told_nothing(tmp_path: Path) -> None:
    authority = Authority.new(tmp_path)
    with listening(authority.server("localhost")) as (port, heard):
        assert not knock(f"https://localhost:{port}/v1", Authorities(str(authority.file)))
    assert heard == [b""]
    with listening() as (port, heard):
        assert not knock(f"http://127.0.0.1:{port}", Authorities())
    assert heard == [b""]


def test_why_a_server_cannot_be_reached_is_told(tmp_path: Path) -> None:
    authority, other = Authority.new(tmp_path / "a"), Authority.new(tmp_path / "b")
    with listening(authority.server("localhost")) as (port, _):
        assert "certificate" in knock(f"https://localhost:{port}", Authorities(str(other.file)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert "in time" in knock(f"https://127.0.0.1:{port}", Authorities(str(authority.file)), 0.3)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert knock(f"http://127.0.0.1:{port}", Authorities()) == "nothing listens there"
    assert "name" in knock("http://no-such-host.invalid:80", Authorities())
    assert knock("none", Authorities()) == "its address is none"


def test_authorities_that_cannot_be_read_are_told_without_a_knock() -> None:
    def trust() -> ssl.SSLContext:
        raise ProviderError("they cannot be read", code=Code.PROVIDER_UNAVAILABLE)

    assert knock_all({"a": "https://127.0.0.1:1"}, trust, limit_s=1.0) == {"a": "they cannot be read"}
    assert knock_all({}, trust, limit_s=1.0) == {}
