"""`usage`, `traces` and `providers`, over a ledger in which real attempts stand."""

import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from command_line import PATIENCE_S, CommandLine, Here
from fake_ollama import FakeOllama
from recording import begin_attempt, settle_attempt
from terminal import on_terminal, read_until

from smista_mcp.app.world import keyed
from smista_mcp.core.decision import Decision
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.values import Intent, Locality
from smista_mcp.errors import Cause, Code
from smista_mcp.ledger import AttemptStart, Ledger, NewTrace, RouteRecord, Settlement, TokenCounts
from smista_mcp.loading.trust import record_file, record_text

TASK = "review src/auth/middleware.rs"
BUDGETS = """
[[budgets]]
scope = "all"
period = "day"
limit = "2.00"
[[budgets]]
scope = "all"
period = "task"
limit = "0.50"
"""
COUNTS = TokenCounts(input_tokens=4_000, cached_input_tokens=0, output_tokens=300, reasoning_tokens=0)
Work = Callable[..., str]


@pytest.fixture
def state(home: Path) -> Path:
    return home / "state"


@pytest.fixture
def work(here: Here, state: Path, local_policy: Path, workspace: Path) -> Work:
    """Records a decision and one attempt for it, as a dispatch would have; gives the id of the trace."""
    local_policy.write_text(local_policy.read_text(encoding="utf-8") + BUDGETS, encoding="utf-8")
    (shown,) = here("route", TASK, "--json").json["decisions"]
    decision = Decision.model_validate_json(json.dumps(shown))
    ledger = Ledger.open(state)
    here_now = keyed(ledger.installation_key(), str(workspace.resolve()))

    def record(**given: Any) -> str:
        days, host, status = given.get("days", 0), given.get("host", "codex"), given.get("status", "completed")
        at = datetime.now(UTC) - timedelta(days=days)
        root = given.get("project", here_now)
        made = os.urandom(32).hex()
        one = decision.model_copy(update={"decision_id": made, "host": host})
        (place,) = ledger.record_route(RouteRecord((one,), at, "3c" * 32, root))
        start = AttemptStart(
            phase=0,
            intent=Intent.REVIEW,
            model=given.get("model", "openai-compat:shop/coder"),
            provider="openai-compat:shop",
            locality=given.get("locality", Locality.REMOTE),
            started_at=at,
            receipt=Receipt(body_bytes=1, body_sha256="c4" * 32),
            cost_kind=given.get("pays", "list"),
            reserved=given.get("reserved", Decimal("0.3000")),
            workspace=root,
        )
        trace = NewTrace(os.urandom(16).hex(), made, at, place)
        attempt = begin_attempt(ledger, trace, start)
        if status != "running":
            cost = given.get("cost", Decimal("0.0406620000"))
            ended = at + timedelta(seconds=1.5)
            code, cause = given.get("code"), given.get("cause")
            settle_attempt(
                ledger,
                attempt,
                Settlement(status, ended, code, given.get("usage", COUNTS), cost, cause=cause),
            )
        return trace.trace_id

    return record


def test_amounts_tokens_and_what_nobody_knows(here: Here, work: Work) -> None:
    work()
    work(model="ollama/tiny", locality=Locality.LOCAL, pays="local", cost=Decimal(0), reserved=Decimal(0))
    work(status="uncertain", usage=TokenCounts(), cost=None)
    work(model="odd/m", pays="unknown", cost=None, reserved=None)
    told = here("usage", "--days", "2", "--json").json
    total = told["total"]
    assert (told["by"], told["zone"], told["workspace"], len(told["groups"])) == ("model", "UTC", False, 3)
    assert (total["requests"], total["completed"], total["uncertain"], total["unpriced"], total["local"]) == (
        4,
        3,
        1,
        1,
        1,
    )
    assert (total["cost"], total["held"]) == ("0.040662", "0.3")
    assert (total["input_tokens"], total["output_tokens"], total["local_tokens"]) == (12_000, 900, 4_300)
    first = told["groups"][0]
    assert (first["key"], first["requests"], first["cost"]) == ("openai-compat:shop/coder", 2, "0.040662")
    shown = here("usage", "--days", "2").out
    assert "0.040662+?" in shown
    assert "unknown" in shown
    assert "for which up to 0.3 USD is set aside" in shown
    assert "█" not in shown  # nobody looks


def test_a_cancelled_request_of_unknown_cost_is_never_shown_as_free(here: Here, work: Work) -> None:
    trace = work(status="cancelled", cost=None)
    told = here("usage", "--json").json
    assert (told["total"]["cost"], told["total"]["held"], told["total"]["abandoned"]) == ("0", "0.3", 1)
    shown = " ".join(here("usage").out.split())
    assert "unknown USD, 1 request" in shown
    assert "1 request that was cancelled and may have been charged" in shown
    assert "up to 0.3 USD is set aside" in shown
    assert "0.3 was set aside" in here("explain", trace).out
    assert told["saving"]["left_out"]["abandoned"] == 1
    work(status="cancelled", cost=Decimal("0.01"))
    assert "0.01+? USD, 2 requests" in here("usage").out


def test_a_try_that_came_to_nothing_saves_nothing(here: Here, work: Work) -> None:
    work(status="failed", cost=Decimal("0.007"), code=Code.EMPTY_COMPLETION, cause=Cause.EMPTY)
    work(cost=Decimal("0.007"), cause=Cause.PATCH)
    saved = here("usage", "--json").json["saving"]
    assert (saved["reference"], saved["paid"], saved["saved"], saved["requests"]) == ("0", "0.014", "-0.014", 0)


def test_budgets_say_what_is_left_and_when_they_begin_anew(here: Here, work: Work) -> None:
    work()
    told = here("usage", "--json").json["budgets"]
    assert told == [
        {"scope": "all", "period": "day", "limit": "2", "left": "1.959338", "known": True, "used": 2},
        {"scope": "all", "period": "task", "limit": "0.5", "left": "0.5", "known": True, "used": None},
    ]
    shown = here("usage").out
    assert "budgets (days and months begin at 00:00 UTC)" in shown
    assert "nearly spent" not in shown
    work(cost=Decimal("1.9"))
    assert "nearly spent" in here("usage").out
    assert "1.959338" in shown


@pytest.mark.parametrize(("by", "keys"), [("host", {"codex", "zed"}), ("intent", {"review"}), ("model", None)])
def test_what_is_told_apart(by: str, keys: set[str] | None, here: Here, work: Work) -> None:
    work()
    work(host="zed")
    told = here("usage", "--by", by, "--days", "2", "--json").json
    assert told["by"] == by
    assert {one["key"] for one in told["groups"]} == (keys or {"openai-compat:shop/coder"})
    assert sum(one["requests"] for one in told["groups"]) == told["total"]["requests"] == 2


def test_days_count_as_they_are_asked_for(here: Here, work: Work) -> None:
    work()
    work(days=3)
    work(days=40)
    today = datetime.now(UTC).date()

    def requests(*arguments: str) -> int:
        return here("usage", *arguments, "--json").json["total"]["requests"]

    assert (requests("--days", "2"), requests(), requests("--days", "400")) == (1, 2, 3)
    assert requests("--since", (today - timedelta(days=41)).isoformat()) == 3
    earlier = today - timedelta(days=40)
    assert requests("--month", earlier.isoformat()[:7]) == 1 + (earlier.month == (today - timedelta(days=3)).month)
    assert [one["key"] for one in here("usage", "--by", "day", "--days", "400", "--json").json["groups"]] == sorted(
        (today - timedelta(days=days)).isoformat() for days in (0, 3, 40)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        *(("--since", "yesterday"), ("--since", "2999-01-01"), ("--month", "13"), ("--month", "", "--days", "3")),
        *(("--by", "colour"), ("--against", "class:coding"), ("--against", "nothing"), ("--against", "ollama/tiny")),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(wrong: tuple[str, ...], here: Here, work: Work) -> None:
    work()
    told = here("usage", *wrong, "--json")
    assert (told.status, told.json["error"]["code"]) == (2, "invalid_task")
    assert told.json["error"]["fix"]


def test_other_workspaces_are_told_by_a_hash_unless_their_name_is_known(
    here: Here, work: Work, state: Path, tmp_path: Path
) -> None:
    key = Ledger.open(state).installation_key()
    confirmed = (tmp_path / "confirmed").resolve()
    record = record_file(state, confirmed)
    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    record.write_text(record_text(confirmed, {}), encoding="utf-8")
    record.chmod(0o600)
    work()
    work(project=keyed(key, str(confirmed)))
    work(project=keyed(key, "/elsewhere"))
    work(project=None)
    told = here("usage", "--by", "project", "--days", "2", "--json").json["groups"]
    assert {one["name"] for one in told} == {str(tmp_path / "work"), str(confirmed), None}
    shown = here("usage", "--by", "project", "--days", "2").out
    assert keyed(key, "/elsewhere")[:12] in shown
    assert "(no workspace)" in shown
    assert here("usage", "--here", "--days", "2", "--json").json["total"]["requests"] == 1


# --------------------------------------------------------------------------------------------------------- savings


def test_a_saving_is_counted_against_what_the_table_of_hosts_names(here: Here, work: Work) -> None:
    work()
    found = here("usage", "--json").json["saving"]
    (one,) = found["references"]
    assert (one["host"], one["said"], one["by"], one["intents"]) == ("codex", "gpt-6-astra", "host", ["review"])
    assert found["paid"] == "0.040662"
    assert Decimal(found["saved"]) == Decimal(found["reference"]) - Decimal("0.040662")
    shown = here("usage").out
    assert found["method"][:40] in shown
    assert "not known: " in shown


def test_a_policy_or_a_person_names_the_reference_and_nobody_guesses_it(
    here: Here, work: Work, local_policy: Path
) -> None:
    work(host="zed")
    unnamed = here("usage", "--json").json["saving"]
    assert (unnamed["requests"], unnamed["left_out"]["no_reference"], unnamed["hosts_without"]) == (0, 1, ["zed"])
    assert "--against" in here("usage").out
    policy = local_policy.read_text(encoding="utf-8")
    local_policy.write_text(f'{policy}\n[hosts.zed]\nmodel = "anthropic/claude-opus-5-5"\n', encoding="utf-8")
    (stated,) = here("usage", "--json").json["saving"]["references"]
    assert (stated["by"], stated["model"], stated["cost"]) == ("policy", "anthropic/claude-opus-5-5", "0.022")
    (asked,) = here("usage", "--against", "anthropic/claude-haiku-5-5", "--json").json["saving"]["references"]
    assert (asked["by"], asked["model"]) == ("asked", "anthropic/claude-haiku-5-5")


# -------------------------------------------------------------------------------------------------- in a real terminal


def test_a_person_who_looks_sees_a_chart_that_fits(shell: CommandLine, work: Work) -> None:
    work()
    work(days=1)
    with on_terminal(shell, "usage") as (process, ours):
        shown = read_until(ours, b"never").decode()
        assert process.wait(PATIENCE_S) == 0
    assert "USD by day" in shown
    assert any(block in shown for block in "█#")
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_story_fits_the_terminal(shell: CommandLine, work: Work) -> None:
    trace = work(code=Code.PROVIDER_UNAVAILABLE, status="failed", cause=Cause.OVERLOADED, cost=Decimal(0))
    with on_terminal(shell, "explain", trace) as (process, ours):
        shown = read_until(ours, b"never").decode()
        assert process.wait(PATIENCE_S) == 0
    assert "came to:          no answer that serves; cost 0 USD" in shown
    assert "(0.3 was set aside)" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


# ---------------------------------------------------------------------------------------------------------- traces


def test_the_latest_calls_and_what_is_meant_of_them(here: Here, work: Work) -> None:
    good = work()
    bad = work(status="failed", code=Code.PROVIDER_RATE_LIMITED, cause=Cause.RATE_LIMITED, cost=Decimal(0), days=2)
    useless = work(cause=Cause.PATCH, model="odd/m")

    def ids(*arguments: str) -> list[str]:
        return [one["trace_id"] for one in here("traces", *arguments, "--json").json["traces"]]

    assert ids() == [useless, bad, good, None]  # the last was routed, and nothing was done with it
    assert ids("--limit", "1") == [useless]
    assert ids("--status", "completed") == [good]
    assert ids("--status", "failed") == [useless, bad]
    assert ids("--status", "routed") == [None]
    assert ids("--model", "odd") == [useless]
    assert ids("--model", "openai-compat:*") == [bad, good]
    assert ids("--intent", "review", "--days", "1") == [useless]
    assert ids("--intent", "edit") == []
    lines = here("traces", "--jsonl").lines
    assert [one["trace_id"] for one in lines] == [useless, bad, good, None]
    assert (lines[0]["code"], lines[2]["cost"], lines[2]["seconds"]) == ("patch_does_not_apply", "0.040662", 1.5)


@pytest.mark.parametrize("wrong", [("--intent", "revue"), ("--status", "done"), ("--limit", "0")])
def test_a_filter_that_nothing_can_fit_is_wrong_usage(wrong: tuple[str, ...], here: Here) -> None:
    assert here("traces", *wrong, "--json").json["error"]["code"] == "invalid_task"


def test_a_call_is_one_line_that_fits(here: Here, work: Work) -> None:
    work(model="openai-compat:a-shop-with-a-long-name/a-model-whose-name-is-longer-still-2026-11-20")
    work(status="failed", code=Code.PROVIDER_INVALID_REQUEST, cost=None)
    told = here("traces").out.splitlines()
    assert len(told) == 4
    assert all(len(line) <= 100 for line in told)


# ------------------------------------------------------------------------------------------------------- providers


@pytest.mark.usefixtures("local_policy")
def test_each_provider_and_whether_it_can_serve(shell: CommandLine, home: Path, ollama: FakeOllama) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    words = f'[providers."openai-compat:gone"]\nbase_url = "{gone}"\napi_key = "${{secret:GONE_KEY}}"\n'
    with (home / "config.toml").open("a", encoding="utf-8") as policy:
        policy.write(words)
    told = shell.run("providers", "--json", variables={"GONE_KEY": "canary-value"})
    assert told.status == 0
    found = {one["name"]: one for one in told.json["providers"]}
    assert set(found) == {"anthropic", "gemini", "llamacpp", "ollama", "openai", "openai-compat:gone"}
    local, away, keyless = found["ollama"], found["openai-compat:gone"], found["openai"]
    assert (local["address"], local["reachable"], local["models"], local["layer"]) == (ollama.base_url, True, 1, "user")
    assert (local["named_models"], local["key_present"], local["locality"]) == (1, None, "local")
    assert (away["reachable"], away["key_variable"], away["key_present"]) == (False, "GONE_KEY", True)
    assert (keyless["key_present"], keyless["builtin"], keyless["layer"]) == (False, True, "builtin")
    assert "OPENAI_API_KEY" in keyless["problem"]
    shown = shell.run("providers", variables={"GONE_KEY": "canary-value"})
    assert "canary-value" not in told.out + shown.out
    assert "openai-compat:gone" in shown.out


def test_failures_in_a_row_are_told_and_a_success_ends_them(here: Here, work: Work, home: Path) -> None:
    with (home / "config.toml").open("a", encoding="utf-8") as policy:
        policy.write('[providers."openai-compat:shop"]\nbase_url = "http://127.0.0.1:9/v1"\n')

    def cooldown() -> Any:
        found = here("providers", "--json").json["providers"]
        return next(one["cooldown"] for one in found if one["name"] == "openai-compat:shop")

    work()
    assert cooldown() is None
    for _ in range(5):
        work(status="failed", code=Code.PROVIDER_UNAVAILABLE, cause=Cause.OVERLOADED, cost=Decimal(0))
    told = cooldown()
    assert (told["failures"], told["code"]) == (5, "provider_unavailable")
    assert 0 < told["rests_s"] <= 32
    work()
    assert cooldown() is None


@pytest.mark.parametrize("given", ["0000", "ab12", "1234567"])
def test_the_beginning_of_an_id_that_is_too_short_is_no_task(given: str, here: Here) -> None:
    told = here("explain", given, "--json")
    assert (told.status, told.json["error"]["code"]) == (2, "invalid_task")
    assert "8" in told.json["error"]["fix"]
