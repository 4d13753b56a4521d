"""What is proven about all paths, against all short paths there are."""

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.core.globs import GlobSet, refusal
from smista_mcp.core.globs.search import PathSet, SearchTooLarge, find_path, includes

_LONGEST = 6


def _is_a_file(path: str) -> bool:
    return not {"", ".", ".."} & set(path.split("/"))


SHORT = [
    path
    for length in range(1, _LONGEST + 1)
    for path in map("".join, itertools.product("ab./", repeat=length))
    if _is_a_file(path)
]
_PIECES = ["a", "b", ".", "*", "**", "/", "/", "?", "[ab]", "[!a]", "[.-b]", "**/", "/**", "/**/", "a*", "\\a", "a**/"]


def _pattern(rng: random.Random) -> str:
    while True:
        pattern = "".join(rng.choice(_PIECES) for _ in range(rng.randint(1, 6)))
        if refusal(pattern) is None:
            return pattern


def _brute(inside: Sequence[GlobSet], outside: Sequence[GlobSet]) -> str | None:
    return next(
        (p for p in SHORT if all(one.hits(p) for one in inside) and not any(one.hits(p) for one in outside)), None
    )


@pytest.mark.parametrize("caseless", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_path_is_found_where_there_is_one_and_it_is_a_shortest(seed: int, *, caseless: bool) -> None:
    rng = random.Random(seed)  # noqa: S311
    without = 0
    for _ in range(60):
        lists = [[_pattern(rng) for _ in range(rng.randint(1, 2))] for _ in range(rng.randint(1, 4))]
        cut = rng.randint(0, len(lists))
        sets = [PathSet(one, ignore_case=caseless) for one in lists]
        globs = [GlobSet(one, ignore_case=caseless) for one in lists]
        found = find_path(sets[:cut], sets[cut:])
        brute = _brute(globs[:cut], globs[cut:])
        if found is None:
            without += 1
            assert brute is None, lists
            continue
        assert _is_a_file(found), found
        assert all(one.hits(found) for one in globs[:cut]), (lists, found)
        assert not any(one.hits(found) for one in globs[cut:]), (lists, found)
        if brute is not None:
            assert len(found) <= len(brute), (lists, found, brute)
        if set(found) <= set("ab./") and len(found) <= _LONGEST:
            assert brute is not None, (lists, found)
            assert len(found) == len(brute), (lists, found, brute)
    assert 5 <= without <= 55


@pytest.mark.parametrize(
    ("inside", "outside", "path"),
    [
        (["src/**", "*.rs"], [], "src/.rs"),
        (["src/*.rs", "src/a*"], [], "src/a.rs"),
        ([], [], "a"),
        ([], ["*"], None),
        (["src/**"], ["src/*", "src/*/**"], None),
        (["*.py"], ["src/**"], ".py"),
        (["src/a/**"], ["src/b/**"], "src/a/a"),
        (["src/a/**", "src/b/**"], [], None),
        (["*.pem"], ["*.pem/"], ".pem"),
        (["*.pem/"], [], ".pem/a"),
        (["?"], ["[a-z]"], "0"),
        (["?"], ["[a-z0-9]"], "A"),
        (["[é]"], [], "é"),
        (["[\n]"], [], "\n"),
        (["[\n\u00e9]"], [], "é"),
        (["[\t\n]"], [], "\t"),
        (["."], [], None),
        (["..", "*"], [], None),
        (["./a"], [], None),
        (["a//b"], [], None),
        (["a/**/b"], ["a/b", "a/*/b"], "a/a/a/b"),
        (["a**/b"], ["a*/b"], None),
        (["a"], ["A"], "a"),
    ],
)
def test_the_witness_is_short_then_readable(inside: list[str], outside: list[str], path: str | None) -> None:
    assert find_path([PathSet([one]) for one in inside], [PathSet([one]) for one in outside]) == path


@pytest.mark.parametrize(
    ("outer", "inner", "holds"),
    [
        (["**/*.py"], ["src/*.py"], True),
        (["src/*.py"], ["**/*.py"], False),
        (["src"], ["src/**"], True),
        (["src/**"], ["src"], False),
        (["*.[ch]"], ["*.c", "*.h"], True),
        (["a*"], ["a*b*c"], True),
        (["*.env"], ["*.ENV"], False),
    ],
)
def test_a_set_includes_another(outer: list[str], inner: list[str], *, holds: bool) -> None:
    assert includes(PathSet(outer), PathSet(inner)) is holds


@pytest.mark.parametrize(
    ("outer", "inner", "holds"),
    [
        (["*.env"], ["*.ENV"], True),
        (["k"], ["\u212a"], True),
        (["schl\u00fcssel"], ["schlu\u0308ssel"], False),  # a pattern forbids its NFC form too, which is `outer`
        (["schlu\u0308ssel"], ["schl\u00fcssel"], True),
        (["ab*"], ["a**/b"], False),  # some releases of git let it cross
        (["a "], ["a"], True),
    ],
)
def test_what_forbids_holds_in_each_of_its_meanings(outer: list[str], inner: list[str], *, holds: bool) -> None:
    assert includes(PathSet(outer, ignore_case=True), PathSet(inner, ignore_case=True)) is holds
    assert includes(PathSet(outer, ignore_case=True), PathSet(inner)) is True or not holds


def test_what_forbids_counts_bytes_as_git_does() -> None:
    binding = PathSet(["caf??"], ignore_case=True)
    assert find_path([binding, PathSet(["caf?"])], [PathSet(["*/**"])]) == "caf\u00a1"
    assert find_path([PathSet(["caf??"]), PathSet(["caf?"])], [PathSet(["*/**"])]) is None
    assert find_path([PathSet(["??"], ignore_case=True), PathSet(["?"])], [PathSet(["[\x80-\u07ff]", "*/**"])]) is None


@pytest.mark.parametrize(
    ("forbids", "also", "without", "path"),
    [
        ("A??", ["a?"], ["*/**", "[!a]*"], "a\u00a1"),
        ("s??", [], [], "saa"),
        ("x[\u00e9]", [], ["x[\u00e9\u00c9]", "X*"], "x\udc80"),
    ],
)
def test_a_witness_by_bytes_is_found_where_there_is_no_other(
    forbids: str, also: list[str], without: list[str], path: str
) -> None:
    inside = [PathSet([forbids], ignore_case=True), *(PathSet([one]) for one in also)]
    assert find_path(inside, [PathSet(without)]) == path


def test_an_entangled_search_says_that_it_gives_up() -> None:
    sets = [PathSet([f"*{letter}{'?' * 40}x"]) for letter in "abc"]
    with pytest.raises(SearchTooLarge):
        find_path(sets, [PathSet(["*x"])], most_states=2000)


_TEXT = st.text(alphabet="aAbkK./*?[]!^-\\: \u00e9\u00c9\u017f\u212a\u0130\u00df\n\udc80", max_size=12)
_PATH = st.text(alphabet="aAbkK./*]-\\: \u00e9\u00c9\u017f\u0130e\u0301\n\udc80\U0001f511", min_size=1, max_size=9)


@settings(max_examples=500)
@given(st.lists(_TEXT, min_size=1, max_size=2), _PATH.filter(_is_a_file), st.booleans())
def test_automaton_and_expression_agree(patterns: list[str], path: str, caseless: bool) -> None:
    exactly = PathSet(["".join(f"[{c}]" if c not in "!^]\\\n/" else f"\\{c}" if c != "/" else "/" for c in path)])
    globs = GlobSet([pattern for pattern in patterns if refusal(pattern) is None], ignore_case=caseless)
    made = PathSet(globs.patterns, ignore_case=caseless)
    if "/" not in path:
        exactly = PathSet([f"**/{exactly.patterns[0]}"])
    found = find_path([exactly, made], [PathSet([exactly.patterns[0] + "/"]), PathSet(["*/" + exactly.patterns[0]])])
    assert (found == path) is globs.hits(path)


_GLOB = st.lists(st.sampled_from([*_PIECES, "A", "é", "[é-ü]"]), min_size=1, max_size=5).map("".join)
_ACCEPTED = _GLOB.filter(lambda pattern: refusal(pattern) is None)


@given(_ACCEPTED, _ACCEPTED, _ACCEPTED)
def test_inclusion_is_an_order_that_joining_respects(one: str, two: str, three: str) -> None:
    first, second, third = PathSet([one]), PathSet([two]), PathSet([three])
    assert includes(first, first)
    assert includes(PathSet([one, two]), first)
    if includes(first, second) and includes(second, third):
        assert includes(first, third)


@given(_ACCEPTED, _ACCEPTED)
def test_meeting_is_mutual_and_what_meets_is_no_part_of_the_rest(one: str, two: str) -> None:
    first, second = PathSet([one]), PathSet([two])
    here, there = find_path([first, second]), find_path([second, first])
    assert (here is None) is (there is None)
    assert here is None or there is None or len(here) == len(there)
    if here is None:
        assert find_path([first]) is None or not includes(second, first)
    else:
        assert find_path([PathSet([one, two])], [first, second]) is None


@given(_ACCEPTED)
def test_a_pattern_that_forbids_holds_wherever_it_matches(pattern: str) -> None:
    assert includes(PathSet([pattern], ignore_case=True), PathSet([pattern]))


@given(_ACCEPTED, _PATH)
def test_a_pattern_that_forbids_is_blind_to_the_case_of_a_path(pattern: str, path: str) -> None:
    forbids = GlobSet([pattern], ignore_case=True)
    ascii_case = str.maketrans({chr(c): chr(c ^ 32) for c in (*range(65, 91), *range(97, 123))})
    assert forbids.hits(path) is forbids.hits(path.translate(ascii_case))
    assert forbids.hits(path) or not GlobSet([pattern]).hits(path)
