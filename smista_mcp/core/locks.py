"""Keys that the organisation has locked: what lower layers say of them may narrow and does nothing else.

A pattern is a dotted key of a policy file, with `*` for one part of it: `privacy.remote.mode`, `providers.*.base_url`,
`classes.coding`. It locks what lies below it too. A class, a provider, a host, an entry of the catalog and the default
route are one piece: where one key of them is locked, what a lower layer says of the whole piece is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar, cast, get_args, get_origin

from smista_mcp.core.effective import Origin
from smista_mcp.core.nearness import closest
from smista_mcp.core.policy import PolicyDocument, dotted
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer, Value

V = TypeVar("V", bound=Value)

_PART = r'"(?:[^"\\]|\\["\\])*"|\'[^\']*\'|\*|[A-Za-z0-9_:/-]+'
_ANY = "*"
_NO_KEY = frozenset({"locked"})
"""What stands in the organisation's file alone, so that nobody below could set it."""

Key = tuple[str, ...]


class Lock(NamedTuple):
    """One pattern of `locked`.

    Attributes:
        text: as it is written.
        parts: taken apart; none where it is no key.
    """

    text: str
    parts: Key
    origin: Origin

    def holds(self, key: Key) -> bool:
        """Whether a key is locked by it: the pattern itself, or something below it."""
        parts = self.parts
        return 0 < len(parts) <= len(key) and all(part in (_ANY, name) for part, name in zip(parts, key, strict=False))


class Violation(NamedTuple):
    """A locked key that a layer sets."""

    key: Key
    lock: Lock


def is_fixed(key: Key, locked: Sequence[tuple[str, Origin]], stated: Origin | None) -> bool:
    """Whether nobody but the organisation can set a key.

    Args:
        key: its parts.
        locked: what the organisation has frozen.
        stated: where its value in force comes from.
    """
    frozen = any(Lock(text, parts_of(text), origin).holds(key) for text, origin in locked)
    return frozen or (stated is not None and stated.layer is Layer.ORGANISATION)


def locks_of(sources: Sequence[LayerDocument]) -> tuple[Lock, ...]:
    """Every lock of the organisation's files, those of an added one too: to lock only ever narrows."""
    return tuple(
        Lock(text, parts_of(text), source.origin("locked", index))
        for source in sources
        if source.layer is Layer.ORGANISATION and source.trusted
        for index, text in enumerate(source.document.locked)
    )


def unlocked(sources: Sequence[LayerDocument]) -> tuple[LayerDocument, ...]:
    """The layers without what they say of locked keys; that follows each as a layer of its own, which may narrow."""
    locks = locks_of(sources)
    return tuple(chain.from_iterable(_split(source, locks) for source in sources)) if locks else tuple(sources)


def violations(source: LayerDocument, locks: Sequence[Lock]) -> tuple[Violation, ...]:
    """Every locked key that a layer sets, each once, in the order of the document."""
    if source.layer is Layer.ORGANISATION or not locks:
        return ()
    found = ((key, next((lock for lock in locks if lock.holds(key)), None)) for key in stated_keys(source.document))
    return tuple(Violation(key, lock) for key, lock in found if lock is not None)


def is_locked(key: Key, locks: Sequence[Lock]) -> bool:
    """Whether a single key is locked."""
    return any(lock.holds(key) for lock in locks)


def stated_keys(value: Value) -> Iterator[Key]:
    """The keys that a document states, down to lists and single values."""
    for name in type(value).model_fields:
        if name in value.model_fields_set:
            inner: object = getattr(value, name)
            below = [*_below(inner)]
            yield from ((name, *key) for key in below)


def _below(inner: object) -> Iterator[Key]:
    if isinstance(inner, Value):
        yield from stated_keys(inner)
    elif isinstance(inner, Mapping):
        for name, entry in cast("Mapping[str, object]", inner).items():
            yield from ((name, *key) for key in _below(entry))
    else:
        yield ()


def parts_of(text: str) -> Key:
    """The parts of a dotted key, without quotes; none where it is no such key."""
    if not re.fullmatch(rf"(?:{_PART})(?:\.(?:{_PART}))*", text):
        return ()
    return tuple(_plain(part) for part in re.findall(_PART, text))


def _plain(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part[1:-1]) if part[0] in "\"'" else part


def nearest_key(lock: Lock) -> str | None:
    """For a pattern that no key of a policy file can meet: the key most like it, or nothing; None for a good one."""
    if lock.parts and any(_reaches(lock.parts, key) for key in _keys(PolicyDocument)):
        return None
    known = {dotted(_filled(key, lock.parts)).replace('"*"', _ANY) for key in _keys(PolicyDocument)}
    tables = {key.rpartition(".")[0] for key in known} - {""}
    return closest(lock.text, sorted(known | tables), cutoff=0.6) or ""


def _reaches(parts: Key, key: Key) -> bool:
    """Whether a pattern names a key of the schema, where `*` stands for names that are free, or a table around it."""
    return len(parts) <= len(key) and all(_ANY in (part, name) or part == name for part, name in zip(parts, key))  # noqa: B905


def _filled(key: Key, parts: Key) -> Key:
    """A key of the schema with the free names that a pattern has in the same places."""
    return tuple(parts[place] if name == _ANY and place < len(parts) - 1 else name for place, name in enumerate(key))


def _keys(table: type[Value]) -> Iterator[Key]:
    """Every key that a table of this model may hold; `*` for a name that is free."""
    for name, field in table.model_fields.items():
        if table is PolicyDocument and name in _NO_KEY:
            continue
        free = (_ANY,) if get_origin(field.annotation) is dict else ()
        inner = _model(field.annotation)
        below = _keys(inner) if inner is not None else iter([()])
        yield from ((name, *free, *key) for key in below)


def _model(annotation: object) -> type[Value] | None:
    """The table that a field holds; None for a list of tables, of which no single key can be named."""
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return annotation
    if get_origin(annotation) is tuple:
        return None
    inner = (_model(argument) for argument in get_args(annotation))
    return next((model for model in inner if model is not None), None)


def _split(source: LayerDocument, locks: Sequence[Lock]) -> tuple[LayerDocument, ...]:
    locked = [key for key, _ in violations(source, locks)]
    if not locked:
        return (source,)
    kept, frozen = _parted(source.document, frozenset(_piece(key) for key in locked), ())
    if source.document.classes:
        frozen["classes"] = source.document.classes  # what rules that still bind call by name
    rest = source._replace(document=_made(PolicyDocument, kept))
    return rest, source._replace(document=_made(PolicyDocument, frozen), bounded=True, skipped=())


def _piece(key: Key) -> Key:
    """The smallest part of a document around a key that can be taken away."""
    if key[0] in _ENTRIES:
        return key[:2]
    return key[:2] if key[:2] == ("routing", "default") else key


_ENTRIES = frozenset(n for n, field in PolicyDocument.model_fields.items() if get_origin(field.annotation) is dict)
"""Tables of which each entry is one piece."""


def _parted(value: Value, pieces: frozenset[Key], path: Key) -> tuple[dict[str, object], dict[str, object]]:
    """The stated fields of a table in two parts: those that stay, and those that are locked."""
    kept: dict[str, object] = {}
    frozen: dict[str, object] = {}
    for name in value.model_fields_set:
        inner: object = getattr(value, name)
        here = (*path, name)
        if here in pieces:
            frozen[name] = inner
        elif not any(piece[: len(here)] == here for piece in pieces):
            kept[name] = inner
        elif isinstance(inner, Value):
            stays, goes = _parted(inner, pieces, here)
            kept[name], frozen[name] = _made(type(inner), stays), _made(type(inner), goes)
        else:
            entries = cast("Mapping[str, object]", inner)
            kept[name] = {one: entry for one, entry in entries.items() if (*here, one) not in pieces}
            frozen[name] = {one: entry for one, entry in entries.items() if (*here, one) in pieces}
    return kept, frozen


def _made(table: type[V], fields: Mapping[str, object]) -> V:
    return table.model_construct(None, **fields)  # of parts that were checked
