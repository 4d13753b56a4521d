import pytest

from smista_mcp.core.addresses import Address, HiddenCredential, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:11434", Address("http", "127.0.0.1", 11434, "")),
        ("HTTPS://Api.Example.com/v1/", Address("https", "api.example.com", 443, "/v1")),
        ("http://[::1]/v1", Address("http", "::1", 80, "/v1")),
        ("http://my_box:8080/a/b.c/", Address("http", "my_box", 8080, "/a/b.c")),
    ],
)
def test_an_address_is_read_in_its_parts(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.255.255", "[::1]", "localhost", "LOCALHOST"])
def test_this_machine_is_known_by_its_plain_names(host: str) -> None:
    assert parse_address(f"http://{host}:1").loopback


@pytest.mark.parametrize(
    "host", ["127.1", "127.0.0.01", "127.0.0.256", "0.0.0.0", "2130706433", "0x7f.0.0.1", "10.0.0.1"]
)
@pytest.mark.parametrize("suffix", ["", ".example"])
def test_no_other_number_counts_as_this_machine(host: str, suffix: str) -> None:
    assert not parse_address(f"http://{host}{suffix}:1").loopback


@pytest.mark.parametrize(
    "host",
    ["localhost.example", "127.0.0.1.example", "notlocalhost", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]"],
)
def test_no_other_spelling_counts_as_this_machine(host: str) -> None:
    assert not parse_address(f"http://{host}:1").loopback


@pytest.mark.parametrize(
    "text",
    [
        "http://u:pw@h",
        "http://key@h/",
        "http://127.0.0.1@evil.example",
        "https://h/v1?api_key=pw",
        "https://h#pw",
        "http://h?",
    ],
)
def test_an_address_with_a_credential_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(HiddenCredential) as raised:
        parse_address(text)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "h", "//h", "http://", "http:///v1", "ftp://h", "file:///x", "unix:///run/x.sock"]
)
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="; write"):
        parse_address(text)


@pytest.mark.parametrize(
    "rest",
    [
        ":0",
        ":65536",
        ":x",
        " /v1",
        "\\v1",
        "\u00f6",
        "/\n",
        "/../x",
        ".",
        "/a b",
        "\uff11",
        ":1:2",
        "/\x00",
        "]",
        "%00",
    ],
)
@pytest.mark.parametrize("start", ["http://h", "http://127.0.0.1"])
def test_an_address_that_two_readers_could_read_differently_is_refused(start: str, rest: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        parse_address(start + rest)


@pytest.mark.parametrize("text", [" http://h", "http://-h", "http://[fe80::1%25eth0]", "http://[::1", "\thttp://h"])
def test_so_is_an_address_with_an_odd_start(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        parse_address(text)
