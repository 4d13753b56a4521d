"""Triggers by which the file itself keeps what happened from being changed, by a defect or by accident.

They are no lock: whoever may write the file may drop them. `REPLACE` takes a row away without telling any trigger on
removal, so an insert in the place of a row that is there is refused before it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "decision": ("rowid",),
    "trace": ("trace_id",),
    "begun": ("rowid",),
    "settled": ("rowid",),
    "followed_up": ("attempt, number",),
    "answer_label": ("rowid",),
    "job_event": ("rowid",),
    "job_call": ("rowid",),
    "approval_event": ("rowid",),
    "vacuumed": ("rowid",),
    "input": ("rowid", "digest, name"),
    "outcome": ("rowid",),
    "evidence": ("rowid", "digest"),
    "evidence_day": ("rowid", "until, window_days, epoch"),
    "evidence_event": ("rowid",),
}
"""Tables in which rows are only added, with all by which a row may be replaced."""
_CHANGEABLE: Final[Mapping[str, tuple[str, ...]]] = {"input": ("digest", "name", "sha256", "body")}
"""Columns that may not change, of tables in which others may."""


def guards(*tables: str) -> tuple[str, ...]:
    """The statements that guard tables against all but new rows."""
    return tuple(statement for table in tables for statement in _guards(table))


def let_go(table: str) -> str:
    """The statement that lets rows of a table be removed."""
    return f"DROP TRIGGER {table}_remains"


def held_again(table: str) -> str:
    """The statement after which they cannot be removed any more."""
    return _guard(table, "remains", "DELETE")


def _guards(table: str) -> Iterator[str]:
    columns = _CHANGEABLE.get(table)
    yield _guard(table, "stays", "UPDATE" if columns is None else f"UPDATE OF {', '.join(columns)}")
    yield held_again(table)
    # a row without a number of its own has none that is there yet
    there = (
        f"EXISTS (SELECT 1 FROM {table} WHERE ({key}) = ({', '.join(f'NEW.{one}' for one in key.split(', '))}))"  # noqa: S608  our own words
        for key in KEYS[table]
    )
    yield _guard(table, "once", "INSERT", f" WHEN {' OR '.join(there)}")


def _guard(table: str, name: str, what: str, when: str = "") -> str:
    message = "rows are only added"
    return f"CREATE TRIGGER {table}_{name} BEFORE {what} ON {table}{when} BEGIN SELECT RAISE(ABORT, '{message}'); END"
