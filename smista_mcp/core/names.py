"""What a model's name stands for: a row of one provider's catalog, or nothing. A word of a name is never dropped.

1. A name with a digit: that id; the same with `-` for `.`; the provider's own synonyms (match clauses, as long as every
   word of the name stands in the id or in the clause); the same without date, `@...` or `-latest`.
2. A name without version, or `NAME-latest`: the newest model of exactly those words, released before preview.
   A lone brand word (`claude`, `gpt`) is no family.
3. Otherwise nothing; the nearest ids can be shown.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

Clause = str | Sequence[object]

_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)(?=$|[-:@.])")
_SUFFIX = r"(?:[-@](?:20\d{6}|20\d\d-\d\d-\d\d)|@.*|-latest)$"
_COMPACT_DATE = r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)"
_PART = re.compile(r"[a-z0-9]+")
_STAGES = frozenset({"preview", "exp", "experimental", "beta", "alpha"})
_LATEST = "-latest"
_STAMP_DIGITS = 4


class Parts(NamedTuple):
    """A name taken apart.

    Attributes:
        words: all that is no number, stage, date or `latest`.
        numbers: in order, dates and stamps left out.
        preview: true where a word of the name says that it is not released.
        stamp: the largest number of four digits or more (`2508`, `0613`): when it was made, not which version it is.
    """

    words: frozenset[str]
    numbers: tuple[int, ...]
    preview: bool
    stamp: int

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers without zeros at the end: `4-0` and `4` are one version."""
        numbers = self.numbers
        while numbers and numbers[-1] == 0:
            numbers = numbers[:-1]
        return numbers


def take_apart(name: str) -> Parts:
    """Words, numbers and stage of a name, without regard to case."""
    words: set[str] = set()
    numbers: list[int] = []
    preview = False
    stamp = 0
    for part in _PART.findall(_DATE.sub("", name.lower())):
        if part.isdecimal():
            if len(part) < _STAMP_DIGITS:
                numbers.append(int(part))
            else:
                stamp = max(stamp, int(part))
        elif part in _STAGES:
            preview = True
        elif part != "latest":
            words.add(part)
    return Parts(frozenset(words), tuple(numbers), preview, stamp)


def _holds(clause: Clause, name: str) -> bool:
    if isinstance(clause, str):
        kind, text = clause[0], clause[1:]
        match kind:
            case "=":
                return name == text
            case "^":
                return name.startswith(text)
            case "$":
                return name.endswith(text)
            case "*":
                return text in name
            case _:
                return re.search(text, name) is not None
    joint, *inner = cast("Sequence[Clause]", clause)
    held = (_holds(part, name) for part in inner)
    return all(held) if joint == "&" else any(held)


def _literals(clause: Clause) -> Iterator[str]:
    if isinstance(clause, str):
        yield clause[1:]
    else:
        for part in cast("Sequence[Clause]", clause[1:]):
            yield from _literals(part)


class Row(NamedTuple):
    """One model of a provider's catalog. `variants` are its prices, as in catalog.json."""

    id: str
    context_window: int | None
    deprecated: bool
    clauses: Sequence[Clause]
    variants: Sequence[Sequence[object]]
    parts: Parts

    @property
    def writes_text(self) -> bool:
        """Whether its input and its output have a price: the models of sound, images and vectors have not."""
        return len(self.variants[0]) > 2 and None not in self.variants[0][1:3]

    def means(self, name: str) -> bool:
        """Whether a synonym of this row is `name` (lower case) and says every word of it."""
        holding = [clause for clause in self.clauses if _holds(clause, name)]
        if not holding:
            return False
        texts = (text for clause in holding for text in _literals(clause))
        return take_apart(name).words <= self.parts.words.union(*(take_apart(text).words for text in texts))


class Resolved(NamedTuple):
    """A row, and the name that goes to the wire for it."""

    row: Row
    wire: str


def read_rows(models: Iterable[object]) -> tuple[Row, ...]:
    """The rows of one provider in catalog.json."""
    rows: list[Row] = []
    for model in models:
        name, window, deprecated, clauses, variants = cast(
            "tuple[str, int | None, int, Sequence[Clause], Sequence[Sequence[object]]]", model
        )
        rows.append(Row(name, window, bool(deprecated), clauses, variants, take_apart(name)))
    return tuple(rows)


class Names:
    """The names of one provider's models, in the catalog's order."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._by_id: dict[str, Row] = {}
        self._by_dashes: dict[str, Row] = {}
        for row in rows:
            self._by_id.setdefault(row.id.lower(), row)
            self._by_dashes.setdefault(row.id.lower().replace(".", "-"), row)

    def resolve(self, name: str) -> Resolved | None:
        """What `name` stands for, by the rules of this module; None where nothing stands behind it."""
        text = name.lower()
        latest = text.endswith(_LATEST)
        versioned = any(character.isdigit() for character in text)
        if versioned or latest:
            found = self._specific(name, text)
            if found is not None:
                return found
        if latest or not versioned:
            row = self._newest(take_apart(text))
            if row is not None:
                return Resolved(row, row.id)
        if not versioned:
            return self._synonym(name, text)
        return None

    def _specific(self, name: str, text: str) -> Resolved | None:
        row = self._by_id.get(text)
        if row is not None:
            return Resolved(row, row.id)
        row = self._by_dashes.get(text.replace(".", "-"))
        if row is not None:
            return Resolved(row, row.id)
        found = self._synonym(name, text)
        if found is not None:
            return found
        shorter = re.sub(_SUFFIX, "", text)
        if shorter == text or not any(character.isdigit() for character in shorter):
            return None
        row = self._by_id.get(shorter) or self._by_dashes.get(shorter.replace(".", "-"))
        if row is None:
            inner = self._synonym(shorter, shorter)
            row = inner.row if inner else None
        if row is None:
            return None
        return Resolved(row, row.id if text.endswith(_LATEST) else name)

    def _synonym(self, name: str, text: str) -> Resolved | None:
        row = next((row for row in self._rows if row.means(text)), None)
        if row is None:
            dashed = re.sub(_COMPACT_DATE, r"-\1-\2-\3", text)
            row = next((row for row in self._rows if row.means(dashed)), None) if dashed != text else None
        if row is None:
            return None
        return Resolved(row, row.id if _same_model(text, row) else name)

    def _newest(self, wanted: Parts) -> Row | None:
        words = wanted.words
        if not words or (len(words) == 1 and not wanted.numbers and next(iter(words)) not in self._by_id):
            return None
        count = len(wanted.numbers)
        family = [
            row
            for row in self._rows
            if row.parts.words == words
            and row.parts.numbers[:count] == wanted.numbers
            and not row.deprecated
            and (row.parts.preview or not wanted.preview)
        ]
        return max(family, key=_newness, default=None)

    def nearest(self, name: str, count: int = 3) -> tuple[str, ...]:
        """Ids that look like `name`: those with all its words (newest first), then by common pairs of letters."""
        wanted = take_apart(name)
        usable = [row for row in self._rows if not row.deprecated and row.writes_text]
        family = [
            row
            for row in usable
            if wanted.words <= row.parts.words and row.parts.numbers[: len(wanted.numbers)] == wanted.numbers
        ]
        found = sorted(sorted(family, key=lambda row: row.id), key=_newness, reverse=True)[:count]
        if len(found) < count:
            pairs = _pairs(name)
            others = sorted(usable, key=lambda row: (-_likeness(pairs, _pairs(row.id)), row.id))
            found += [row for row in others if row not in found][: count - len(found)]
        return tuple(row.id for row in found)


def _newness(row: Row) -> tuple[bool, tuple[int, ...], int]:
    return not row.parts.preview, row.parts.numbers, row.parts.stamp


def _likeness(left: frozenset[str], right: frozenset[str]) -> float:
    return 2 * len(left & right) / (len(left) + len(right) or 1)


def _same_model(text: str, row: Row) -> bool:
    """Whether a synonym only spells the id otherwise (`claude-5-opus`), so that the id can go to the wire."""
    said = take_apart(text)
    return _DATE.search(text) is None and said.words == row.parts.words and said.version == row.parts.version


def undated(name: str) -> str:
    """A name without date, `@...` or `-latest` at its end."""
    return re.sub(_SUFFIX, "", name, flags=re.IGNORECASE)


def is_version(name: str, row: Row) -> bool:
    """Whether a name says the words, the version and the stage of a row and nothing else but a date."""
    said, parts = take_apart(name), row.parts
    return (said.words, said.version, said.preview) == (parts.words, parts.version, parts.preview)


def _pairs(name: str) -> frozenset[str]:
    text = name.lower()
    return frozenset(text[at : at + 2] for at in range(len(text) - 1))
