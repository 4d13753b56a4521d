"""Builders of what the ledger records, and children that use a ledger at the same time."""

import json
import subprocess
import sys
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smista_mcp.core.decision import Decision
from smista_mcp.core.receipt import Receipt, SentItem, WithheldItem
from smista_mcp.core.values import Intent, Locality
from smista_mcp.ledger import AttemptStart, Ledger, RouteRecord

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 14, 15, 9, 26, 535_000, tzinfo=UTC)

DecisionOf = Callable[..., Decision]
RecordOf = Callable[..., RouteRecord]
StartOf = Callable[..., AttemptStart]
Child = Callable[..., "subprocess.Popen[str]"]


def _decision(decision_id: str = "ab" * 32, **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "decision_id": decision_id,
        "revision": "5e" * 32,
        "phase": 0,
        "depends_on": [],
        "intent": {"name": "edit", "source": "reader", "confidence": "high", "evidence": ["refactor"]},
        "class": "coding",
        "status": "routed",
        "code": None,
        "model": "anthropic/claude-sonnet",
        "resolved_model": "anthropic/claude-sonnet-5-5",
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
        "host": "claude-code",
        "fallback_used": False,
        "override_used": False,
        "recorded": False,
        "inputs": {"task": "0f" * 32},
    }
    return Decision.model_validate_json(json.dumps(fields | changes))


def _record(*decisions: Decision, at: datetime = AT, workspace: str | None = "77" * 32) -> RouteRecord:
    return RouteRecord(decisions=decisions or (_decision(),), at=at, text_digest="3c" * 32, workspace=workspace)


def _start(**changes: Any) -> AttemptStart:
    fields: dict[str, Any] = {
        "phase": 0,
        "intent": Intent.EDIT,
        "model": "anthropic/claude-sonnet",
        "resolved_model": "anthropic/claude-sonnet-5-5",
        "provider": "anthropic",
        "locality": Locality.REMOTE,
        "started_at": AT,
        "cost_kind": "list",
        "reserved": Decimal("0.12"),
        "workspace": "77" * 32,
        "receipt": Receipt(
            sent=(SentItem(path="src/auth.rs", sha256="9d" * 32, tokens=120, reason="named"),),
            withheld=(WithheldItem(path=".env", reason="restricted by .env"),),
            body_bytes=2048,
            body_sha256="c4" * 32,
        ),
    }
    return AttemptStart(**(fields | changes))


@pytest.fixture
def decision_of() -> DecisionOf:
    return _decision


@pytest.fixture
def record_of() -> RecordOf:
    return _record


@pytest.fixture
def start_of() -> StartOf:
    return _start


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "home" / "state"


@pytest.fixture
def ledger(state: Path) -> Ledger:
    return Ledger.open(state)


@pytest.fixture
def child(tmp_path: Path) -> Generator[Child]:
    """Starts a Python program with the record of one decision at hand; ends it with the test."""
    body = tmp_path / "decision.json"
    body.write_text(_decision().model_dump_json(by_alias=True), encoding="utf-8")
    prologue = f"""
import resource, sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
sys.path.insert(0, "tests")
from recording import begin_attempt, open_trace
from smista_mcp.core.decision import Decision
from smista_mcp.core.values import Intent, Locality
from smista_mcp.errors import StateUnavailable
from smista_mcp.core.receipt import Receipt
from smista_mcp.ledger import *

ONE = Decision.model_validate_json(Path({str(body)!r}).read_text(encoding="utf-8"))
AT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)

def record(decision_id, **changes):
    changed = ONE.model_copy(update={{"decision_id": decision_id}} | changes)
    return RouteRecord(decisions=(changed,), at=AT, text_digest="3c" * 32)
"""
    children: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", prologue + program, *arguments]
        pipe = subprocess.PIPE
        children.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, encoding="utf-8"))
        return children[-1]

    yield start
    for one in children:
        one.kill()
        one.communicate()
