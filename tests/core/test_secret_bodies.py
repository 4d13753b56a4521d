"""A secret is found in the JSON that is sent as it is found in the text, and under the same fingerprint."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.secretscan import scan, secrets_in, secrets_in_body, unescaped
from smista_mcp.core.secretscan.facts import fingerprint as named
from smista_mcp.core.secretscan.facts import is_allowed

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "secret_cases.json").read_text(encoding="utf-8"))
PAIRS: list[dict[str, Any]] = json.loads((HERE / "secret_pairs.json").read_text(encoding="utf-8"))
SECOND: list[dict[str, Any]] = json.loads((HERE / "secret_cases_second.json").read_text(encoding="utf-8"))
TEXTS = [
    *("".join(case["text_parts"]) for case in SECOND),
    *("".join(case["text_parts"]) for case in CASES),
    *(f"{pair['before']}{''.join(pair['secret'])}{pair['behind']}" for pair in PAIRS),
    *("".join(pair["harmless"]) for pair in PAIRS),
]


def bodies(text: str) -> Iterator[str]:
    """A text in the shapes in which writers of JSON put it."""
    for ascii_only in (True, False):
        body = json.dumps({"messages": [{"role": "user", "content": text}]}, ensure_ascii=ascii_only)
        yield body
        yield body.replace("/", "\\/")
    yield json.dumps({"messages": [{"content": text}]}, indent=2).replace("\\n", "\\u000a").replace('\\"', "\\u0022")


@pytest.mark.parametrize("text", TEXTS)
def test_a_body_holds_a_secret_if_and_only_if_its_text_does(text: str) -> None:
    for body in bodies(text):
        assert bool(secrets_in_body(body)) == bool(scan(text))


@pytest.mark.parametrize("text", [text for text in TEXTS if scan(text)])
def test_what_is_allowed_in_a_text_is_allowed_in_its_body(text: str) -> None:
    facts = secrets_in(text)
    allowed = frozenset(fact.fingerprint for fact in facts if fact.fingerprint)
    told = {fact.kind for fact in facts if fact.fingerprint is None}
    for body in bodies(text):
        assert {fact.kind for fact in secrets_in_body(body, allowed)} <= told


def test_a_key_as_an_argument_under_its_name_is_found() -> None:
    value = "q7Zt" + "B2mX9vKc4LwP" + "8sRn3HdY"
    body = json.dumps({"tool": {"input": {"api_key": value, "note": 'a "quoted" word'}}})
    assert secrets_in_body(body) != ()
    assert secrets_in_body(body.replace(value, "none")) == ()


def test_an_escape_inside_a_key_hides_nothing() -> None:
    value = "".join(next(p for p in PAIRS if p["anchor"] == "gh" + "p_")["secret"])
    hidden = "".join(f"\\u{ord(char):04x}" for char in value[:9]) + value[9:]
    assert [fact.kind for fact in secrets_in_body(f'{{"content":"{hidden}"}}')] == ["github_token"]


@given(st.text(max_size=200))
def test_without_its_escapes_a_string_of_json_is_the_text(text: str) -> None:
    for ascii_only in (True, False):
        assert unescaped(json.dumps(text, ensure_ascii=ascii_only)) == f'"{text}"'


@given(st.text('\\"/nu0041dc9e\n\0\1x', max_size=60))
def test_what_is_no_json_is_read_too(text: str) -> None:
    assert len(unescaped(text)) <= len(text)
    secrets_in_body(text)


# --------------------------------------------------------------------------------------------------- key blocks by name


def block() -> str:
    text = next("".join(case["text_parts"]) for case in CASES if case["id"] == "pem-001")
    (hit,) = [hit for hit in scan(text) if hit.kind == "private_key"]
    return text[hit.start : hit.end]


@pytest.mark.parametrize(
    ("written", "instead"),
    [("\n", "\\n"), ("\n", "\\r\\n"), ("\n", "\r\n"), ("\n", "\n    "), ("\n", '\\n" +\n  "'), ("/", "\\/")],
)
def test_a_key_block_has_one_fingerprint_however_it_is_written(written: str, instead: str) -> None:
    assert named("private_key", block().replace(written, instead)) == named("private_key", block())


def test_another_key_block_has_another_fingerprint() -> None:
    changed = block()[:80] + ("A" if block()[80] != "A" else "B") + block()[81:]
    assert named("private_key", changed) != named("private_key", block())


def test_fingerprints_of_before_hold() -> None:
    """The value as it stands was hashed until escapes were undone first."""

    old = hashlib.sha256(b"private_key\0" + block().encode()).hexdigest()[:16]
    assert is_allowed("private_key", block(), frozenset({f"private_key-{old}"}))
    assert secrets_in(block(), frozenset({f"private_key-{old}"})) == ()
    token = "".join(next(p for p in PAIRS if p["anchor"] == "gh" + "p_")["secret"])
    kept = hashlib.sha256(f"github_token\0{token}".encode()).hexdigest()[:16]
    assert named("github_token", token) == f"github_token-{kept}"


@pytest.mark.parametrize("place", [1, 12, 19])
def test_a_key_with_an_escape_in_it_is_covered_from_end_to_end(place: int) -> None:
    value = "".join(next(p for p in PAIRS if p["anchor"] == "AK" + "IA")["secret"])
    text = f'x "{value[:place]}\\u{ord(value[place]):04x}{value[place + 1 :]}" y'
    assert [(hit.start, hit.end) for hit in scan(text)] == [(3, len(text) - 3)]
