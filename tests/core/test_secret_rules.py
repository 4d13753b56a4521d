"""The table of secrets, row by row; the cases of somebody who had not seen it; and that no text makes it work long."""

import base64
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.redaction import redacted, redacted_json
from smista_mcp.core.secretscan import scan, secrets_in, told
from smista_mcp.core.secretscan.facts import secrets_of_phases
from smista_mcp.core.secretscan.scanner import NEARBY_RULES, RULES, rules_digest

HERE = Path(__file__).parent
PAIRS: list[dict[str, Any]] = json.loads((HERE / "secret_pairs.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = json.loads((HERE / "secret_cases.json").read_text(encoding="utf-8"))
SECOND: list[dict[str, Any]] = json.loads((HERE / "secret_cases_second.json").read_text(encoding="utf-8"))
THIRD: list[dict[str, Any]] = json.loads((HERE / "secret_cases_third.json").read_text(encoding="utf-8"))
FOURTH: list[dict[str, Any]] = json.loads((HERE / "secret_cases_fourth.json").read_text(encoding="utf-8"))
NEVER_MISSED = re.compile(
    r"aws|github|gitlab|openai|anthropic|google|gcp|slack|stripe|pem|private_key|openssh|pgp|postgres|mysql|mongo|redis|database|db_"
)


def value_of(pair: dict[str, Any]) -> str:
    return "".join(pair["secret"])


def text_of(pair: dict[str, Any]) -> str:
    return f"{pair['before']}{value_of(pair)}{pair['behind']}"


def name_of(pair: dict[str, Any]) -> str:
    return f"{pair['kind']}:{pair['anchor']}"


# ------------------------------------------------------------------------------------------------------------ the table


@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_each_row_finds_its_secret_where_it_stands(pair: dict[str, Any]) -> None:
    text = f"first\nsecond\n{text_of(pair)}\n"
    (hit,) = [hit for hit in scan(text) if hit.kind == pair["kind"]]
    assert (hit.line, text[hit.start : hit.end]) == (3, value_of(pair))
    assert value_of(pair) not in repr(hit)


@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_the_same_shape_without_a_secret_does_not_alarm(pair: dict[str, Any]) -> None:
    assert scan("".join(pair["harmless"])) == ()


def test_every_anchor_and_every_kind_has_a_pair() -> None:
    assert {(r.kind, a) for r in RULES for a in r.anchors} <= {(p["kind"], p["anchor"]) for p in PAIRS}
    assert {rule.kind for rule in NEARBY_RULES} <= {pair["kind"] for pair in PAIRS}
    assert all(rule.source for rule in (*RULES, *NEARBY_RULES))


@pytest.mark.parametrize("pair", [p for p in PAIRS if p["before"] == "value: "], ids=name_of)
def test_a_secret_is_found_in_the_shape_in_which_it_is_sent(pair: dict[str, Any]) -> None:
    body = json.dumps({"messages": [{"content": f"see:\n{value_of(pair)}\n"}]})
    assert pair["kind"] in {hit.kind for hit in scan(body)}
    assert value_of(pair) not in redacted(body)


@pytest.mark.parametrize("prefix", ["gh" + "p_", "gl" + "pat-", "AK" + "IA", "sk" + "_live_"])
def test_well_known_keys_are_found_in_base64(prefix: str) -> None:
    pair = next(p for p in PAIRS if p["anchor"] == prefix)
    wrapped = base64.b64encode(value_of(pair).encode()).decode()
    assert [hit.kind for hit in scan(f"data: {wrapped}\n")] == [pair["kind"]]


@pytest.mark.parametrize("joint", ["\n", "\n    ", '" + "', '"\n    "', "\\\n", "' .\n '", "=\n"])
@pytest.mark.parametrize("prefix", ["gh" + "p_", "sk" + "-ant-", "gl" + "pat-"])
def test_a_key_that_goes_on_behind_a_line_or_a_quotation_is_found(prefix: str, joint: str) -> None:
    value = value_of(next(p for p in PAIRS if p["anchor"] == prefix))
    text = f'key = "{value[:16]}{joint}{value[16:]}"'
    (hit,) = scan(text)
    assert (hit.start, hit.end) == (text.index(value[:16]), text.index(value[16:]) + len(value[16:]))


# ------------------------------------------------------------------------------------------ what the rules did not know


def _found(case: dict[str, Any]) -> bool:
    text, value = "".join(case["text_parts"]), "".join(case.get("value_parts") or ())
    start = text.find(value) if value else -1
    return any(start < 0 or (hit.start < start + len(value) and hit.end > start) for hit in scan(text))


def test_at_least_97_of_100_secrets_of_the_cases_are_found() -> None:
    secret = [case for case in CASES if case["secret"]]
    missed = [case["id"] for case in secret if not _found(case)]
    assert len(CASES) >= 200
    assert len(missed) <= 0.03 * len(secret), missed
    assert [case["id"] for case in secret if NEVER_MISSED.search(case["kind"]) and not _found(case)] == []


def test_at_most_5_of_100_harmless_cases_alarm() -> None:
    harmless = [case for case in CASES if not case["secret"]]
    alarms = [case["id"] for case in harmless if scan("".join(case["text_parts"]))]
    assert len(alarms) <= 0.05 * len(harmless), alarms


def test_the_second_set_is_found_as_well() -> None:
    """Cases of somebody who had not seen the rules.

    When they were first measured, with the rules as they were: 255 of 268 secrets found (95.1 %), 9 of 196 harmless
    ones alarmed (4.6 %), 106 of 107 of the group that must never be missed. With the rules that they led to: all
    found, none alarmed; that says little about a third set.
    """
    secret = [case for case in SECOND if case["secret"]]
    harmless = [case for case in SECOND if not case["secret"]]
    missed = [case for case in secret if not secrets_in("".join(case["text_parts"]))]
    group = "aws github gitlab openai anthropic google slack stripe keyblock dburl".split()
    assert len(secret) >= 250
    assert len(harmless) >= 190
    assert len(missed) <= 0.02 * len(secret), [case["id"] for case in missed]
    assert [case["id"] for case in missed if case["kind"].removeprefix("wrapped-").split("-")[0] in group] == []
    alarms = [case["id"] for case in harmless if secrets_in("".join(case["text_parts"]))]
    assert len(alarms) <= 0.02 * len(harmless), alarms


def test_the_third_set_is_found_as_well() -> None:
    """Cases of somebody else who had not seen the rules either.

    When they were first measured, with the rules as they were: 176 of 182 secrets found (96.7 %), 8 of 119 harmless
    ones alarmed (6.7 %), all of the group that must never be missed found. With the rules that their kinds led to: all
    found, none alarmed; that says little about a fourth set.
    """
    secret = [case for case in THIRD if case["secret"]]
    harmless = [case for case in THIRD if not case["secret"]]
    assert (len(secret), len(harmless)) == (182, 119)
    missed = [case["id"] for case in secret if not secrets_in("".join(case["text_parts"]))]
    assert len(missed) <= 0.02 * len(secret), missed
    alarms = [case["id"] for case in harmless if secrets_in("".join(case["text_parts"]))]
    assert len(alarms) <= 0.02 * len(harmless), alarms


def test_the_fourth_set_is_found_as_well() -> None:
    """Cases of a fourth author who had not seen the rules; nobody has changed a rule because of them.

    When they were first measured: 175 of 180 secrets found (97.2 %), 5 of 123 harmless ones alarmed (4.1 %), all 96 of
    the group that must never be missed found.
    """
    secret = [case for case in FOURTH if case["secret"]]
    harmless = [case for case in FOURTH if not case["secret"]]
    assert (len(secret), len(harmless)) == (180, 123)
    missed = [case for case in secret if not secrets_in("".join(case["text_parts"]))]
    assert len(missed) <= 0.03 * len(secret), [case["id"] for case in missed]
    assert [case["id"] for case in missed if case["group"]] == []
    alarms = [case["id"] for case in harmless if secrets_in("".join(case["text_parts"]))]
    assert len(alarms) <= 0.05 * len(harmless), alarms


def test_nothing_of_a_found_secret_is_left_where_it_is_shown() -> None:
    left: list[str] = []
    for case in (case for case in CASES if case["secret"] and case.get("value_parts")):
        text, value = "".join(case["text_parts"]), "".join(case["value_parts"])
        if value in text and _found(case) and value in redacted(text):
            left.append(case["id"])
    assert left == []


# ---------------------------------------------------------------------------------------------------- whatever the text


@given(st.text(max_size=300), st.sampled_from(PAIRS), st.text(max_size=300))
def test_whatever_stands_around_hits_lie_in_the_text_apart_and_in_order(
    before: str, pair: dict[str, Any], behind: str
) -> None:
    text = f"{before}\n{text_of(pair)}\n{behind}"
    hits = scan(text)
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits)
    assert all(hit.line == text.count("\n", 0, hit.start) + 1 for hit in hits)
    assert all(one.end <= other.start for one, other in pairwise(hits))
    assert value_of(pair) not in redacted(text)


def test_a_short_line_is_not_passed_over_with_a_secret_in_it() -> None:
    """The end of a line makes the scan look at everything; without one it may first see that nothing can be there."""
    texts = [
        *("".join(case["text_parts"]) for case in CASES),
        *("".join(case["text_parts"]) for case in (*SECOND, *THIRD)),
        *map(text_of, PAIRS),
    ]
    lines = {line for text in texts for line in text.splitlines()}
    for line in lines | {"curl -u a:b-3", "kennwort: ab1c!de", "senha: ab1c!de"}:
        assert {(hit.kind, hit.start) for hit in scan(line)} == {(hit.kind, hit.start) for hit in scan(f"{line}\n")}


@given(st.text(max_size=80), st.sampled_from(PAIRS), st.text(max_size=80))
def test_redacted_json_is_json_of_the_same_shape(before: str, pair: dict[str, Any], behind: str) -> None:
    whole = {"a": [f"{before} {text_of(pair)} {behind}", 1, None], "b": {"c": before}}
    clean = json.loads(redacted_json(json.dumps(whole)))
    assert clean["a"][1:] == [1, None]
    assert value_of(pair) not in json.dumps(clean)


# --------------------------------------------------------------------------------------------------------- what is told

TOKEN = value_of(next(p for p in PAIRS if p["anchor"] == "gh" + "p_"))


def test_a_finding_names_kind_line_and_fingerprint_and_never_the_value() -> None:
    facts = secrets_in(f"a\nb {TOKEN}")
    (fact,) = facts
    assert (fact.kind, fact.line) == ("github_token", 2)
    assert fact.fingerprint is not None
    assert all(part in told(facts) for part in ("github_token", "line 2", fact.fingerprint))
    assert TOKEN not in told(facts)
    assert secrets_in(TOKEN, frozenset({fact.fingerprint})) == ()
    assert secrets_in(TOKEN[:-1] + "Q", frozenset({fact.fingerprint})) != ()


def test_what_can_be_guessed_has_no_fingerprint() -> None:
    (fact,) = secrets_in("DB_PASSWORD=" + "Sommer" + "24!")
    assert fact.fingerprint is None


def test_a_secret_that_falls_between_two_phases_is_in_both() -> None:
    whole = f"use {TOKEN[:20]}{TOKEN[20:]} then stop"
    apart = secrets_of_phases(whole, [f"use {TOKEN[:8]}", "then stop"])
    assert [len(facts) for facts in apart] == [1, 1]
    own = secrets_of_phases(whole, [f"use {TOKEN}", "then stop"])
    assert [len(facts) for facts in own] == [1, 0]


def test_the_digest_of_the_rules_is_the_same_everywhere() -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", rules_digest())
