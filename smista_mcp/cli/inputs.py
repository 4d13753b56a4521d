"""What a command line names to be read: texts, diffs, standard input. And the product, opened as it asks for."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from pydantic import ValidationError

from smista_mcp.app import App, open_app
from smista_mcp.cli.parser import PROG, Options
from smista_mcp.cli.printing import one_line
from smista_mcp.core.task import MAX_DIFF, MAX_TEXT, Task
from smista_mcp.errors import InvalidTask
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings
from smista_mcp.server.schemas import ToolName

STDIN = "-"
_NEAREST = "did you mean"
_LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8 at most."""


def opened(options: Options, *, rootless: bool = False) -> App:
    """The product with the policy, preset and workspace that the command line names; without any where `rootless`.

    Raises:
        SmistaError: there is no place for our state, the workspace cannot be one, or no such host is known.
    """
    environment = Environment.read()
    if options.calling is not None:
        from smista_mcp.hosts import known_host  # noqa: PLC0415  few command lines name one

        environment = replace(environment, host=known_host(options.calling).name)
    return open_app(
        Settings(
            environment=environment,
            workspace=options.workspace,
            policy_file=options.policy,
            preset=options.preset,
            trust_workspace=options.trust_workspace,
        ),
        rootless=rootless,
    )


def read_task(options: Options, tool: ToolName = "route") -> Task:
    """The task that the command line describes.

    Raises:
        InvalidTask: a part of it is missing, unreadable or not what it can be.
    """
    if options.text is None:
        raise InvalidTask("no text is given", fix='write the work in quotes, for example "review the auth middleware"')
    if options.text == STDIN and options.diff == Path(STDIN):
        raise InvalidTask("text and diff cannot both come from standard input", fix="write one of them into a file")
    given: dict[str, object] = {
        "text": _from_stdin(MAX_TEXT) if options.text == STDIN else options.text,
        "intent": options.intent,
        "skill": options.skill,
        "paths": options.path,
        "diff": None if options.diff is None else read_text(options.diff, MAX_DIFF, "diff"),
        "model": options.model,
        "effort": options.effort,
        "context": options.context,
        "session": options.session,
    }
    return task_of({name: value for name, value in given.items() if value is not None}, tool)


def rooted(task: Task, app: App) -> Task:
    """A task whose paths count from the workspace root, also those that were written from a folder below it."""
    root, here = app.world.settings.workspace, Path.cwd()
    if root is None or not task.paths or not here.is_relative_to(root) or here == root:
        return task
    paths = tuple(_rooted(path, root, here) for path in task.paths)
    return task if paths == task.paths else task.model_copy(update={"paths": paths})


def _rooted(path: str, root: Path, here: Path) -> str:
    if Path(path).is_absolute() or (root / path).exists() or not (here / path).exists():
        return path
    return (here.relative_to(root) / path).as_posix()


def task_of(given: Mapping[str, object], tool: ToolName = "route") -> Task:
    """A task from its parts.

    Raises:
        InvalidTask: names the part that is wrong, and what to write.
    """
    try:
        return Task.model_validate(given)
    except ValidationError:
        from smista_mcp.server.arguments import read_task as judged  # noqa: PLC0415  for a wrong task alone

        try:
            return judged(tool, given)
        except InvalidTask as wrong:
            fix = wrong.fix if _NEAREST in wrong.fix else f"see `{PROG} {tool} --help`"
            raise InvalidTask(wrong.message, fix=fix) from None


def json_object(line: str, example: str) -> Mapping[str, object]:
    """A line of JSON lines; a byte order mark before it counts for nothing, as before a policy.

    Raises:
        InvalidTask: it is no object of JSON, or has a key twice.
    """
    import json  # noqa: PLC0415  few commands read it

    try:
        value: object = json.loads(line.removeprefix("\ufeff"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InvalidTask("the line is not JSON", fix=f"write for example {example}") from None
    if not isinstance(value, dict):
        raise InvalidTask("the line is no JSON object", fix=f"write for example {example}")
    return cast("dict[str, object]", value)


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidTask(f"the line has `{one_line(key[:40])}` twice", fix="write it once")
        found[key] = value
    return found


def read_text(path: Path, most: int, what: str, *, regular: bool = False) -> str:
    """A file as text, `-` for standard input.

    Args:
        path: the file.
        most: characters.
        what: the file in a word, for people.
        regular: whether pipes and devices are refused; to open one could wait without end.

    Raises:
        InvalidTask: it cannot be read, is not UTF-8, or is longer than `most` characters.
    """
    if path == Path(STDIN):
        return _from_stdin(most)
    try:
        if regular and path.exists() and not path.is_file() and not path.is_dir():
            said = f"the {what} `{path}` is a pipe or a device"
            raise InvalidTask(said, fix="write it into a file, or give `-` and let it come from standard input")
        with path.open("rb") as file:
            return _decoded(file, most, what)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is not valid"
        raise InvalidTask(f"the {what} `{path}` cannot be read: {reason}", fix="name a file that can be read") from None


def _from_stdin(most: int) -> str:
    # None where the caller closed it before the start
    if not sys.stdin:
        raise InvalidTask("standard input is closed", fix="write the text itself instead of `-`")
    try:
        return _decoded(sys.stdin.buffer, most, "standard input")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidTask(f"standard input cannot be read: {reason}", fix="write the text instead of `-`") from None


def _decoded(file: BinaryIO, most: int, what: str) -> str:
    data = file.read(most * _LONGEST_CHARACTER + 1)
    if len(data) > most * _LONGEST_CHARACTER:
        raise InvalidTask(f"{what} is longer than {most} characters", fix="name files with --path instead")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidTask(
            f"{what} is not UTF-8 at byte {error.start}", fix="convert it to UTF-8, or name files with --path instead"
        ) from None
