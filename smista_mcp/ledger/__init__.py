"""The ledger: every decision, attempt and charge, found again after a restart; and the state folder that holds it.

The rest of the program knows `Ledger`, the books that it opens (`sessions`, `jobs`, `approvals`, `answer_labels`,
`history`, `inputs`, `outcomes`, `evidence`, `upkeep`) and the steps of `entries`, which it hands over without looking
inside. That is all that a shared database would have to offer in its place; nothing else imports SQLite, which a
contract holds.
"""

from smista_mcp.ledger.folder import installation_key, prepare_folder
from smista_mcp.ledger.records import (
    AttemptStart,
    AttemptStatus,
    BudgetExceeded,
    CostKind,
    Followup,
    ItemLabel,
    JobStart,
    Kept,
    LeftLabel,
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
    "Followup",
    "ItemLabel",
    "JobStart",
    "Kept",
    "Ledger",
    "LeftLabel",
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
