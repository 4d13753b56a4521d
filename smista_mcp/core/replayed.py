"""What became of a recorded decision that was made again, and which of its inputs are others."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal, cast

from smista_mcp.core.decision import Decision, Rejected
from smista_mcp.core.facts import BudgetLeft, ProviderFacts
from smista_mcp.core.values import Locality, Status, Value
from smista_mcp.errors import Code

_LONGEST = 400
"""Characters that are told of one input."""
_PARTS: Mapping[str, Sequence[str]] = {"availability": ProviderFacts._fields, "budgets": BudgetLeft._fields}
ALTERED = "what is kept does not have the recorded hash"
"""Told in place of what an input was, where the record was changed."""
_DERIVED = ("before", "session")
"""Inputs that follow from others of the same call."""


class InputChange(Value):
    """An input that is another one.

    Attributes:
        name: as in `inputs` of a decision.
        old: the hash that the recorded decision names; None where it had no such input.
        new: the hash of what there is in its place; None where there is nothing.
        was: what it was, as far as that differs, and is kept; `now` likewise what it is.
    """

    name: str
    old: str | None
    new: str | None
    was: str = ""
    now: str = ""


class FileChange(Value):
    """A file of the context that has other content than it had, or cannot be read any more."""

    path: str
    state: Literal["changed", "gone"]


class Reached(Value):
    """What a phase would come to today, with the context that it had."""

    status: Status
    code: Code | None
    model: str | None
    resolved_model: str | None
    locality: Locality | None
    rule: str | None
    reason: str
    rejected: tuple[Rejected, ...] = ()

    @classmethod
    def of(cls, decision: Decision) -> "Reached":
        return cls(
            status=decision.status,
            code=decision.code,
            model=decision.model,
            resolved_model=decision.resolved_model,
            locality=decision.locality,
            rule=decision.matched_rule.name if decision.matched_rule else None,
            reason=decision.reason,
            rejected=decision.rejected,
        )


class ReplayedPhase(Value):
    """A decision made again from what it was made from.

    Attributes:
        same: whether all bytes of it are the same, its id included.
        replayed_id: of the decision as it comes out now.
        changed: the inputs that could not be had as they were: why the bytes differ.
        fields: of the decision that come out otherwise, besides its id and the hashes.
        sealed: inputs that enter by their hash alone, because what they are of is not kept.
        since: the inputs that stand otherwise today; they were not used here.
        files: those of its context that are others today.
        today: what it would come to with the inputs of today; None where these cannot be had.
    """

    decision_id: str
    phase: int
    same: bool
    replayed_id: str
    changed: tuple[InputChange, ...] = ()
    fields: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    since: tuple[InputChange, ...] = ()
    files: tuple[FileChange, ...] = ()
    today: Reached | None = None


class ReplayAnswer(Value):
    """The answer of a replay; `notices` say what a person should know of it."""

    same: bool
    recorded_at: str
    phases: tuple[ReplayedPhase, ...]
    notices: tuple[str, ...] = ()


def changes(
    old: Mapping[str, str],
    new: Mapping[str, str],
    was: Mapping[str, str],
    now: Mapping[str, str],
    altered: Sequence[str] = (),
) -> tuple[InputChange, ...]:
    """The inputs whose hashes differ, by name. What follows from another input is named where nothing else differs.

    Args:
        old: name -> hash then.
        new: name -> hash now.
        was: name -> what it was, as JSON, where that is kept.
        now: name -> what it is, as JSON, where that is known.
        altered: names of those whose body is kept and is not the one that was recorded; they are named in any case.
    """
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name) or name in altered]
    first = [name for name in names if name not in _DERIVED]
    found = (_change(name, old, new, (was.get(name), now.get(name))) for name in first or names)
    return tuple(one.model_copy(update={"was": ALTERED}) if one.name in altered else one for one in found)


def _named(name: str, body: str | None) -> str | None:
    """An input with the names of its parts, where it is kept without."""
    parts = _PARTS.get(name)
    if body is None or parts is None:
        return body
    rows = cast("dict[str, list[object]] | list[list[object]]", json.loads(body))
    if isinstance(rows, dict):
        return json.dumps({key: _spelled(parts, row) for key, row in rows.items()})
    return json.dumps([_spelled(parts, row) for row in rows])


def _spelled(parts: Sequence[str], row: Sequence[object]) -> dict[str, object]:
    return {part: one for part, one in zip(parts, row, strict=False) if one not in (None, "", False)}


def differing(old: str, new: str) -> tuple[str, ...]:
    """Which fields of two decisions differ, both as the ledger keeps them, besides ids and hashes."""
    before, after = cast("dict[str, object]", json.loads(old)), cast("dict[str, object]", json.loads(new))
    names = (name for name in sorted({*before, *after}) if before.get(name) != after.get(name))
    return tuple(name for name in names if name not in ("decision_id", "inputs", "revision"))


def _change(
    name: str, old: Mapping[str, str], new: Mapping[str, str], bodies: tuple[str | None, str | None]
) -> InputChange:
    was, now = _parted(_named(name, bodies[0]), _named(name, bodies[1]))
    return InputChange(name=name, old=old.get(name), new=new.get(name), was=was, now=now)


def _parted(was: str | None, now: str | None) -> tuple[str, str]:
    """What differs of two inputs, in words: of tables and lists only the members that are not on both sides."""
    sides: tuple[object, object] = (_read(was), _read(now))
    if all(isinstance(side, dict) for side in sides):
        old, new = cast("tuple[dict[str, object], dict[str, object]]", sides)
        names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        return _told({name: old.get(name) for name in names}), _told({name: new.get(name) for name in names})
    if all(isinstance(side, list) for side in sides):
        these, others = cast("tuple[list[object], list[object]]", sides)
        if all(isinstance(one, dict | list) for one in (*these, *others)):
            return _told([one for one in these if one not in others]), _told(
                [one for one in others if one not in these]
            )
    return _told(sides[0]), _told(sides[1])


def _read(body: str | None) -> object:
    return None if body is None else json.loads(body, object_hook=_brief)


def _brief(table: dict[str, object]) -> dict[str, object]:
    """A file of a policy by its place and hash: what it says stands in `policy diff`."""
    if "document" not in table:
        return table
    return {"layer": table.get("layer"), "file": table.get("file"), "sha256": table.get("digest")}


def _told(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True, sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
