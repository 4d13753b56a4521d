"""What becomes of an entry for smista that stands there already, when ours is written."""

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


class Merged(NamedTuple):
    """What our entry is to say.

    Attributes:
        whole: whether nothing else of the old entry stays.
        says: what a person should know of that.
    """

    entry: Entry
    whole: bool = False
    says: tuple[str, ...] = ()


def merged(entry: Entry, old: object) -> Merged:
    """Our entry, with what a user has added to the old one or set otherwise.

    One that leads to a server over HTTP is replaced as a whole: hosts take no entry that has an address and a command.

    Args:
        entry: as we write it where there is none.
        old: what stands there; None where nothing does.
    """
    if not isinstance(old, dict):
        return Merged(entry)
    before = cast("Entry", old)
    http = [key for key in OVER_HTTP if key in before]
    if http:
        keys = ", ".join(f"`{key}`" for key in http)
        said = (
            f"the entry that is there leads to a server over HTTP ({keys}): it is replaced as a whole by one that"
            " starts smista on this machine; the copy of the old file keeps it"
        )
        return Merged(entry, whole=True, says=(said,))
    kept = {key: _kept(key, value, before[key]) if key in before else value for key, value in entry.items()}
    return Merged(kept)


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
