"""A parsed pattern as a regular expression that cannot run away.

A directory is written with a `/` at its end. Between two wildcards the leftmost match of a piece of fixed length is as
good as any later one: each piece stands in an atomic group, and matching is linear in the path.
"""

import re
from collections.abc import Callable, Iterable

from smista_mcp.core.globs.dialect import DOUBLE, LAST, CharClass, Glob, Segment, Span, Wild, complement, parse
from smista_mcp.core.globs.folding import caseless, caseless_octets, fold, fold_ascii

_NEVER = r"(?!)"
_END = r"(?=/|\Z)"
Writer = Callable[[str | CharClass], str]
"""How a run of characters or a class is written."""


def _spans(spans: Iterable[Span]) -> str:
    return "".join(
        re.escape(chr(low)) if low == high else f"{re.escape(chr(low))}-{re.escape(chr(high))}" for low, high in spans
    )


def _class(spans: CharClass) -> str:
    if not spans:
        return _NEVER
    if spans[-1][1] == LAST:
        return f"[^{_spans(complement(spans))}]"
    return f"[{_spans(spans)}]"


def as_written(atom: str | CharClass) -> str:
    """With case, character by character."""
    return re.escape(atom) if isinstance(atom, str) else _class(atom)


def without_case(atom: str | CharClass) -> str:
    """For a path that is folded."""
    return re.escape(fold(atom)) if isinstance(atom, str) else _class(caseless(atom))


def by_octets(atom: str | CharClass) -> str:
    """For the octets of a path, without the case of ASCII letters."""
    return re.escape(fold_ascii(atom)) if isinstance(atom, str) else _class(caseless_octets(atom))


def _segment(segment: Segment, write: Writer) -> str:
    """One path segment, matched whole, each piece after a star at its leftmost place."""
    pieces: list[str] = [""]
    for atom in segment:
        if isinstance(atom, Wild):
            pieces.append("")
        else:
            pieces[-1] += write(atom)
    if len(pieces) == 1:
        return pieces[0]
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    if not pieces[-1]:
        return f"{pieces[0]}{middle}[^/]*+"
    return f"(?>{pieces[0]}{middle}[^/]*{pieces[-1]}{_END})"


def expression(glob: Glob, write: Writer = as_written) -> str:
    """For `fullmatch` with DOTALL on a relative path."""
    tail = "(?=/)" if glob.directories else ""
    if glob.floating:
        return _anywhere([_segment(glob.segments[0], write)], tail)
    groups: list[list[str]] = [[]]
    for segment in glob.segments:
        if segment == DOUBLE:
            groups.append([])
        else:
            groups[-1].append(_segment(segment, write))
    text = "/".join(groups[0]) + ("/" if groups[0] and len(groups) > 1 else "")
    for group in groups[1:-1]:
        if group:
            text += f"(?>(?:[^/]*/)*?{'/'.join(group)}/)"
    if len(groups) == 1:
        return f"{text}{tail}(?:/.*)?"
    if groups[-1]:
        return text + _anywhere(groups[-1], tail)
    return text + ("[^/]*/.*" if glob.directories else ".*")


def _anywhere(group: list[str], tail: str) -> str:
    return f"(?>(?:[^/]*/)*?{'/'.join(group)}{tail or _END})(?:/.*)?"


def translate(pattern: str) -> str:
    """The regular expression of a pattern, for `fullmatch` with DOTALL on a relative path."""
    glob = parse(pattern)
    return _NEVER if glob is None else expression(glob)


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Compiles one accepted pattern, with case."""
    return re.compile(translate(pattern), re.DOTALL)
