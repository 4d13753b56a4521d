"""`classify`: one text for people, or many as JSON lines."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from smista_mcp.app import App
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import STDIN, json_object, opened, read_task, task_of
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import flush_output, printable, put, put_answer, put_json, put_notices, put_table
from smista_mcp.cli.reading import put_reading
from smista_mcp.core.answers import ClassifiedPhase, ClassifyAnswer, ReadAnswer
from smista_mcp.core.task import MAX_TEXT, Task
from smista_mcp.errors import Code, InvalidTask, SmistaError

_MAX_LINE = 16 * MAX_TEXT
"""Bytes of a line: a text of the allowed length, spelled as JSON may spell it, and its paths."""
_FIELDS = frozenset({"id", "text", "paths", "context"})


def classify(options: Options) -> int:
    """Prints the phases of a text, or of every line of a file."""
    if options.jsonl is not None:
        if options.text is not None or options.path or options.skill or options.context or options.explain:
            raise InvalidTask("--jsonl takes its tasks from the file alone", fix="leave the text and its options out")
        return _classify_lines(opened(options), options.jsonl)
    task = read_task(options, "classify")
    answer = _answer(opened(options), task, explain=options.explain)
    if options.json:
        put_answer(answer)
        return DONE
    _put(printable(answer))
    if isinstance(answer, ReadAnswer):
        put("")
        put_reading(answer.reading)
    put_notices(answer.notices)
    return DONE


def _answer(app: App, task: Task, *, explain: bool = False) -> ClassifyAnswer:
    return app.classify(task.text, paths=task.paths, skill=task.skill, context=task.context, explain=explain)


def _put(answer: ClassifyAnswer) -> None:
    rows = [("phase", "intent", "class", "confidence", "after", "why", "text")]
    put_table([*rows, *map(_row, answer.phases)])


def _row(phase: ClassifiedPhase) -> tuple[str, ...]:
    evidence = ", ".join(phase.evidence)
    other = f"; else {phase.runner_up}" if phase.runner_up else ""
    return (
        str(phase.index),
        f"{phase.intent}" + (f" ({phase.skill})" if phase.skill else ""),
        phase.capability_class,
        phase.confidence,
        ", ".join(map(str, phase.depends_on)) or "-",
        f"{phase.source}" + (f": {evidence}" if evidence else "") + other,
        phase.text if len(phase.text) <= 200 else f"{phase.text[:200]}...",
    )


def _classify_lines(app: App, path: Path) -> int:
    """One line out for each line in, at once; a line that is wrong does not end the others."""
    if path != Path(STDIN):
        try:
            with path.open("rb") as file:
                return _answer_lines(app, file)
        except IsADirectoryError:
            raise InvalidTask(f"`{path}` is a folder", fix="name a file of JSON lines") from None
        except FileNotFoundError:
            raise InvalidTask(f"`{path}` does not exist", fix="name a file of JSON lines") from None
        except PermissionError:
            raise InvalidTask(f"`{path}` cannot be read", fix="name a file that can be read") from None
    # None where the caller closed it before the start
    if not sys.stdin:
        raise InvalidTask("standard input is closed", fix="name a file")
    return _answer_lines(app, sys.stdin.buffer)


def _answer_lines(app: App, file: BinaryIO) -> int:
    status = DONE
    for line in _lines(file):
        found: Mapping[str, object] = {}
        try:
            found = _object(line)
            answer = _answer(app, _task(found))
        except SmistaError as error:
            if error.code is not Code.INVALID_TASK:
                raise  # a policy that cannot be used fails every line
            status = NO
            told = {"code": error.code.value, "message": error.message, "fix": error.fix}
            put_json({"id": found.get("id"), "error": told}, indent=None)
        else:
            put_json({"id": found.get("id"), "phases": [_fixed(phase) for phase in answer.phases]}, indent=None)
        flush_output()
    return status


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines that hold anything. One that is too long comes cut, and is then no JSON."""
    while line := file.readline(_MAX_LINE):
        rest = line
        while len(rest) == _MAX_LINE and not rest.endswith(b"\n"):
            rest = file.readline(_MAX_LINE)
        if line.strip():
            yield line


def _object(line: bytes) -> Mapping[str, object]:
    if len(line) == _MAX_LINE:
        raise InvalidTask(f"the line is longer than {_MAX_LINE} bytes", fix="shorten the text")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise InvalidTask(f"the line is not UTF-8 at byte {error.start}", fix="write it in UTF-8") from None
    return json_object(text, '{"id": 1, "text": "fix the test"}')


def _task(found: Mapping[str, object]) -> Task:
    unknown = found.keys() - _FIELDS
    if unknown:
        names = ", ".join(f"`{name}`" for name in sorted(unknown)[:3])
        raise InvalidTask(f"the line has {names}, which means nothing", fix="it takes id, text, paths and context")
    return task_of({name: value for name, value in found.items() if name != "id" and value is not None}, "classify")


def _fixed(phase: ClassifiedPhase) -> dict[str, object]:
    return {
        "intent": phase.intent.value,
        "text": phase.text,
        "confidence": phase.confidence.value,
        "depends_on": list(phase.depends_on),
    }
