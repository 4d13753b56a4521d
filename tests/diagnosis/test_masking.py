"""A masked report holds nothing by which machine, user or project could be known."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.diagnosis.marks import Mask, address, name, place, shown, words

LETTERS = string.ascii_letters + string.digits + "-_"
odd = st.text(LETTERS, min_size=8, max_size=16).map(lambda text: f"Qx{text}Z")
MASK = Mask("/home/quentin", "/home/quentin/clients/acme/rocket", ("quentin", "box7", "rocket"))


def one(text: str) -> str:
    (masked,) = MASK.masked([text])
    return masked


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/home/quentin/.codex/config.toml", "~/.codex/config.toml"),
        ("/home/quentin/clients/acme/rocket/.smista/config.toml", "PROJECT/.smista/config.toml"),
        ("/home/quentin/clients/acme/rocket", "PROJECT"),
        ("/home/quentin/clients/acme/rockets/.mcp.json", "~/*/*/*/.mcp.json"),
        ("/home/quentins/.codex/config.toml", "/*/*/.codex/config.toml"),
        ("/opt/acme/venv/bin/smista-mcp", "/opt/*/venv/bin/smista-mcp"),
        ("/usr/lib/python3.11/site-packages", "/usr/lib/python3.11/site-packages"),
        ("smista-mcp", "smista-mcp"),
        ("acme-start", "*"),
    ],
)
def test_a_path_keeps_only_its_customary_folders(path: str, masked: str) -> None:
    assert one(f"see {place(path)}") == f"see {masked}"
    assert shown(f"see {place(path)}") == f"see {path}"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://api.openai.com/v1", "https://api.openai.com:443"),
        ("https://llm.acme.example/v1/team", "https://HOST:443"),
        ("https://bob:hunter2@llm.acme.example:8443", "https://HOST:8443"),
        ("not an address", "ADDRESS"),
    ],
)
def test_an_address_keeps_its_scheme_and_port(url: str, masked: str) -> None:
    assert one(address(url)) == masked
    assert "hunter2" not in shown(address(url))


def test_the_same_name_has_the_same_stand_in_everywhere() -> None:
    texts = MASK.masked([f"{name('acme')} and {name('zeta')}", name("acme")])
    assert texts == ("NAME1 and NAME2", "NAME1")
    assert one(words("rule `acme` is dead")) == "(left out)"


def test_what_was_not_marked_is_found_all_the_same() -> None:
    text = "user Quentin on box7: /home/quentin/x, rocket, /srv/acme/data, https://acme.example/x"
    assert one(text) == "user NAME on NAME: ~/x, NAME, /srv/*/*".replace("/srv", "/*") + ", https://HOST:443"


def test_a_key_is_never_shown() -> None:
    key = "sk-" + "ant-api03-" + "a1B2" * 12
    assert key not in shown(f"{words(key)} and {key}")
    assert key not in one(f"{name(key)} and {key}")


@given(odd, odd, odd, odd, odd)
def test_nothing_of_the_machine_is_left(user: str, project: str, host: str, rule: str, folder: str) -> None:
    mask = Mask(f"/home/{user}", f"/home/{user}/{folder}/{project}", (user, project, host))
    text = (
        f"{place(f'/home/{user}/{folder}/{project}/.mcp.json')} {place(f'/srv/{folder}/x')} {name(rule)}"
        f" {address(f'https://{user}:{rule}@{host}.example/{project}')} {words(f'{rule} of {folder}')}"
        f" {user} {project} {host} /home/{user}/{folder}/{project}/a /srv/{folder}/b https://{host}.example/{project}"
    )
    (masked,) = mask.masked([text])
    for secret in (user, project, host, rule, folder):
        assert secret not in masked
    assert not re.search("[\ue000-\ue002]", masked)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_value_cannot_break_out_of_its_mark(value: str, other: str) -> None:
    text = f"{words(value)}|{words(other)}"
    assert one(text) == "(left out)|(left out)"


@pytest.mark.parametrize("common", ["home", "user", "Host", "model", "org", "codex"])
def test_a_common_word_as_a_name_leaves_our_own_words_whole(common: str) -> None:
    mask = Mask(f"/srv/{common}", f"/srv/{common}/{common}-secret", (common, "box7"))
    ours = "set SMISTA_HOME and SMISTA_ORG_POLICY in the entry; the user's host names no model"
    told, path = mask.masked([ours, f"{place(f'/srv/{common}/x')} on box7"])
    assert told == ours
    assert path == "~/* on NAME"


def test_a_name_in_a_word_with_underscores_is_still_found() -> None:
    assert one("QUENTIN_HOME quentin_notes") == "NAME_HOME NAME_notes"
