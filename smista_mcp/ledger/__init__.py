"""The ledger: every decision, attempt and charge, found again after a restart; and the state folder that holds it."""

from smista_mcp.ledger.folder import installation_key, prepare_folder
from smista_mcp.ledger.records import (
    AttemptStart,
    AttemptStatus,
    BudgetExceeded,
    CostKind,
    ItemLabel,
    NewTrace,
    Partial,
    PathLabel,
    PhaseFacts,
    RouteRecord,
    Scope,
    SecretLabel,
    Settlement,
    SpendingLimit,
    StoredAttempt,
    StoredDecision,
    StoredTrace,
    TokenCounts,
)
from smista_mcp.ledger.store import Ledger

__all__ = [
    "AttemptStart",
    "AttemptStatus",
    "BudgetExceeded",
    "CostKind",
    "ItemLabel",
    "Ledger",
    "NewTrace",
    "Partial",
    "PathLabel",
    "PhaseFacts",
    "RouteRecord",
    "Scope",
    "SecretLabel",
    "Settlement",
    "SpendingLimit",
    "StoredAttempt",
    "StoredDecision",
    "StoredTrace",
    "TokenCounts",
    "installation_key",
    "prepare_folder",
]
