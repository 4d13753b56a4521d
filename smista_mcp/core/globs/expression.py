"""A parsed pattern as a regular expression that cannot run away.

A directory is written with a `/` at its end. Between two wildcards the leftmost match of a piece of fixed length is as
good as any later one: each piece stands in an atomic group, and matching is linear in the path.
"""

import re
from collections.abc import Callable, Iterable

from smista_mcp.core.globs.dialect import DOUBLE, LAST, CharClass, Glob, Segment, Span, Wild, complement, meanings
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


def segment_expression(segment: Segment, write: Writer) -> str:
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


def expression(globs: Iterable[Glob], write: Writer = as_written) -> str:
    """What matches where any of the patterns does; for `fullmatch` with DOTALL on a relative path.

    All that may begin in any segment is looked for in one walk over the segments.
    """
    anywhere: list[str] = []
    found: list[str] = []
    for glob in globs:
        groups = _groups(glob, write)
        if not groups[0] and len(groups) == 2 and groups[1]:
            anywhere.append(_last_group(groups[1], directories=glob.directories))
        else:
            found.append(_anchored(groups, directories=glob.directories))
    if anywhere:
        found.append(_anywhere("|".join(anywhere)))
    return "|".join(found) or _NEVER


def _groups(glob: Glob, write: Writer) -> list[list[str]]:
    """The segments between each two `**`; the first group stands at the root."""
    groups: list[list[str]] = [[], []] if glob.floating else [[]]
    for segment in glob.segments:
        if segment == DOUBLE:
            groups.append([])
        else:
            groups[-1].append(segment_expression(segment, write))
    return groups


def _anchored(groups: list[list[str]], *, directories: bool) -> str:
    if len(groups) == 1:
        return f"{'/'.join(groups[0])}{'(?=/)' if directories else ''}(?:/.*)?"
    text = "/".join(groups[0]) + ("/" if groups[0] else "")
    for group in groups[1:-1]:
        if group:
            text += f"(?>(?:[^/]*/)*?{'/'.join(group)}/)"
    if groups[-1]:
        return text + _anywhere(_last_group(groups[-1], directories=directories))
    return text + ("[^/]*/.*" if directories else ".*")


def _last_group(group: list[str], *, directories: bool) -> str:
    return "/".join(group) + ("(?=/)" if directories else _END)


def _anywhere(alternatives: str) -> str:
    return f"(?>(?:[^/]*/)*?(?:{alternatives}))(?:/.*)?"


def translate(pattern: str) -> str:
    """The regular expression of a pattern, for `fullmatch` with DOTALL on a relative path."""
    return expression(meanings(pattern, forbidding=False))


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Compiles one accepted pattern, with case."""
    return re.compile(translate(pattern), re.DOTALL)
