"""Pieces of work on a ledger that tell each step once it is done, and whether what was told is there afterwards.

What proofs of the ledger interrupt and fail: `scripts/kill_ledger.py`, `scripts/fail_ledger.py` and their short forms.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from recording import begin_attempt, settle_attempt

from smista_mcp.core.asked import CallRequest
from smista_mcp.core.decision import Decision
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.values import Intent, Locality
from smista_mcp.dispatch.payloads import keyed_hash
from smista_mcp.errors import InvalidTask, NotFound
from smista_mcp.ledger import AttemptStart, JobStart, Ledger, NewTrace, RouteRecord, Settlement, StoredAttempt
from smista_mcp.ledger.sessions import NewTurn, SessionKey

Told = list[str]
"""A step that is done: its kind, ids, and what must stand there."""
Tell = Callable[[Told], None]
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
HELD, COST = Decimal("0.07"), Decimal("0.03")
"""USD that each attempt of a story may cost, and costs."""
OWNER = "a caller"
_KEPT_DAYS = 365
_DECISION: dict[str, Any] = {
    "revision": "5e" * 32,
    "phase": 0,
    "depends_on": [],
    "intent": {"name": "edit", "source": "reader", "confidence": "high", "evidence": []},
    "class": "coding",
    "status": "routed",
    "code": None,
    "model": "p/m",
    "resolved_model": "p/m",
    "effort": "medium",
    "locality": "remote",
    "matched_rule": None,
    "reason": "the default route",
    "fallbacks": [],
    "rejected": [],
    "context": {},
    "tokens": 140,
    "cost": None,
    "permissions": {},
    "host": "nobody",
    "fallback_used": False,
    "override_used": False,
    "recorded": False,
    "inputs": {},
}


def now() -> datetime:
    return datetime.now(UTC)


def _id(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def steps(  # noqa: C901  one after the other
    ledger: Ledger, name: str, *, vacuums: bool = False
) -> Iterator[Callable[[], Told]]:
    """Everything that one job writes, each step a call that tells what it has done.

    Args:
        ledger: where.
        name: tells this story from all others of this ledger.
        vacuums: whether it also removes what is old, and there is something old.
    """
    decision_id, job_id, trace_id = _id(name, "decision"), _id(name, "job")[:32], _id(name, "trace")[:32]

    places: list[int] = []

    def decided() -> Told:
        decision = Decision.model_validate({**_DECISION, "decision_id": decision_id})
        job = JobStart(job_id, OWNER, "5e" * 32)
        places.extend(ledger.record_route(RouteRecord((decision,), now(), "3c" * 32, job=job)))
        return ["job", job_id, decision_id]

    yield decided
    begun: list[str] = []

    def begin() -> Told:
        start = AttemptStart(
            phase=0,
            intent=Intent.EDIT,
            model="p/m",
            provider="p",
            locality=Locality.REMOTE,
            started_at=now(),
            receipt=Receipt(body_bytes=1, body_sha256=_id(name, "body", len(begun))),
            cost_kind="list",
            reserved=HELD,
        )
        trace = trace_id if begun else NewTrace(trace_id, decision_id, now(), places[-1])
        begun.append(begin_attempt(ledger, trace, start))
        return ["attempt", trace_id, begun[-1]]

    def settle() -> Told:
        settle_attempt(ledger, begun[-1], Settlement("completed", now(), cost=COST))
        return ["settled", trace_id, begun[-1], str(COST)]

    yield from (begin, settle, begin)
    approvals = ledger.approvals
    asked: list[str] = []

    def ask() -> Told:
        request = CallRequest(phases=(), most="0.1", marks=(), needs=("remote",))
        asked.append(approvals.request(_id(name, "key"), request, workspace=None, host="nobody", now=now()))
        return ["approval", asked[0], "open"]

    def grant() -> Told:
        approvals.grant(asked[0], "terminal", now())
        return ["approval", asked[0], "granted"]

    def use() -> Told:
        if not approvals.use(asked[0], trace_id, now()):  # done before, and not said
            assert approvals.stored(asked[0], now()).state == "used"
        return ["approval", asked[0], "used"]

    yield from (ask, grant, use, settle)

    def talk() -> Told:
        sessions = ledger.sessions
        key = sessions.begin(OWNER, None, now())
        turn = NewTurn(decision_id, trace_id, 0, "p/m", "words", "answer", label=None, origin=(), forms=())
        sessions.add(key, turn, now())
        return ["session", key.session_id, "1"]

    yield talk

    def end() -> Told:
        ledger.jobs.end(job_id, "completed", None, now())
        return ["ended", job_id]

    yield end
    if vacuums:
        yield from _removed(ledger, _id(name, "old")[:32])


def _removed(ledger: Ledger, trace_id: str) -> Iterator[Callable[[], Told]]:
    """What lies two years back, and that it goes."""
    at = now() - timedelta(days=2 * _KEPT_DAYS)
    start = AttemptStart(
        phase=0,
        intent=Intent.EDIT,
        model="p/m",
        provider="p",
        locality=Locality.REMOTE,
        started_at=at,
        receipt=Receipt(body_bytes=1, body_sha256=_id(trace_id)),
        cost_kind="list",
        reserved=HELD,
    )
    begun: list[str] = []

    def begin() -> Told:
        begun.append(begin_attempt(ledger, NewTrace(trace_id, "ab" * 32, at), start))
        return ["up", trace_id]

    def settle() -> Told:
        for attempt_id in begun:
            settle_attempt(ledger, attempt_id, Settlement("completed", at, cost=COST))
        return ["up", trace_id]

    def vacuum() -> Told:
        ledger.upkeep.vacuum(_KEPT_DAYS, now())
        return ["gone", trace_id]

    yield from (begin, settle, vacuum)


def missing(ledger: Ledger, told: Iterable[Told]) -> list[Told]:
    """What was told and is not there, or not as it was told; a later step of the same thing may have followed."""
    return [one for one in told if not _stands(ledger, one)]


def _stands(ledger: Ledger, told: Told) -> bool:  # noqa: C901  one line for each kind
    kind, *ids = told
    try:
        match kind:
            case "up":
                return True
            case "gone":
                return not _has_ended(ledger, ids[0])
            case "decision":
                return ledger.decision(ids[0]).decision_id == ids[0]
            case "job":
                return bool(ledger.jobs.find(ids[0]).calls) and ledger.decision(ids[1]).decision_id == ids[1]
            case "ended":
                return ledger.jobs.find(ids[0]).status == "completed"
            case "attempt":
                return _attempt(ledger, *ids[:2]) is not None
            case "settled":
                found = _attempt(ledger, *ids[:2])
                return found is not None and (found.status, found.cost) == ("completed", ids[2])
            case "answered":
                rows = ledger.trace(ids[0]).attempts
                return bool(rows) and _pays(rows[-1], Decimal(ids[1]))
            case "approval":
                states = ("open", "granted", "used")
                return ledger.approvals.stored(ids[0], now()).state in states[states.index(ids[1]) :]
            case "session":
                return len(ledger.sessions.turns(SessionKey(ids[0], OWNER, None), now())) == int(ids[1])
            case _:
                raise ValueError(kind)
    except (NotFound, InvalidTask):
        return False


def _pays(attempt: StoredAttempt, cost: Decimal) -> bool:
    """Whether an answer that somebody got is paid for: its cost, or where its end could not be written, its hold."""
    if attempt.cost is None:
        return attempt.status in ("running", "uncertain") and Decimal(attempt.reserved or 0) >= cost
    return (attempt.status, Decimal(attempt.cost)) == ("completed", cost)


def _has_ended(ledger: Ledger, trace_id: str) -> bool:
    """Whether there is a trace with an attempt that has ended; what never did a vacuum leaves alone."""
    try:
        return any(one.status == "completed" for one in ledger.trace(trace_id).attempts)
    except NotFound:
        return False


def _attempt(ledger: Ledger, trace_id: str, attempt_id: str) -> StoredAttempt | None:
    return next((one for one in ledger.trace(trace_id).attempts if one.attempt_id == attempt_id), None)


def integrity(ledger: Ledger) -> str:
    """What is wrong with the file, what hangs in the air, what is held for nobody or not held; `ok` if nothing."""
    found = ledger.upkeep.check()
    return "ok" if found.well else repr(found)


def attempts_on_record(ledger: Ledger, state: Path) -> list[StoredAttempt]:
    """All of them."""
    with closing(sqlite3.connect(state / "ledger.db", timeout=30)) as db:
        traces: list[tuple[str]] = db.execute("SELECT trace_id FROM trace").fetchall()
    return [attempt for (trace_id,) in traces for attempt in ledger.trace(trace_id).attempts]


def counted(attempts: Iterable[StoredAttempt]) -> Decimal:
    """What they count in budgets, summed by hand: a cost, or else what is held for what may have been charged."""
    held = (one.reserved if one.cost is None and one.status != "failed" else one.cost for one in attempts)
    return sum((Decimal(amount) for amount in held if amount is not None), Decimal(0))


def unrecorded(bodies: Iterable[str], attempts: Iterable[StoredAttempt], key: bytes) -> int:
    """How many of the requests that a server got are in no receipt."""
    left: dict[str, int] = {}
    for one in attempts:
        left[one.receipt.body_sha256] = left.get(one.receipt.body_sha256, 0) + 1
    lacking = 0
    for body in bodies:
        mark = keyed_hash(key, hashlib.sha256(body.encode()).hexdigest())
        left[mark] = left.get(mark, 0) - 1
        lacking += left[mark] < 0
    return lacking
