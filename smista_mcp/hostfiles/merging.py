"""What becomes of an entry for smista that stands there already, when ours is written."""

from collections.abc import Iterator
from typing import Final, NamedTuple, cast

from smista_mcp.hostfiles.places import Entry

OVER_HTTP: Final = (
    *("url", "httpUrl", "serverUrl"),
    *("headers", "http_headers", "env_http_headers", "bearer_token_env_var"),
)
"""Keys of an entry that leads to a server over HTTP; beside a command, hosts refuse them or take either."""
_OURS = frozenset({"type", "source", "command", "args"})
"""Keys of an entry that say how we are started: they are always written as they are now."""
_VERB = "serve-stdio"
_SHOWN = 80


class Merged(NamedTuple):
    """What our entry is to say.

    Attributes:
        whole: whether nothing else of the old entry stays.
        says: what a person should know of that.
    """

    entry: Entry
    whole: bool = False
    says: tuple[str, ...] = ()


def merged(entry: Entry, old: object, *, project: bool = False) -> Merged:
    """Our entry, with what a user has added to the old one or set otherwise.

    One that leads to a server over HTTP is replaced as a whole: hosts take no entry that has an address and a command.
    In a project anybody may have written it: options, variables and whatever else we do not write there would say what
    our program does, so nothing of them stays; only the limits that we write too may have other figures.

    Args:
        entry: as we write it where there is none.
        old: what stands there; None where nothing does.
        project: whether it is the file of a project.
    """
    if not isinstance(old, dict):
        return Merged(entry)
    before = cast("Entry", old)
    http = over_http(before)
    if http:
        keys = ", ".join(f"`{key}`" for key in http)
        said = (
            f"the entry that is there leads to a server over HTTP ({keys}): it is replaced as a whole by one that"
            " starts smista on this machine; the copy of the old file keeps it"
        )
        return Merged(entry, whole=True, says=(said,))
    if project:
        return _of_project(entry, before)
    kept = {key: _kept(key, value, before[key]) if key in before else value for key, value in entry.items()}
    return Merged(kept)


def over_http(entry: object) -> list[str]:
    """The keys by which an entry leads to a server over HTTP; none where it does not."""
    return [key for key in OVER_HTTP if key in entry] if isinstance(entry, dict) else []


def _of_project(entry: Entry, old: Entry) -> Merged:
    now = {key: _limit(key, value, old.get(key)) for key, value in entry.items()}
    left = [f"`{' '.join(one.split())[:_SHOWN]}`" for one in _left_out(entry, old)]  # no lines of a stranger's own
    if not left:
        return Merged(now)
    said = (
        f"left out of the entry that is there: {', '.join(left)}; in a project's file anybody may have written that."
        " Write it again if it is yours, or install for yourself, without --project"
    )
    return Merged(now, whole=True, says=(said,))


def _limit(key: str, value: object, old: object) -> object:
    return old if key not in _OURS and isinstance(value, bool | int | float) and type(old) is type(value) else value


def _left_out(entry: Entry, old: Entry) -> Iterator[str]:
    """What an old entry has, and ours has not."""
    for key, was in old.items():
        value = entry.get(key)
        if isinstance(was, dict):
            ours: Entry = cast("Entry", value) if isinstance(value, dict) else {}
            yield from (f"{key}.{name}" for name, one in cast("Entry", was).items() if ours.get(name) != one)
        elif isinstance(value, list) and key in _OURS:
            further = _with_options(cast("list[object]", value), was)[len(cast("list[object]", value)) :]
            yield from (f"{key}: {one}" for one in further)
        elif isinstance(value, list) and isinstance(was, list):
            yield from (f"{key}: {one}" for one in cast("list[object]", was) if one not in value)
        elif key not in entry:
            yield key


def _kept(key: str, value: object, old: object) -> object:
    """One value of an entry that is there: ours where it starts us, else the user's, with what it lacks."""
    if key in _OURS:
        return _with_options(cast("list[object]", value), old) if isinstance(value, list) else value
    if isinstance(value, dict) and isinstance(old, dict):
        return {**cast("Entry", value), **cast("Entry", old)}
    if key == "env_vars" and isinstance(value, list) and isinstance(old, list):
        known = cast("list[object]", old)
        return [*known, *(one for one in cast("list[object]", value) if one not in known)]
    return old


def _with_options(ours: list[object], old: object) -> list[object]:
    """Our words, with what the user wrote behind the verb, a policy for instance."""
    theirs = cast("list[object]", old) if isinstance(old, list) else []
    return [*ours, *theirs[theirs.index(_VERB) + 1 :]] if _VERB in theirs else ours
