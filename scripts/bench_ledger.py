#!/usr/bin/env python3
# ruff: noqa: S608  statements of our own
"""How a ledger of a million attempts answers, against an empty one in the same run.

  python scripts/bench_ledger.py [--rows 1000000] [--samples 400] [--folder DIR]

A ledger is filled over a year, with a decision, a trace and an attempt each: 10,000 of them through the entries that a
dispatch writes, which are then repeated with other ids and times by SQL, and its totals are made anew by the code that
mends them. Then it measures, the large and an empty ledger in turn: what `usage` sums for the month and for the year,
what `explain ID` reads, and the two transactions of a dispatch under three budgets. Prints one JSON object, with the
time of the processor where cores may be shared; ends with 1 where a bar is missed: usage of the year <= 2 s,
explain <= 50 ms, append p99 <= 3 times that of the empty ledger.
"""

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from smista_mcp.core.decision import Decision
from smista_mcp.core.receipt import Receipt, SentItem, WithheldItem
from smista_mcp.core.values import Intent, Locality
from smista_mcp.ledger import (
    AttemptStart,
    Ledger,
    NewTrace,
    PhaseFacts,
    RouteRecord,
    Settlement,
    SpendingLimit,
    TokenCounts,
)
from smista_mcp.ledger.database import connected
from smista_mcp.ledger.entries import Entry, SettlementEntry
from smista_mcp.ledger.projections import differing, rebuild

T = TypeVar("T")
USAGE_S, EXPLAIN_S, APPEND_RATIO = 2.0, 0.05, 3.0
SEEDS: Final = 10_000
DAYS: Final = 365
SPANS = ("month", "year")
BUSY_S: Final = 60.0
MODELS = tuple((f"p{number % 4}/model-{number}", f"p{number % 4}") for number in range(8))
HOSTS = ("claude-code", "codex", "cursor")
WORKSPACES = tuple(f"{number:032x}" for number in range(4))
NOW = datetime.now(UTC)
MONTH = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
LIMITS = tuple(SpendingLimit(scope, MONTH, Decimal(10**9)) for scope in ("all", "project", "model:p1/*"))
BODY: dict[str, object] = {
    "revision": "5e" * 32,
    "phase": 0,
    "depends_on": [],
    "intent": {"name": "edit", "source": "reader", "confidence": "high", "evidence": ["refactor"]},
    "class": "coding",
    "status": "routed",
    "code": None,
    "model": "p0/model-0",
    "resolved_model": "p0/model-0",
    "effort": "medium",
    "locality": "remote",
    "matched_rule": {"name": "auth code", "layer": "user"},
    "reason": "the rule `auth code` matches",
    "fallbacks": [],
    "rejected": [],
    "context": {"included": [{"path": "src/auth.rs", "kind": "file", "tokens": 120, "reason": "named"}]},
    "tokens": 140,
    "cost": {"min": "0.0004", "max": "0.12", "kind": "list", "source": "a catalog"},
    "permissions": {"file_read": "allow"},
    "host": "codex",
    "fallback_used": False,
    "override_used": False,
    "recorded": False,
    "inputs": {"task": "0f" * 32, "policy": "1f" * 32, "catalog": "2f" * 32, "host": "3f" * 32},
}
RECEIPT = Receipt(
    sent=tuple(SentItem(path=f"src/part{n}.rs", sha256="9d" * 32, tokens=120, reason="named") for n in range(3)),
    withheld=(WithheldItem(path=".env", reason="restricted by .env"),),
    body_bytes=2048,
    body_sha256="c4" * 32,
)


def one_of(draw: random.Random, some: Sequence[T]) -> T:
    """One of several, the first oftener than the last, as work goes."""
    return draw.choices(some, [1 / (place + 1) for place in range(len(some))])[0]


def start_of(draw: random.Random, at: datetime) -> AttemptStart:
    """An attempt as it is known before its request leaves."""
    model, provider = one_of(draw, MODELS)
    return AttemptStart(
        phase=0,
        intent=one_of(draw, tuple(Intent)),
        model=model,
        provider=provider,
        locality=Locality.REMOTE,
        started_at=at,
        receipt=RECEIPT,
        resolved_model=model,
        cost_kind="list",
        reserved=Decimal("0.12"),
        workspace=one_of(draw, WORKSPACES),
    )


def end_of(draw: random.Random, at: datetime) -> Settlement:
    """How one ends."""
    status = draw.choices(("completed", "failed", "uncertain"), (95, 4, 1))[0]
    cost = Decimal(draw.randrange(10**6)) / 10**8 if status == "completed" else None
    usage = TokenCounts(draw.randrange(9999), 0, draw.randrange(999), 0, 0)
    return Settlement(status, at + timedelta(seconds=draw.random() * 9), usage=usage, cost=cost)


def fill(state: Path, rows: int, draw: random.Random) -> None:
    """Makes a ledger with so many dispatches, the last of them today."""
    ledger, seeds = Ledger.open(state), min(-(-rows // 4), SEEDS)
    copies = -(-rows // seeds)
    step = timedelta(days=DAYS) / copies
    first = NOW - timedelta(days=DAYS)
    decision = Decision.model_validate_json(json.dumps(BODY | {"decision_id": "ab" * 32}))
    found: list[tuple[str, datetime, int]] = []
    for batch in range(0, seeds, 50):
        at = first + step * batch / seeds
        ids = [f"{draw.getrandbits(256):064x}" for _ in range(min(50, seeds - batch))]
        decisions = tuple(decision.model_copy(update={"decision_id": one}) for one in ids)
        hosted = tuple(one.model_copy(update={"host": one_of(draw, HOSTS)}) for one in decisions)
        facts = tuple(PhaseFacts(paths=("src/auth.rs",), tokens=140, owner="0a" * 16) for _ in ids)
        places = ledger.record_route(RouteRecord(hosted, at, "3c" * 32, one_of(draw, WORKSPACES), facts))
        found += [(one, at, place) for one, place in zip(ids, places, strict=True)]
    for batch in range(0, seeds, 1000):
        starts: list[Entry[object]] = []
        for decision_id, at, place in found[batch : batch + 1000]:
            trace = NewTrace(f"{draw.getrandbits(128):032x}", decision_id, at, place)
            starts.append(ledger.attempt(trace, start_of(draw, at), ()))
        began = zip(ledger.write_together(starts), found[batch : batch + 1000], strict=True)
        ledger.write_together([SettlementEntry(str(one), end_of(draw, at)) for one, (_, at, _) in began])
    with connected(state, BUSY_S) as db:
        db.execute("PRAGMA cache_size = -400000")
        for copy in range(1, copies):
            repeat(db, seeds, copy, step * copy)
        db.execute("BEGIN IMMEDIATE")
        rebuild(db)
        db.execute("COMMIT")


def repeat(db: sqlite3.Connection, seeds: int, copy: int, later: timedelta) -> None:
    """The seeds once more, later and under other ids."""
    shift, offset = f"+{later.total_seconds():.3f} seconds", seeds * copy
    mark = f"{copy:08x}"

    def at(column: str) -> str:
        return f"strftime('%Y-%m-%dT%H:%M:%f', {column}, '{shift}') || '000+00:00'"

    def other(column: str) -> str:
        turned = f"(substr({column}, {1 + copy % 24}) || {column})"  # as long as before, and random in front
        return f"substr({turned}, 1, length({column}) - 8) || '{mark}'"

    db.execute("BEGIN IMMEDIATE")
    for statement in (
        f"INSERT INTO decision SELECT sequence + {offset}, {other('call_id')}, {other('decision_id')}, phase,"
        f" {at('at')}, host, workspace, text_digest, facts, replace(body, decision_id, {other('decision_id')})"
        f" FROM decision WHERE sequence <= {seeds}",
        f"INSERT INTO trace SELECT {other('t.trace_id')}, {other('t.decision_id')}, t.decision + {offset}, {at('t.at')}"
        f" FROM begun b JOIN trace t USING (trace_id) WHERE b.sequence <= {seeds}",
        f"INSERT INTO begun SELECT sequence + {offset}, substr(attempt_id, 1, 22) ||"
        f" printf('%010x', sequence + {offset}), {other('trace_id')}, phase, intent, model, resolved_model, provider,"
        f" locality, workspace, token, {at('started_at')}, reserved, cost_kind, owner, receipt"
        f" FROM begun WHERE sequence <= {seeds}",
        f"INSERT INTO settled SELECT attempt + {offset}, status, {at('ended_at')}, code, input_tokens,"
        " cached_input_tokens, output_tokens, reasoning_tokens, cache_write_tokens, cost, resolved_model, unsent,"
        f" partial_bytes, partial_sha256, cause, http_status, cut FROM settled WHERE attempt <= {seeds}",
    ):
        db.execute(statement)
    db.execute("COMMIT")


def usage(ledger: Ledger, since: datetime) -> None:
    """What `usage` sums since a day."""
    ledger.tallies(since.date(), NOW.date())


def explain(ledger: Ledger, trace_id: str) -> None:
    """What `explain ID` reads."""
    trace = ledger.trace(trace_id)
    if trace.decision is not None:
        decision = ledger.decision(trace.decision.decision_id)
        ledger.call(decision.call_id)
        traces = [one.trace_id for one in ledger.traces_of(decision)]
        ledger.approvals.of_traces(traces, NOW)
        ledger.answer_labels.of(traces)
        ledger.jobs.of_call(decision.call_id)


def append(ledger: Ledger, draw: random.Random) -> None:
    """What a dispatch waits for: its attempt under three budgets, and its end."""
    at = datetime.now(UTC)
    trace = NewTrace(f"{draw.getrandbits(128):032x}", "ab" * 32, at)
    attempt = ledger.write(ledger.attempt(trace, start_of(draw, at), LIMITS))
    ledger.write(SettlementEntry(attempt, end_of(draw, at)))


def timed(what: Callable[[], None]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def at_rank(times: Sequence[float], share: float) -> float:
    """The time below which so large a share of them lies, in milliseconds."""
    return round(sorted(times)[min(int(len(times) * share), len(times) - 1)] * 1e3, 3)


def some_traces(state: Path, count: int, draw: random.Random) -> list[str]:
    """Ids of traces from anywhere in a ledger."""
    with connected(state, BUSY_S) as db:
        most: int = db.execute("SELECT max(sequence) FROM begun").fetchone()[0]
        query = "SELECT trace_id FROM begun WHERE sequence = ?"
        return [db.execute(query, (draw.randint(1, most),)).fetchone()[0] for _ in range(count)]


def measured(folder: Path, rows: int, samples: int) -> dict[str, Any]:
    """Fills, checks and measures."""
    draw = random.Random(7)  # noqa: S311  the same rows each time
    large, empty = folder / "large", folder / "empty"
    filled = timed(lambda: fill(large, rows, draw))
    ledgers = {"large": Ledger.open(large, busy_s=BUSY_S), "empty": Ledger.open(empty, busy_s=BUSY_S)}
    cpu: dict[str, float] = {}
    times: dict[str, list[float]] = {name: [] for name in ("month", "year", "explain", "large", "empty")}
    for ledger in ledgers.values():
        append(ledger, draw)
    for name, since in (("month", MONTH), ("year", NOW - timedelta(days=DAYS))):
        began = time.process_time()
        times[name] = [timed(lambda since=since: usage(ledgers["large"], since)) for _ in range(5)]
        cpu[name] = round((time.process_time() - began) / 5 * 1e3, 1)
    traces, began = some_traces(large, min(samples, 200), draw), time.process_time()
    for trace_id in traces:
        times["explain"].append(timed(lambda trace_id=trace_id: explain(ledgers["large"], trace_id)))
    cpu["explain"] = round((time.process_time() - began) / len(traces) * 1e3, 1)
    for _ in range(samples):
        for name, ledger in ledgers.items():
            times[name].append(timed(lambda ledger=ledger: append(ledger, draw)))
    with connected(large, BUSY_S) as db:
        db.execute("PRAGMA cache_size = -400000")
        wrong = differing(db)
        kinds: int = db.execute("SELECT count(*) FROM tally").fetchone()[0]
    ratios = {share: at_rank(times["large"], share) / at_rank(times["empty"], share) for share in (0.5, 0.99)}
    return {
        "rows": rows,
        "mb": round((large / "ledger.db").stat().st_size / 1e6),
        "tallies": kinds,
        "filled_s": round(filled, 1),
        "usage_ms": {name: {"p50": at_rank(times[name], 0.5), "max": at_rank(times[name], 1)} for name in SPANS},
        "explain_ms": {"p50": at_rank(times["explain"], 0.5), "p99": at_rank(times["explain"], 0.99)},
        "cpu_ms": cpu,
        "append_ms": {name: {"p50": at_rank(times[name], 0.5), "p99": at_rank(times[name], 0.99)} for name in ledgers},
        "append_ratio": {"p50": round(ratios[0.5], 2), "p99": round(ratios[0.99], 2)},
        "projections_equal_events": not wrong,
        "met": {
            "usage": at_rank(times["year"], 0.5) <= USAGE_S * 1e3,
            "explain": at_rank(times["explain"], 0.99) <= EXPLAIN_S * 1e3,
            "append": ratios[0.99] <= APPEND_RATIO,
        },
    }


def main() -> int:
    """Measures as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--folder", type=Path, help="where both ledgers are made; they are removed again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        found = measured(Path(folder), given.rows, given.samples)
    print(json.dumps(found, indent=1))
    return 0 if all((*found["met"].values(), found["projections_equal_events"])) else 1


if __name__ == "__main__":
    sys.exit(main())
