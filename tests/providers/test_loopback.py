import pytest

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.loopback import host_header, is_sendable, loopback_hosts, only_loopback, parse_loopback

HOSTILE = [
    "http://127.0.0.1@evil.example",
    "http://127.0.0.1:80@evil.example/",
    "http://user:password@127.0.0.1",
    "http://evil.example",
    "http://evil.example#127.0.0.1",
    "http://evil.example/?127.0.0.1",
    "http://127.0.0.1?x",
    "http://127.0.0.1#x",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://localhost.",
    "http://evil-localhost",
    "http://0x7f.1",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://127.1",
    "http://127.0.1",
    "http://127.00.0.1",
    "http://127.0.0.256",
    "http://127.0.0.1.",
    "http://2130706433",
    "http://0.0.0.0",
    "http://10.0.0.1",
    "http://192.168.1.2:11434",
    "http://169.254.169.254",
    "http://[::]",
    "http://[::2]",
    "http://[::ffff:1.2.3.4]",
    "http://[::ffff:127.0.0.1]",
    "http://[::1%25eth0]",
    "http://[::1].evil.example",
    "http://[::1]evil.example",
    "http://①27.0.0.1",
    "http://127。0。0。1",
    "http://127.0.0.1\\@evil.example",
    "http://127.0.0.1\n.evil.example",
    "http://127.0.0.1\t",
    " http://127.0.0.1",
    "http://127.0.0.1:0",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:٨٠",
    "http://127.0.0.1:",
    "http:/127.0.0.1",
    "http:127.0.0.1",
    "//127.0.0.1",
    "127.0.0.1",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "unix:///run/x.sock",
    "http://",
    "",
]


@pytest.mark.parametrize("address", HOSTILE)
def test_an_address_that_may_be_elsewhere_is_refused_before_anything_is_sent(address: str) -> None:
    with pytest.raises(ProviderError) as refusal:
        parse_loopback(address)
    assert refusal.value.code is Code.PROVIDER_UNAVAILABLE
    assert not refusal.value.sent
    assert "password" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "host", "port", "path"),
    [
        ("http://127.0.0.1:11434", "127.0.0.1", 11434, ""),
        ("http://127.255.3.4", "127.255.3.4", 80, ""),
        ("http://[::1]:8080/v1/", "::1", 8080, "/v1"),
        ("HTTP://LocalHost:1234/v1", "localhost", 1234, "/v1"),
        ("https://localhost", "localhost", 443, ""),
    ],
)
def test_an_address_of_this_machine_is_taken_apart(address: str, host: str, port: int, path: str) -> None:
    parsed = parse_loopback(address)
    assert (parsed.host, parsed.port, parsed.path) == (host, port, path)


def test_a_literal_address_is_tried_as_it_is() -> None:
    assert loopback_hosts(parse_loopback("http://127.0.0.9")) == ("127.0.0.9",)


def test_the_name_localhost_leads_to_loopback_here() -> None:
    hosts = loopback_hosts(parse_loopback("http://localhost"))
    assert hosts
    assert set(hosts) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("resolved", [[], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["::1", "2001:db8::1"]])
def test_a_name_that_leads_elsewhere_as_well_is_refused(resolved: list[str]) -> None:
    with pytest.raises(ProviderError) as refusal:
        only_loopback(resolved)
    assert refusal.value.code is Code.PROVIDER_UNAVAILABLE


def test_each_address_of_a_name_is_tried_once() -> None:
    assert only_loopback(["::1", "127.0.0.1", "::1"]) == ("::1", "127.0.0.1")


def test_the_host_header_brackets_an_ipv6_address() -> None:
    assert host_header(parse_loopback("http://[::1]:81")) == "[::1]:81"
    assert host_header(parse_loopback("http://127.0.0.1")) == "127.0.0.1:80"


def test_a_key_with_a_line_break_or_of_other_letters_fits_no_header() -> None:
    assert is_sendable("abc-123")
    assert not is_sendable("abc\r\nX: y")
    assert not is_sendable("schlüssel")
