"""Sets of patterns, small and indexed, by letters and by bytes: each on the one path that tells it from its likes."""

import pytest

from smista_mcp.core.globs import GlobSet, compile_glob, folded_octets, literal_segments, name_matches
from smista_mcp.core.globs.folding import caseless, fold
from smista_mcp.core.globs.search import PathSet, find_path

OTHERS = tuple(f"x{number}/**" for number in range(20))


def answers(pattern: str, path: str, *, ignore_case: bool) -> set[bool]:
    """All answers there are: of a small set, of an indexed one, whether and which."""
    sets = [GlobSet((*more, pattern), ignore_case=ignore_case) for more in ((), OTHERS)]
    return {one.hits(path) for one in sets} | {one.first(path) == pattern for one in sets}


@pytest.mark.parametrize(
    ("pattern", "path", "holds"),
    [
        ("*.tar.gz", "a/x.tar.gz", True),
        ("*.pem", "x.y.pem", True),
        ("README", "README", True),
        ("README", "readme", False),
        ("*.PEM", "a.PEM", True),
        ("*.PEM", "a.pem", False),
        ("??", "\u00e9", False),
        ("secret/??", "secret/\u00e9", False),
        ("a/**", "a/b\nc", True),
        ("a?c", "a\nc", True),
    ],
)
def test_a_set_with_case_counts_letters(pattern: str, path: str, *, holds: bool) -> None:
    assert answers(pattern, path, ignore_case=False) == {holds}


@pytest.mark.parametrize(
    ("pattern", "path", "holds"),
    [
        ("KEY.Pem/**", "key.pem/a", True),
        ("*.PEM", "a.pem", True),
        ("[K]", "k", True),
        ("[k]", "K", True),
        ("??", "\u00e9", True),
        ("??", "\u00e9/a\nb", True),
        ("secret/??", "secret/\u00e9", True),
        ("secret/??", "secret/\U0001f511", False),
        ("A??", "a\u00e9", True),
        ("a??", "A\u00e9", True),
        ("a\t ", "a\t", True),
        ("a\t ", "a", False),
        ("a\\\\  ", "a\\", True),
        ("a\\\\\\  ", "a\\ ", True),
    ],
)
def test_a_set_that_forbids_counts_letters_and_bytes(pattern: str, path: str, *, holds: bool) -> None:
    assert answers(pattern, path, ignore_case=True) == {holds}


def test_the_bytes_of_a_path_are_compared_with_small_letters() -> None:
    assert folded_octets("Ab/C") == "ab/c"
    assert folded_octets("A\u00c9") == "a\u00c3\u0089"


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [("\u00e9/**", {"\u00e9"}), ("a?/b", {"b"}), ("[\u00e9]/b", None), ("*.x", None), ("A/*", {"a"})],
)
def test_only_a_class_beyond_ascii_keeps_a_pattern_from_being_found_by_a_segment(
    pattern: str, literals: set[str] | None
) -> None:
    assert literal_segments([pattern], ignore_case=True) == literals


def test_a_newline_is_a_character_as_any_other() -> None:
    assert compile_glob("a/**").fullmatch("a/b\nc")
    assert name_matches("*b", "a\nb")


@pytest.mark.parametrize("char", ["\u00e9", "\u00c9", "\u0130", "\u03a3"])
def test_a_character_folds_the_same_each_time(char: str) -> None:
    assert fold(char) == fold(char) == fold(fold(char))
    assert len(fold(char)) == 1


@pytest.mark.parametrize(
    ("spans", "point"), [(((0x4B, 0x4B),), 0x6B), (((0x6B, 0x6B),), 0x4B), (((0x41, 0x4B),), 0x6B)]
)
def test_both_ends_of_a_span_are_in_it(spans: tuple[tuple[int, int], ...], point: int) -> None:
    assert any(low <= point <= high for low, high in caseless(spans))


def test_what_may_repeat_goes_on_within_the_bytes_of_a_character() -> None:
    rest = PathSet(["??*"], ignore_case=True)
    found = find_path([rest, PathSet(["?"])], [PathSet(["*/**", "[\x01-\u07ff]"])])
    assert found is not None
    assert len(found) == 1
    assert GlobSet(["??*"], ignore_case=True).hits(found)
    deeper = PathSet(["a??"], ignore_case=True)
    assert find_path([deeper, PathSet(["\u00e9/??"])], [PathSet(["*/*/**"])]) == "\u00e9/a\u00e9"
