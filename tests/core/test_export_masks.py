"""Rules on what a record does not say: what they name is gone, wherever it stood."""

import hashlib
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.masking import MASKED, Mask, masked

RECORD: dict[str, Any] = {
    "host": "codex",
    "model": "ollama/src",
    "paths": ["src/a.py", "src"],
    "decision": {"reason": "`src/a.py` is restricted; see src and srcs", "intent": {"name": "edit", "evidence": ["x"]}},
    "attempts": [{"receipt": {"sent": [{"path": "src/a.py", "tokens": 3}], "path": "/v1/chat"}, "cost": None}],
}


def keyed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def under(*rules: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    return masked(RECORD, [Mask.of(rule) for rule in rules], keyed, names)


def test_without_rules_it_is_as_it_was() -> None:
    assert under() is RECORD


def test_what_is_dropped_is_gone_and_the_rest_stays() -> None:
    assert under("drop decision.intent.evidence")["decision"]["intent"] == {"name": "edit"}
    assert under("drop attempts")["paths"] == RECORD["paths"]
    assert "attempts" not in under("drop attempts")
    assert under("drop nonesuch.*") == RECORD
    assert under("drop decision.*", "hash decision.reason")["decision"] == {}


@pytest.mark.parametrize("rule", ["hash attempts.receipt.sent.path", "hash **.sent.path", "hash *.*.*.path"])
def test_what_is_hashed_is_hashed_wherever_it_stands_in_a_sentence(rule: str) -> None:
    shown = under(rule)
    own = f"keyed:{keyed('src/a.py')}"
    assert shown["attempts"][0]["receipt"] == {"sent": [{"path": own, "tokens": 3}], "path": "/v1/chat"}
    assert shown["decision"]["reason"] == f"`{own}` is restricted; see src and srcs"
    assert shown["paths"] == RECORD["paths"]


def test_further_names_are_hashed_in_sentences_and_not_in_words() -> None:
    shown = under("hash paths", names=("src",))
    src = f"keyed:{keyed('src')}"
    assert shown["paths"] == [f"keyed:{keyed('src/a.py')}", src]
    assert shown["decision"]["reason"] == f"`keyed:{keyed('src/a.py')}` is restricted; see {src} and srcs"
    assert (shown["model"], shown["decision"]["intent"]["name"]) == ("ollama/src", "edit")
    assert under("drop host", names=("src",))["decision"] == RECORD["decision"]


@pytest.mark.parametrize("rule", ["", "hash", "keep a", "hash a..b", "hash .a", "drop a b", "hash a[0]", "drop\na"])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="no rule of a mask"):
        Mask.of(rule)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from("ab/. "), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("path", "a", "b")), inner, max_size=3),
    max_leaves=8,
)


@given(record=st.dictionaries(st.sampled_from(("path", "a", "b")), VALUES))
def test_no_path_is_left_in_any_field_of_that_name(record: dict[str, Any]) -> None:
    def left(value: Any, name: str = "") -> list[str]:
        if isinstance(value, list):
            return [one for part in cast("list[Any]", value) for one in left(part, name)]
        if isinstance(value, dict):
            return [one for own, part in cast("dict[str, Any]", value).items() for one in left(part, own)]
        return [str(value)] if name == "path" and value not in (None, "") else []

    shown = masked(record, [Mask.of("hash **.path")], keyed)
    assert all(one.startswith("keyed:") for one in left(shown))
    assert "path" not in json.dumps(masked(record, [Mask.of("drop **.path")], keyed))


def test_the_usual_ones_are_rules() -> None:
    assert all(Mask.of(rule) for rule in MASKED)


def test_what_a_path_was_restricted_by_tells_as_much_as_the_path() -> None:
    said = "restricted by `customers/acme-corp/**`"
    record: dict[str, Any] = {
        "decision": {"context": {"excluded": [{"path": "customers/acme-corp/a.md", "reason": said}]}},
        "labels": [{"told": f"answer of phase 0 <- a.md ({said})", "origin": [{"name": "a.md", "reason": said}]}],
        "attempts": [{"receipt": {"withheld": [{"path": "x", "reason": "restricted by `acme*`"}]}}],
    }
    shown = json.dumps(masked(record, [Mask.of(rule) for rule in MASKED], keyed))
    assert "acme" not in shown
    assert shown.count(keyed("customers/acme-corp/**")) == 3
    assert shown.count(keyed("acme*")) == 1
    assert masked(record, [Mask.of("drop paths")], keyed) == record


def test_a_rule_has_no_name_and_a_hash_is_keyed() -> None:
    record: dict[str, Any] = {
        "decision": {"matched_rule": {"name": "all of acme", "layer": "user"}, "notes": "rule `all of acme` won"},
        "attempts": [{"receipt": {"body_sha256": "ab", "sent": [{"path": "a.py", "sha256": "cd"}]}}],
    }
    shown = masked(record, [Mask.of(rule) for rule in MASKED], keyed)
    assert "acme" not in json.dumps(shown)
    receipt = cast("Any", shown)["attempts"][0]["receipt"]
    assert (receipt["body_sha256"], receipt["sent"][0]["sha256"]) == (f"keyed:{keyed('ab')}", f"keyed:{keyed('cd')}")


def test_a_path_alone_is_found_without_a_sentence_around_it() -> None:
    record: dict[str, Any] = {
        "paths": ["src/a.py", "edit"],
        "note": "`src/a.py`",
        "intent": "edit",
        "list": ["src/a.py:3"],
    }
    shown = under_of(record, "hash paths")
    assert shown["note"] == f"`keyed:{keyed('src/a.py')}`"
    assert shown["list"] == [f"keyed:{keyed('src/a.py')}:3"]
    assert shown["intent"] == "edit"


def under_of(record: dict[str, Any], *rules: str) -> dict[str, Any]:
    return masked(record, [Mask.of(rule) for rule in rules], keyed)
