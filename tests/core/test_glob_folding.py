"""Case: one character stands for all that differ by it alone."""

import re
import sys

from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.globs.folding import caseless, fold, variants

_CHARACTERS = [chr(point) for point in range(sys.maxunicode + 1)]
_CASED = [c for c in _CHARACTERS if fold(c) != c or c.lower() != c or c.upper() != c]


def test_whatever_regular_expressions_take_for_one_without_case_folds_to_one() -> None:
    pairs = 0
    for char in _CASED:
        for other in {char.lower(), char.upper(), char.title(), char.casefold()}:
            if len(other) == 1 and re.fullmatch(re.escape(other), char, re.IGNORECASE):
                pairs += 1
                assert fold(char) == fold(other), (char, other)
    assert pairs > 2500


def test_folding_is_done_at_once_and_keeps_the_length() -> None:
    for char in _CHARACTERS:
        once = fold(char)
        assert len(once) == 1, char
        assert fold(once) == once, char


def test_the_variants_of_a_character_are_all_that_fold_as_it_does() -> None:
    families: dict[str, set[int]] = {}
    for char in _CHARACTERS:
        families.setdefault(fold(char), set()).add(ord(char))
    for char in _CASED:
        assert set(variants(char)) == families[fold(char)], char


_SPAN = st.tuples(st.sampled_from([*range(40, 128), 0x130, 0x17F, 0xE9, 0x212A]), st.integers(0, 400))


@given(st.lists(_SPAN, max_size=3), st.sampled_from([*map(chr, range(40, 600)), "\u212a", "\u2126", "\U00010400"]))
def test_a_class_without_case_holds_what_folds_as_one_of_it(starts: list[tuple[int, int]], char: str) -> None:
    spans = tuple(sorted((low, low + more) for low, more in starts))
    folded = {fold(chr(point)) for low, high in spans for point in range(low, high + 1)}
    assert any(low <= ord(char) <= high for low, high in caseless(spans)) is (fold(char) in folded)
