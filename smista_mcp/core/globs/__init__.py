"""Path patterns: gitignore's dialect, relative to the workspace root, parsed once and never able to run away.

`dialect` reads a pattern; `expression` (what matches one path), `places` (the same for a long one) and `automaton`
(what `search` proves about all paths) are all made from what it reads, so that they cannot differ.
"""

from smista_mcp.core.globs.expression import compile_glob
from smista_mcp.core.globs.names import NamePatterns, name_matches
from smista_mcp.core.globs.refusals import refusal
from smista_mcp.core.globs.sets import NEAR, Compiled, GlobSet, folded, folded_octets, literal_segments

__all__ = [
    "NEAR",
    "Compiled",
    "GlobSet",
    "NamePatterns",
    "compile_glob",
    "folded",
    "folded_octets",
    "literal_segments",
    "name_matches",
    "refusal",
]
