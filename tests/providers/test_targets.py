"""Where a request may go, by the address alone and by what its name leads to."""

import socket
import sys
from collections.abc import Callable, Sequence

import pytest

from smista_mcp.core.addresses import parse_address
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.targets import LocalTarget, RemoteTarget, Target, address_of, hosts_of


def local(base_url: str, *, declared: bool = False, plain_lan: bool = False) -> LocalTarget:
    return LocalTarget(base_url, "key", declared, plain_lan)


def remote(base_url: str) -> RemoteTarget:
    return RemoteTarget(base_url, "m", "key")


MAY = [
    local("http://127.0.0.1:11434"),
    local("http://localhost"),
    local("https://[::1]:8443"),
    local("https://10.0.0.7", declared=True),
    local("https://models.lan", declared=True),
    local("http://10.0.0.7:8000", declared=True, plain_lan=True),
    remote("https://models.example/v1"),
    remote("https://10.0.0.7"),
    remote("http://127.0.0.1:8000"),
    remote("http://localhost:8000"),
]
MAY_NOT = [
    local("http://10.0.0.7"),
    local("https://models.lan"),
    local("https://models.example", plain_lan=True),
    local("http://10.0.0.7", declared=True),
    local("http://models.lan", declared=True),
    remote("http://models.example/v1"),
    remote("http://10.0.0.7"),
    remote("http://127.0.0.1@models.example"),
    remote("https://169.254.169.254"),
    remote("https://[fe80::1]"),
    remote("https://[::ffff:169.254.169.254]"),
    remote("https://[64:ff9b::a9fe:a9fe]"),
    remote("https://[2002:a9fe:a9fe::1]"),
    remote("https://[fd00:ec2::254]"),
    remote("https://100.100.100.200"),
    remote("https://0.0.0.0"),
    remote("https://224.0.0.1"),
    remote("https://255.255.255.255"),
    local("http://169.254.169.254", declared=True, plain_lan=True),
    remote("ftp://models.example"),
    remote("nonsense"),
    remote(""),
]


@pytest.mark.parametrize("number", range(len(MAY)))
def test_a_request_may_go_there(number: int) -> None:
    assert address_of(MAY[number]).host in MAY[number].base_url


@pytest.mark.parametrize("number", range(len(MAY_NOT)))
def test_a_request_may_not_go_there(number: int) -> None:
    with pytest.raises(ProviderError) as refused:
        address_of(MAY_NOT[number])
    assert (refused.value.code, refused.value.sent) == (Code.PROVIDER_UNAVAILABLE, False)
    assert refused.value.fix


@pytest.mark.parametrize("target", [MAY[0], MAY[-1]])
def test_the_key_is_never_shown(target: Target) -> None:
    assert "'key'" not in repr(target)


# ------------------------------------------------------------------------------------------- what a name leads to

Leads = Callable[[str], None]


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[str] | OSError], None]:
    """Says what every name resolves to: no test may ask a real resolver for a name of another machine."""

    def say(found: Sequence[str] | OSError) -> None:
        def answer(*_: object, **__: object) -> list[tuple[object, ...]]:
            if isinstance(found, OSError):
                raise found
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 443)) for host in found]

        monkeypatch.setattr(socket, "getaddrinfo", answer)

    return say


@pytest.mark.parametrize(
    "found",
    [
        ("169.254.169.254",),
        ("203.0.113.7", "169.254.169.254"),
        ("fe80::1%eth0",),
        ("::ffff:169.254.169.254",),
        ("fd00:ec2::254",),
        ("0.0.0.0",),
    ],
)
def test_a_name_that_leads_where_no_model_can_be_is_refused(
    leads_to: Callable[[Sequence[str] | OSError], None], found: Sequence[str]
) -> None:
    leads_to(found)
    with pytest.raises(ProviderError) as refused:
        hosts_of(parse_address("https://models.example"))
    assert refused.value.code is Code.PROVIDER_UNAVAILABLE


def test_a_name_leads_to_each_of_its_addresses_once(leads_to: Callable[[Sequence[str] | OSError], None]) -> None:
    places = ("203.0.113.7", "10.0.0.7", "2001:db8::7", "64:ff9b::cb00:7107", "::ffff:203.0.113.7", "::1")
    leads_to([*places, "203.0.113.7"])
    assert hosts_of(parse_address("https://models.example")) == places


def test_a_name_that_leads_nowhere_is_unavailable(leads_to: Callable[[Sequence[str] | OSError], None]) -> None:
    leads_to(socket.gaierror(socket.EAI_NONAME, "not known"))
    with pytest.raises(ProviderError) as refused:
        hosts_of(parse_address("https://models.example"))
    assert (refused.value.code, refused.value.sent) == (Code.PROVIDER_UNAVAILABLE, False)


def test_localhost_is_this_machine_alone(leads_to: Callable[[Sequence[str] | OSError], None]) -> None:
    leads_to(["127.0.0.1", "203.0.113.7"])
    with pytest.raises(ProviderError):
        hosts_of(parse_address("https://localhost"))


def test_an_address_needs_no_resolver() -> None:
    asked: list[str] = []
    sys.addaudithook(lambda event, _: asked.append(event) if event == "socket.getaddrinfo" else None)
    assert hosts_of(parse_address("https://203.0.113.7")) == ("203.0.113.7",)
    assert hosts_of(parse_address("http://[::1]")) == ("::1",)
    assert asked == []
