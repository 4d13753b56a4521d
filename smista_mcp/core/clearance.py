"""The gate by type: it alone makes a `ClearedPayload`, and nothing else goes to a remote model.

It trusts nothing that was decided before it. Every piece is judged anew for the one target, by all forms of its path,
its marks, its label and its text; the hash of the text must be the one that was taken when it was read.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import InitVar, dataclass
from typing import Generic, NamedTuple, NoReturn, TypeVar, final

from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import PathFact
from smista_mcp.core.floor import Floor, Guard, judge
from smista_mcp.core.pieces import OF_PATHS, Part, PartKind, Piece, PieceKind, title_line
from smista_mcp.core.receipt import WithheldItem
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.secretscan import told
from smista_mcp.core.secretscan.memory import Scans
from smista_mcp.core.values import Grant, Label
from smista_mcp.errors import Code, ProviderError

R = TypeVar("R")


class Span(NamedTuple):
    """A stretch of a text for a model, without the text.

    Attributes:
        size: in characters.
        place: of a title or an item, the place of its item in the manifest.
    """

    kind: PartKind
    size: int
    sha256: str
    place: int | None


class ManifestItem(NamedTuple):
    """A piece that is sent, without its text; fields as in `Piece`, the title on one line."""

    title: str
    path: str
    kind: PieceKind
    sha256: str
    forms: tuple[str, ...]
    label: Label | None
    restricted: str | None


class Manifest(NamedTuple):
    """Of what the texts of a request consist, stretch by stretch and in order."""

    items: tuple[ManifestItem, ...]
    texts: tuple[tuple[Span, ...], ...]


_SEAL = object()


@final
@dataclass(frozen=True, slots=True)
class ClearedPayload(Generic[R]):
    """A request that may go to a remote model. `clear` makes it; it never changes.

    Attributes:
        pieces: what it consists of besides the words and our own text.
        withheld: what the gate kept back, and why.
    """

    request: R
    manifest: Manifest
    pieces: tuple[Piece, ...]
    withheld: tuple[WithheldItem, ...]
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a ClearedPayload is made by the gate alone (core.clearance.clear)")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ClearedPayload is neither copied nor stored")


class Bounds(NamedTuple):
    """What holds for every payload of a call.

    Attributes:
        scans: shared by the whole call, so that no text is searched twice.
        released: hashes of derived texts that a person has let go to this target, each for this one text.
    """

    guard: Guard
    scans: Scans
    released: frozenset[str] = frozenset()


class Matter(NamedTuple):
    """What somebody wants to send, as nobody has judged it.

    Attributes:
        words: what the caller wrote.
        pieces: in order.
        named: paths of the phase, with content or without.
        least: the floor of the phase: binding rules stand there.
    """

    words: str
    pieces: Sequence[Piece]
    named: Sequence[PathFact]
    least: Floor


class Built(NamedTuple, Generic[R]):
    """A request made from pieces.

    Attributes:
        pieces: those of the given ones that it holds; `Part.place` counts these.
        texts: every text of it that a model reads, in parts.
        left: given ones that it does not hold, and why.
    """

    request: R
    pieces: tuple[Piece, ...]
    texts: tuple[Sequence[Part], ...]
    left: tuple[WithheldItem, ...] = ()


def clear(matter: Matter, bounds: Bounds, build: Callable[[Sequence[Piece]], Built[R]]) -> ClearedPayload[R]:
    """Judges what is to go to a remote model, and has the request built from what may.

    Args:
        matter: what is to be sent.
        bounds: what holds in this call.
        build: makes the request from the pieces that may go.

    Raises:
        ProviderError: something that is needed may not go: `restricted_content`, `secret_detected`, or
            `model_not_allowed` where the policy denies remote models. Nothing was sent.
    """
    _check_phase(matter, bounds)
    _check_words(matter, bounds)
    cleared: list[Piece] = []
    kept: list[WithheldItem] = []
    for piece in matter.pieces:
        found = _objection(piece, matter.least, bounds)
        if found is None:
            cleared.append(piece)
        elif piece.required:
            raise _refusal(found.code, f"`{redacted(shown(piece.path))}` {found.reason}")
        else:
            kept.append(WithheldItem(path=piece.path, reason=found.reason))
    built = build(cleared)
    known = set(map(id, cleared))
    if not all(id(piece) in known for piece in built.pieces):
        raise _refusal(Code.RESTRICTED_CONTENT, "the request holds what was not cleared")
    return ClearedPayload(
        built.request, manifest_of(built.pieces, built.texts), built.pieces, (*kept, *built.left), seal=_SEAL
    )


def manifest_of(pieces: Iterable[Piece], texts: Iterable[Sequence[Part]]) -> Manifest:
    """The manifest of a request: an item's hash is the recorded one, that of any other stretch is taken here."""
    items = tuple(
        ManifestItem(title_line(p.block.title), p.path, p.kind, p.sha256, p.forms, p.label, p.restricted)
        for p in pieces
    )

    def span(part: Part) -> Span:
        known = part.kind == "item" and part.place is not None and 0 <= part.place < len(items)
        sha256 = items[part.place].sha256 if known and part.place is not None else digest_of(part.text)
        return Span(part.kind, len(part.text), sha256, part.place)

    return Manifest(items, tuple(tuple(map(span, parts)) for parts in texts))


class _Objection(NamedTuple):
    code: Code
    reason: str


def _check_phase(matter: Matter, bounds: Bounds) -> None:
    least = matter.least
    if bounds.guard.remote_mode is Grant.DENY:
        raise _refusal(Code.MODEL_NOT_ALLOWED, 'the policy says `[privacy.remote] mode = "deny"`')
    if least.local:
        raise _refusal(least.code, "; ".join(least.reasons[:3]))
    for path in matter.named:
        if path.required and (why := judge(bounds.guard, path.forms or (path.path,))):
            raise _refusal(Code.RESTRICTED_CONTENT, f"`{redacted(shown(path.path))}` is {why}")


def _check_words(matter: Matter, bounds: Bounds) -> None:
    found = bounds.scans.of(matter.words, digest_of(matter.words))
    if found:
        raise _refusal(Code.SECRET_DETECTED, f"the task {told(found)}")


def _objection(piece: Piece, least: Floor, bounds: Bounds) -> _Objection | None:
    """Why a piece must not go; None where it may."""
    let_go = piece.sha256 in bounds.released and piece.kind not in OF_PATHS
    if piece.label and not let_go:
        why = "was made from restricted content" if piece.label == "restricted" else "is kept here by a local_only rule"
        return _Objection(Code.RESTRICTED_CONTENT, why)
    why = judge(bounds.guard, piece.forms)
    if why and not (let_go and not any(map(bounds.guard.blocked.hits, piece.forms))):
        return _Objection(Code.RESTRICTED_CONTENT, why)
    if piece.kind in OF_PATHS and not piece.forms:
        return _Objection(Code.RESTRICTED_CONTENT, "restricted: nobody knows where it comes from")
    if digest_of(piece.block.text) != piece.sha256:
        return _Objection(Code.RESTRICTED_CONTENT, "is not the text that was read")
    names = f"{piece.path}\n{piece.block.title}"
    found = bounds.scans.of(piece.block.text, piece.sha256)
    named = tuple(fact._replace(line=0) for fact in bounds.scans.of(names, digest_of(names)))
    code = Code.SECRET_DETECTED if found or named else Code.RESTRICTED_CONTENT
    if piece.restricted:
        return _Objection(code, piece.restricted)
    if found or named:
        return _Objection(code, told((*dict.fromkeys(named), *found)))
    why = None if piece.place is None else least.withheld.get(piece.place)
    return _Objection(Code.RESTRICTED_CONTENT, why) if why else None


def _refusal(code: Code, why: str) -> ProviderError:
    return ProviderError(f"must stay on this machine: {why}", code=code)
