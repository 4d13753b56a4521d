"""A secret has the same fingerprint however its text is escaped."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.secretscan import scan, secrets_in
from smista_mcp.core.secretscan.escapes import unescaped
from smista_mcp.core.secretscan.facts import fingerprint as named
from smista_mcp.core.secretscan.facts import is_allowed

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "secret_cases.json").read_text(encoding="utf-8"))
PAIRS: list[dict[str, Any]] = json.loads((HERE / "secret_pairs.json").read_text(encoding="utf-8"))


@given(st.text(max_size=200))
def test_without_its_escapes_a_string_of_json_is_the_text(text: str) -> None:
    for ascii_only in (True, False):
        assert unescaped(json.dumps(text, ensure_ascii=ascii_only)) == f'"{text}"'


@given(st.text('\\"/nu0041dc9e\n\0\1x', max_size=60))
def test_what_is_no_json_is_read_too(text: str) -> None:
    assert len(unescaped(text)) <= len(text)


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
