"""The gate at egress: the last look at a request for a remote model, at the very bytes that are about to leave.

It believes nothing that the gate by type has said of a request. By what it knows of the call it judges the target,
every item of the manifest, and every text in the body: each has to consist of the items that the manifest names by
hash, of the words of the caller, and of our own fixed texts. The sender calls it, right before the socket.
"""

import json
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, cast

from smista_mcp.core.clearance import ClearedPayload, Manifest, ManifestItem, Span
from smista_mcp.core.digests import digest_of
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.pieces import OF_PATHS, Piece, sendable
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.secretscan import secrets_in, told
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import ClearedWire, CompletionRequest, WireRequest

_FENCE = re.compile(r"`{3,}")
_OWN_ID = re.compile(r"call[0-9]{5}")
"""How we number the calls of a model's tools, whatever it calls them itself."""
_TELLING = 16
"""Characters from which on a text is taken for itself wherever it stands; shorter ones occur by chance."""
_LONGEST_NUMBER = 32
_ON_ONE_LINE = re.compile(r"[^\"\\\n\r]{1,4000}")


class Watch(NamedTuple):
    """What a call knows about itself, gathered where things are read and answered, not by the gate.

    Attributes:
        unsendable: patterns of what must not go to a remote model.
        allowed: fingerprints of what the secret scan finds and the policy says is none.
        words: hashes of what the caller wrote.
        frames: our own fixed texts.
        known: everything that the call has read or been answered so far, what only local models may have included.
        named: the forms of each path that the phase is about.
        stays: why the phase must stay on this machine; empty where it need not.
        released: hashes of derived texts that a person has let go to this target.
        cache_key: by which its provider may find the request again; None where there is none.
    """

    unsendable: GlobSet
    allowed: frozenset[str]
    words: frozenset[str]
    frames: frozenset[str]
    known: Sequence[Piece] = ()
    named: Sequence[Sequence[str]] = ()
    stays: Sequence[str] = ()
    released: frozenset[str] = frozenset()
    cache_key: str | None = None


def texts_of_json(departing: ClearedWire) -> object:
    """The value of a body that is JSON: every string in it is a text."""
    return _value(departing.wire.body)


def check_departure(
    departing: ClearedWire,
    model: str,
    words: frozenset[str],
    watch: Watch,
    texts_of: Callable[[ClearedWire], object] = texts_of_json,
) -> None:
    """Looks at what is about to leave for a remote model.

    Args:
        departing: the payload and its bytes.
        model: the name under which the target is asked for the model.
        words: the fixed strings of the wire protocol.
        watch: what is known of the call.
        texts_of: cuts the body into its texts, so that nothing of it is left over: a value in whose strings all stands.

    Raises:
        ProviderError: `restricted_content` or `secret_detected`, with the place and never the value; nothing was sent.
    """
    if not isinstance(departing.payload, ClearedPayload):  # pyright: ignore[reportUnnecessaryIsInstance]  not everybody asks a type checker
        raise _stopped("nobody has cleared it")
    if watch.stays:
        raise _stopped("; ".join(watch.stays[:3]))
    for forms in watch.named:
        if pattern := _pattern(watch, forms):
            raise _stopped(f"`{redacted(shown(forms[0]))}` is restricted by `{shown(pattern)}`")
    manifest = departing.payload.manifest
    kept = {piece.sha256: piece for piece in watch.known if _is_kept(piece, watch)}
    for item in manifest.items:
        if why := _objection(item, watch, kept.get(item.sha256)):
            raise _stopped(f"`{redacted(shown(item.path))}` {why}")
    value = texts_of(departing)
    texts = _texts(value)
    _check_account(texts, departing.payload, words | {model}, watch)
    _check_kept(texts, kept.values())
    _check_secrets(departing.wire, _said(value, words), texts, manifest, watch)


def _stopped(why: str, code: Code = Code.RESTRICTED_CONTENT) -> ProviderError:
    return ProviderError(f"stopped before it left this machine: {why}", code=code)


# ------------------------------------------------------------------------------------------------------------- items


def _objection(item: ManifestItem, watch: Watch, kept: Piece | None) -> str | None:
    if item.sha256 in watch.released and item.kind not in OF_PATHS:
        return None
    if item.label:
        return f"is {item.label}"
    if item.restricted:
        return item.restricted
    if pattern := _pattern(watch, (*item.forms, item.title, item.path)):
        return f"is restricted by `{shown(pattern)}`"
    if item.kind in OF_PATHS and not item.forms:
        return "comes from nobody knows where"
    return f"is the text of `{redacted(shown(kept.path))}`, which must stay" if kept else None


def _is_kept(piece: Piece, watch: Watch) -> bool:
    """Whether a text of the call must stay; one without any letter is everybody's."""
    if not piece.block.text.strip() or (piece.sha256 in watch.released and piece.kind not in OF_PATHS):
        return False
    return bool(piece.label or piece.restricted or _pattern(watch, piece.forms))


def _pattern(watch: Watch, forms: Iterable[str]) -> str | None:
    """The first pattern that a form of a path meets in any spelling."""
    return next(
        (found for form in forms for text in _spellings(form) if (found := watch.unsendable.first(text)) is not None),
        None,
    )


@lru_cache(maxsize=4096)
def _spellings(form: str) -> tuple[str, ...]:
    """A form as it is, normalised, composed and without case."""
    slashed = form.replace("\\", "/")
    plain = posixpath.normpath(slashed).lstrip("/") + ("/" if slashed.endswith("/") else "")
    found: dict[str, None] = {}
    for text in (form, plain):
        composed = unicodedata.normalize("NFC", text)
        found.update(dict.fromkeys((text, composed, unicodedata.normalize("NFC", composed.casefold()))))
    return tuple(found)


# -------------------------------------------------------------------------------------------------------------- body


class _Pair(NamedTuple):
    """A field of an object."""

    name: str
    value: object


class _Field(NamedTuple):
    """A field that holds a string."""

    name: str
    text: str


def _value(body: bytes) -> object:
    """What a JSON text says; an object is the list of its fields, so that of a name that stands twice both are there.

    Raises:
        ProviderError: it is none.
    """

    def pairs(given: list[tuple[str, object]]) -> list[_Pair]:
        return [_Pair(name, value) for name, value in given]

    try:
        return json.loads(
            str(body, "utf-8"),
            object_pairs_hook=pairs,
            parse_int=_number(int),
            parse_float=_number(float),
            parse_constant=_number(float),
        )
    except (ValueError, RecursionError):
        raise _stopped("its body cannot be read again") from None


def _texts(value: object) -> list[str]:
    """Every string in it, names of fields included, in order."""
    found: list[str] = []
    for one in _leaves(value):
        found += one if isinstance(one, _Field) else (one,)
    return found


def _said(value: object, words: frozenset[str]) -> str:
    """The strings that are none of these words, each on a line of its own, and a short one behind the field's name.

    A value is a password by its name, and that may be the name of an argument.
    """
    lines: list[str] = []
    for one in _leaves(value):
        name, text = one if isinstance(one, _Field) else ("", one)
        if name and name not in words and _ON_ONE_LINE.fullmatch(text):
            lines.append(f'"{name}": "{text}"')
        else:
            lines.extend(part for part in (name, text) if part and part not in words)
    return "\n".join(lines)


def _leaves(value: object) -> Iterator[str | _Field]:
    """The strings in a value, in order; those that a field holds with its name."""
    pending: list[object] = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, _Pair):
            if isinstance(value.value, str):
                yield _Field(value.name, value.value)
            else:
                yield value.name
                pending.append(value.value)
        elif isinstance(value, list):
            pending.extend(cast("list[object]", value)[::-1])


def _number(read: Callable[[str], object]) -> Callable[[str], object]:
    def bounded(text: str) -> object:
        if len(text) > _LONGEST_NUMBER:
            raise ValueError
        return read(text)

    return bounded


def _check_account(
    texts: Sequence[str], payload: ClearedPayload[CompletionRequest], fixed: frozenset[str], watch: Watch
) -> None:
    """Refuses a body with a text that the manifest does not name, or without one that it names."""
    manifest = payload.manifest
    missing: dict[int, list[Sequence[Span]]] = {}
    for spans in manifest.texts:
        missing.setdefault(sum(span.size for span in spans), []).append(spans)
    unnamed: list[str] = []
    for text in texts:
        named = missing.get(len(text), [])
        spans = next((spans for spans in named if _consists_of(text, spans, manifest, watch)), None)
        if spans is not None:
            named.remove(spans)
        elif text and text not in fixed and text not in watch.frames and not _is_own(text, watch):
            unnamed.append(text)
    for spans in (spans for named in missing.values() for spans in named):
        for text in _taken_apart(spans, payload):
            if text in unnamed:
                unnamed.remove(text)
            elif text not in fixed and text not in watch.frames:
                raise _stopped("its body lacks a text that its manifest names")
    if unnamed:
        raise _stopped("its body holds a text that its manifest does not name")


def _is_own(text: str, watch: Watch) -> bool:
    """Whether a text is a name that we gave ourselves: of a call, or of the request to the provider's cache."""
    return text == watch.cache_key or _OWN_ID.fullmatch(text) is not None


def _taken_apart(spans: Sequence[Span], payload: ClearedPayload[CompletionRequest]) -> list[str]:
    """The strings in the arguments of a tool's call: some protocols write them as an object and not as a text.

    Raises:
        ProviderError: a text that does not stand in the body is none of these.
    """
    place = spans[0].place if len(spans) == 1 else None
    if place is not None and 0 <= place < min(len(payload.pieces), len(payload.manifest.items)):
        piece, item = payload.pieces[place], payload.manifest.items[place]
        if item.kind == "tool_call" and digest_of(piece.block.text) == item.sha256:
            return _texts(_value(piece.block.text.encode("utf-8", "replace")))
    raise _stopped("its body lacks a text that its manifest names")


def _consists_of(text: str, spans: Sequence[Span], manifest: Manifest, watch: Watch) -> bool:
    """Whether a text is exactly these stretches."""
    at = 0
    for span in spans:
        if span.size < 0 or not _is_stretch(text[at : at + span.size], span, manifest, watch):
            return False
        at += span.size
    return at == len(text)


def _is_stretch(text: str, span: Span, manifest: Manifest, watch: Watch) -> bool:
    if span.kind == "frame":
        return text in watch.frames or _FENCE.fullmatch(text) is not None
    if span.kind == "words":
        return digest_of(text) in watch.words
    if span.place is None or not 0 <= span.place < len(manifest.items):
        return False
    item = manifest.items[span.place]
    return text == item.title if span.kind == "title" else digest_of(text) == item.sha256


def _check_kept(texts: Sequence[str], kept: Iterable[Piece]) -> None:
    """Refuses a body in which a text stands that must stay."""
    for piece in kept:
        text = sendable(piece.block.text).strip()
        if len(text) >= _TELLING and any(text in there for there in texts):
            raise _stopped(f"it holds the text of `{redacted(shown(piece.path))}`, which must stay")


# ----------------------------------------------------------------------------------------------------------- secrets


def _check_secrets(wire: WireRequest, said: str, texts: Sequence[str], manifest: Manifest, watch: Watch) -> None:
    """Refuses a body or a head with a secret in it.

    The body is searched in one pass, as whoever reads the JSON gets its strings: its escapes would hide a key that is
    broken over lines, and give a block of several lines another fingerprint than the one that the policy allows.
    """
    if secrets_in("\n".join((wire.path, *wire.headers.values())), watch.allowed):
        raise _stopped("its head holds a secret", Code.SECRET_DETECTED)
    found = secrets_in(said, watch.allowed)
    if not found:
        return
    stretches = (stretch for text in texts for stretch in _stretches(text, manifest, watch))
    named = ((name, facts) for name, text in stretches if (facts := secrets_in(text, watch.allowed)))
    name, facts = next(named, ("it", tuple(fact._replace(line=0) for fact in found)))
    raise _stopped(f"{name} {told(facts)}", Code.SECRET_DETECTED)


def _stretches(text: str, manifest: Manifest, watch: Watch) -> Iterator[tuple[str, str]]:
    """A text cut as the manifest says, each stretch with what it is called."""
    spans = next((spans for spans in manifest.texts if _consists_of(text, spans, manifest, watch)), ())
    at = 0
    for span in spans:
        yield _name(span, manifest), text[at : at + span.size]
        at += span.size
    yield "it", text[at:]


def _name(span: Span, manifest: Manifest) -> str:
    return "the task" if span.place is None else f"`{redacted(shown(manifest.items[span.place].path))}`"
