"""Why answers are labelled: for each the shortest way back to what it was made from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from smista_mcp.core.origins import Chain, Link
from smista_mcp.core.redaction import redacted_json
from smista_mcp.core.values import Label
from smista_mcp.ledger.database import reading, writing


class AnswerLabel(NamedTuple):
    """The label of the answer of one phase. `origin` begins with the answer itself."""

    trace_id: str
    phase: int
    label: Label
    origin: Chain


class AnswerLabels:
    """The labels of all answers in one ledger; names and reasons, no contents.

    Every method raises `StateUnavailable` where the ledger cannot be read or written.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    def keep(self, one: AnswerLabel) -> None:
        """Records a label."""
        origin = redacted_json(json.dumps([link.model_dump() for link in one.origin], ensure_ascii=False))
        with writing(self._folder, self._busy_s) as db:
            db.execute(
                "INSERT INTO answer_label (trace_id, phase, label, origin) VALUES (?, ?, ?, ?)",
                (one.trace_id, one.phase, one.label, origin),
            )

    def of(self, trace_ids: Sequence[str]) -> tuple[AnswerLabel, ...]:
        """Those of these traces, in their order."""
        with reading(self._folder, self._busy_s) as db:
            rows = [
                row
                for trace_id in trace_ids
                for row in db.execute(
                    "SELECT trace_id, phase, label, origin FROM answer_label WHERE trace_id = ? ORDER BY sequence",
                    (trace_id,),
                )
            ]
        return tuple(
            AnswerLabel(trace_id, phase, label, tuple(Link.model_validate(link) for link in json.loads(origin)))
            for trace_id, phase, label, origin in rows
        )
