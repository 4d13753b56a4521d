"""Reading JSON that a server wrote: every access says what it expects and takes nothing else."""

import json
from typing import cast

_DECODER = json.JSONDecoder()
_BLANK = " \t\n\r"
MAX_COUNT = 10**9
"""More tokens than any model takes or writes: a larger count is a server's mistake, or worse."""


def parse_object(text: bytes) -> dict[str, object]:
    """The JSON object in a text.

    Raises:
        ValueError: not UTF-8, not JSON, nested beyond reason, or not an object.
    """
    try:
        words = str(text, "utf-8").strip(_BLANK)
        value, end = _DECODER.raw_decode(words)  # what `json.loads` does around it takes a third of its time
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if end != len(words):
        raise ValueError("more than one value")
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the text is wrong, not its type
    return cast("dict[str, object]", value)


def parse_objects(text: bytes) -> list[dict[str, object]]:
    """The JSON objects of a list in a text.

    Raises:
        ValueError: not UTF-8, not JSON, nested beyond reason, not a list, or not of objects alone.
    """
    try:
        value: object = json.loads(str(text, "utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    found = items(value)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("not a list of objects")
    return cast("list[dict[str, object]]", found)


def member(value: object, key: str) -> object:
    """A member of an object; None where `value` is no object or has none of that name."""
    return cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None


def items(value: object) -> list[object]:
    """The elements of an array; none where `value` is no array."""
    return cast("list[object]", value) if isinstance(value, list) else []


def pairs(value: object) -> list[tuple[str, object]]:
    """Keys and members of an object; none where `value` is no object."""
    return list(cast("dict[str, object]", value).items()) if isinstance(value, dict) else []


def text(value: object) -> str | None:
    """A string that any encoder can write: unpaired surrogates are replaced. None where `value` is no string."""
    if not isinstance(value, str):
        return None
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def count(value: object) -> int | None:
    """A token count or size: an integer from 0 to `MAX_COUNT`. None for everything else, true and 1e3 included."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else None
