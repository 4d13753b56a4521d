"""What a name may mean that is not known to be relative to the root: the label of an attachment, a name in a diff.

The content is there already, so nothing is looked for: every way to read the name is judged.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

from smista_mcp.context.paths import Place, Tree
from smista_mcp.context.spelling import alike, spellings

UNPLACED = "(cannot be placed in the workspace)"
"""Stands in place of a pattern for what cannot be judged by its name."""

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?://[^/]*)?(?P<path>.*)", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_THERE = ("file", "directory")
_WEB = frozenset({"http", "https"})
_AROUND = " \t\r\n\"'`<>"
_MOST_READINGS = 64
_MOST_SEGMENTS = 64


def label(tree: Tree, written: str, home: str) -> Place:
    """Understands the name under which a content came.

    Args:
        tree: the names below the root.
        written: what the host wrote.
        home: what `~` stands for; empty where that is not known.

    Returns:
        The place it most likely names, with the forms of all ways to read it; `unjudged` where it may lie outside.
    """
    texts = _readings(written, home)
    places = [tree.locate(text) for text in texts]
    best = next((place for place in places if place.kind in _THERE), None)
    chosen = best or tree.place(written)
    if chosen.kind not in _THERE and not written.strip(_AROUND).endswith(("/", "\\")):
        chosen = chosen._replace(path=chosen.path.rstrip("/") or chosen.path)  # what came is one text, not a folder
    forms: dict[str, None] = dict.fromkeys(chosen.forms)
    for text, place in zip(texts, places, strict=True):
        forms.update(dict.fromkeys(place.forms))
        if place.kind not in _THERE:
            forms.update(dict.fromkeys(endings(text)))
    told = best is not None or tree.root is None or not any(map(_leads_out, texts, places))
    unjudged = "" if told and len(texts) < _MOST_READINGS and not _is_unsure(written) else UNPLACED
    doubts = (unjudged, *(place.unjudged for place in (chosen, *places)))
    return chosen._replace(forms=tuple(forms), unjudged=next(filter(None, doubts), ""))


def elsewhere(tree: Tree, name: str, place: Place, above: str) -> tuple[tuple[str, ...], str]:
    """Further forms of a name in a diff, which may be relative to a folder above the root or beside it.

    A file that exists below the root is taken for that one, and for the one that its name means from the git top.

    Args:
        tree: the names below the root.
        name: without prefix or with one that is not known.
        place: where the name leads from the root.
        above: the root's own name from the git top, with `/` at the end; empty where the root is the top.

    Returns:
        The forms, and what stands in place of a pattern where they are not all.
    """
    forms: dict[str, None] = {}
    if above and name.startswith(above):
        forms.update(dict.fromkeys(tree.locate(name.removeprefix(above)).forms))
    if place.kind not in _THERE:
        forms.update(dict.fromkeys(endings(name)))
    return tuple(forms), UNPLACED if _is_unsure(name) else ""


def endings(name: str) -> Iterable[str]:
    """A name without its first segment, without its first two, and so on, each in every text that is taken for it."""
    for text in alike(name):
        parts = [part for part in text.split("/") if part not in ("", ".")]
        for first in range(max(0, len(parts) - _MOST_SEGMENTS), len(parts)):
            yield "/".join(parts[first:])


def _leads_out(text: str, place: Place) -> bool:
    return place.kind not in ("missing", "unrooted") or bool(_DRIVE.match(text))


def _is_unsure(name: str) -> bool:
    """Whether a name is too deep to be read in every way, or has lost a byte that was no UTF-8."""
    return name.count("/") >= _MOST_SEGMENTS or "\ufffd" in name


def _readings(written: str, home: str) -> list[str]:
    """Every text that a label may stand for, as written first."""
    found = {written: None}
    pending = [written]
    while pending and len(found) < _MOST_READINGS:
        for text in _steps(pending.pop(0), home):
            if text and text not in found:
                found[text] = None
                pending.append(text)
    return list(found)


def _steps(text: str, home: str) -> Iterable[str]:
    """What a text says behind one thing that may be written around or before a path."""
    yield text.strip(_AROUND)
    yield text.replace("\\", "/")
    yield from (spelling.text for spelling in spellings(text))
    yield from (text.partition(mark)[0] for mark in "?#")
    behind = text.partition(":")[2]
    yield "" if behind.startswith("/") else behind  # `origin/main:src/x`
    if "%" in text:
        yield unquote(text)
    if home and text.startswith("~/"):
        yield home + text[1:]
    address = _ADDRESS.match(text)
    if address:
        path = address["path"]
        yield path.lstrip("/") if address["scheme"].casefold() in _WEB else path
