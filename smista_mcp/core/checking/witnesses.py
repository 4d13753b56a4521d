"""A situation as the task of a `[[test]]`, for people to paste and programs to decide."""

from collections.abc import Iterator
from itertools import count

from pydantic import ValidationError

from smista_mcp.core.checking.conditions import ONE_TOKEN, Field, Situation
from smista_mcp.core.policy import TestTask
from smista_mcp.core.policywords import MAX_ENTRIES

_WORDS = ("go", "on", "so", "well", "then", "now")
"""Texts of one token that say nothing; a skill may have the name of one."""


def witness(field: Field, found: Situation) -> TestTask | None:
    """The task of that situation; None where no `[[test]]` can say it: a path of 400 characters, or too many."""
    known = {name.lower() for contender in field.contenders for name in contender.skills or ()}
    if found.size > MAX_ENTRIES:
        return None
    try:
        return TestTask(
            text=next((word for word in _WORDS if word not in known), _WORDS[0]),
            intent=found.intent,
            skill=found.skill,
            paths=_different(found),
            context_tokens=found.tokens - ONE_TOKEN,
        )
    except ValidationError:
        return None


def winning_witness(field: Field, found: Situation) -> TestTask | None:
    """As `witness`; None also where paths that only fill up would let another rule win."""
    task = witness(field, found)
    if task is None:
        return None
    spelled = found._replace(paths=task.paths)
    return task if field.ranking.first(spelled.request) == field.ranking.first(found.request) else None


def _different(found: Situation) -> tuple[str, ...]:
    """As many paths, all different: those besides the first ones are like the first, with a number."""
    paths = dict.fromkeys(found.paths)
    names = _numbered(found.paths[0] if found.paths else "a")
    while len(paths) < found.size:
        paths[next(names)] = None
    return tuple(paths)


def _numbered(path: str) -> Iterator[str]:
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    return (f"{folder}{slash}{stem}{number}{dot}{extension}" for number in count(2))
