"""What an exported record does not say: fields to leave out or to show as keyed hashes, as data.

A rule is two words: `drop` or `hash`, and the field as dotted keys. `*` stands for one key, `**` for any number; lists
count for nothing, so that `attempts.receipt.sent.path` is the path of each item. What a rule hashes is hashed in every
sentence of the record too, so that a reason does not say what a path may not; and so is the pattern that a path was
restricted by, which tells as much.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, cast

Hash = Callable[[str], str]
MASKED: Final = (
    *("hash paths", "hash **.path", "hash **.address", "hash **.destinations", "hash workspace", "hash token"),
    *("hash decision.host", "hash decision.handoff.context", "hash labels.origin.name"),
    *("hash decision.matched_rule.name", "hash **.sha256", "hash **.body_sha256"),
    *("drop decision.intent.evidence", "drop decision.context.included.reason", "drop decision.handoff.step"),
    *("drop decision.reason", "drop **.detail"),
)
"""What `--masked` leaves out: what tells whose work it was, from where, and on which files."""
_RULE = re.compile(r"(drop|hash) +([A-Za-z0-9_*]+(?:\.[A-Za-z0-9_*]+)*)\Z")
_PATTERN = re.compile(r"restricted by `([^`]+)`")
_HASHED = "keyed:"
_LEAST = 3
"""Characters of a name that is looked for in other texts."""


class Mask(NamedTuple):
    """One rule.

    Attributes:
        field: its keys, outermost first.
    """

    do: Literal["drop", "hash"]
    field: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Mask":
        """A rule as it is written.

        Raises:
            ValueError: it is none.
        """
        found = _RULE.match(text.strip())
        if found is None:
            raise ValueError("is no rule of a mask; write `drop` or `hash` and a field, for example `hash **.path`")
        return cls(cast('Literal["drop", "hash"]', found[1]), tuple(found[2].split(".")))

    def hits(self, field: Sequence[str]) -> bool:
        """Whether it is about a field."""
        return _hits(self.field, tuple(field))


def masked(
    record: dict[str, object], masks: Sequence[Mask], keyed: Hash, names: Sequence[str] = ()
) -> dict[str, object]:
    """A record without what the masks take.

    Args:
        record: of JSON's types.
        masks: the rules; what one drops, none hashes.
        keyed: gives a keyed hash.
        names: further texts that may not stand in others, if something is hashed at all.
    """
    if not masks:
        return record
    hashes = any(mask.do == "hash" for mask in masks)
    hidden: set[str] = {*names, *_patterns(record)} if hashes else set()
    kept = _masked(record, (), masks, (keyed, hidden))
    found = sorted((name for name in hidden if len(name) >= _LEAST), key=lambda name: (-len(name), name))
    if found:
        sentence = re.compile("|".join(map(_whole, found)))
        # a word alone may be that of a model or a kind of work
        word = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in found if "/" in name) or r"(?!)")
        kept = _replaced(kept, (sentence, word), keyed)
    return cast("dict[str, object]", kept)


def _hits(pattern: tuple[str, ...], field: tuple[str, ...]) -> bool:
    if not pattern:
        return not field
    if pattern[0] == "**":
        return any(_hits(pattern[1:], field[skipped:]) for skipped in range(len(field) + 1))
    return bool(field) and pattern[0] in ("*", field[0]) and _hits(pattern[1:], field[1:])


def _masked(value: object, field: tuple[str, ...], masks: Sequence[Mask], sink: tuple[Hash, set[str]]) -> object:
    if field and any(mask.do == "hash" and mask.hits(field) for mask in masks) and not isinstance(value, list):
        return _hashed(value, *sink)
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return {
            name: _masked(inner, (*field, name), masks, sink)
            for name, inner in table.items()
            if not any(mask.do == "drop" and mask.hits((*field, name)) for mask in masks)
        }
    if isinstance(value, list):
        return [_masked(inner, field, masks, sink) for inner in cast("list[object]", value)]
    return value


def _hashed(value: object, keyed: Hash, hidden: set[str]) -> object:
    if value is None or value == "":
        return value
    hidden.update(_texts(value))
    return _HASHED + keyed(str(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast("dict[str, object]", value).values():
            yield from _texts(inner)


def _whole(name: str) -> str:
    """The name where it stands; of a plain word not a part of another one."""
    escaped = re.escape(name)
    return escaped if re.search(r"[/.]", name) else rf"(?<!\w){escaped}(?!\w)"


def _patterns(value: object) -> Iterator[str]:
    """What the sentences of a record say of why something is restricted."""
    if isinstance(value, str):
        yield from _PATTERN.findall(value)
    elif isinstance(value, dict | list):
        inner = cast("dict[str, object] | list[object]", value)
        for one in inner.values() if isinstance(inner, dict) else inner:
            yield from _patterns(one)


def _replaced(value: object, patterns: tuple[re.Pattern[str], re.Pattern[str]], keyed: Hash) -> object:
    if isinstance(value, str):
        if patterns[1].fullmatch(value):
            return value  # a field of its own, of which the rules say what becomes of it
        return patterns[" " not in value].sub(lambda found: _HASHED + keyed(found[0]), value)
    if isinstance(value, dict):
        return {name: _replaced(inner, patterns, keyed) for name, inner in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_replaced(inner, patterns, keyed) for inner in cast("list[object]", value)]
    return value
