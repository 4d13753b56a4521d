"""Path patterns that are well formed and can hardly mean what they say: `suspicious_glob`."""

import re
from collections.abc import Iterator

from smista_mcp.core.checking.pathsets import PathKey, Paths, TooLarge
from smista_mcp.core.findings import Finding, FindingCode, Path, Severity, finding_in
from smista_mcp.core.sources import LayerDocument

_NEEDLESS_ESCAPE = re.compile(r"\\[^\s*?\[\]\\!#{}~/]")
_GLUED_STARS = re.compile(r"[^*/\\]\*\*+|\*\*+[^*/]")


def doubtful_patterns(source: LayerDocument, paths: Paths) -> Iterator[Finding]:
    """Every pattern of a document that deserves a second look, with the first thing that is odd about it."""
    for path, pattern, rules in _patterns(source):
        words = doubt(pattern, paths)
        if words is not None:
            code, severity = FindingCode.SUSPICIOUS_GLOB, Severity.WARNING
            message = f"`{pattern}` {words[0]}"
            yield finding_in(source, path, code, (message, words[1]), severity=severity, rules=rules)


def _patterns(source: LayerDocument) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    document = source.document
    for index, rule in enumerate(document.routing.rules):
        for number, pattern in enumerate(rule.paths or ()):
            yield ("routing", "rules", index, "paths", number), pattern, (rule.name,)
    lists = {
        ("privacy", "restricted_paths"): document.privacy.restricted_paths or (),
        ("privacy", "free_paths"): document.privacy.free_paths,
        ("privacy", "remote", "blocked_paths"): document.privacy.remote.blocked_paths,
    }
    for key, patterns in lists.items():
        for number, pattern in enumerate(patterns):
            yield (*key, number), pattern, ()


def doubt(pattern: str, paths: Paths) -> tuple[str, str] | None:
    """The first thing that is odd about a pattern, and what to write instead; None where nothing is."""
    return _doubt(pattern) or _unmet(pattern, paths)


def _doubt(pattern: str) -> tuple[str, str] | None:
    """What is odd about how a pattern is written, and what to write instead."""
    plain = re.sub(r"(\A|/)(?:\./)+", r"\1", pattern)
    if plain != pattern:
        return "holds `./`, which no path does, and matches nothing", f"write `{plain}`"
    if "//" in pattern:
        return "holds `//`, which no path does, and matches nothing", f"write `{re.sub('/+', '/', pattern)}`"
    if pattern.startswith("#"):
        return "is a comment to git; here it names files that begin with `#`", f"leave it out, or write `\\{pattern}`"
    if pattern.startswith(" ") or re.search(r"(?<!\\) \Z", pattern):
        return "begins or ends with a space, which git leaves out at the end", f"write `{pattern.strip(' ')}`"
    if re.search(r"(?<!\\)(?:\\\\)*\\\Z", pattern):
        plain = pattern[:-1]
        fix = f"write `{plain}`" if plain.strip("/") else "write the path of a file or a folder"
        return "ends with a backslash and matches nothing", fix
    if ", " in pattern:
        return "is one pattern with a comma in it", 'write a list: `["...", "..."]`'
    if pattern.startswith("^") or pattern.endswith("$") or _NEEDLESS_ESCAPE.search(pattern):
        return (
            "reads like a regular expression or a path with backslashes",
            "write `/` between folders, `*` for any name",
        )
    if "/" in pattern.strip("/") and any(map(_GLUED_STARS.search, pattern.split("/"))):
        return "has `**` beside other characters, where it means no more than `*`", "write `**` between slashes"
    return None


def _unmet(pattern: str, paths: Paths) -> tuple[str, str] | None:
    try:
        found = paths.find((PathKey(globs=(pattern,)),))
    except TooLarge:
        return None
    if found is not None:
        return None
    if "[" in pattern:
        return "matches nothing: a `[` is never closed, or holds nothing", "close it, or write `\\[` for the character"
    return "matches nothing that a path can be", "write the path of a file or a folder"
