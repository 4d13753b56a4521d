"""Long paths: the same answers as by regular expressions, in steps that no pattern and path can make many."""

import random
import re
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import pytest
from hostile_shapes import SHAPES, Shape, mutated

from smista_mcp.core.globs import NEAR, Compiled, GlobSet, folded, folded_octets, places, refusal, sets
from smista_mcp.core.globs.dialect import Glob, meanings, octet_meanings
from smista_mcp.core.globs.expression import Writer, as_written, by_octets, expression, without_case
from smista_mcp.core.globs.places import AS_WRITTEN, BY_OCTETS, WITHOUT_CASE, Form, Steps
from smista_mcp.core.matching import Conditions, MatchRequest, RuleIndex

SMALL, LARGE = 1_024, 4_096

_PIECES = [
    *("a", "b", "/", "/", "ab", "aaa", "é", "k", "\\a", "a ", "\U0001f511"),
    *("*", "**", "?", "**/", "/**", "/**/", "**/**/", "a*", "*a", "a/", "*/", "a**/", "*a*/"),
    *("[ab]", "[!a]", "[é-ü]", "[!é]", "[k-z]", "[[:alpha:]]", "[\U0001f511]", "[b-a]"),
]
_PARTS = ["a", "a", "b", "/", "a/", "ab", "é", "/a", "ab/", "K", "\u212a", "//", "\udcc3", "\U0001f511"]


def _pattern(rng: random.Random) -> str:
    while True:
        parts = ("".join(rng.choices(_PIECES, k=rng.randint(1, 4))) * rng.choice((1, 1, 2, 9, 40, 90)) for _ in "abc")
        pattern = "".join(parts)[: rng.choice((8, 40, 300, 900))]
        if refusal(pattern) is None:
            return pattern


def _path(rng: random.Random, pattern: str) -> str:
    if rng.random() < 0.2:
        stars = rng.choice(("", "a", "/a", "b/a/"))
        return re.sub(r"\[[^]]*\]", "a", pattern).replace("**", "*").replace("*", stars).replace("?", "a")[:2000]
    parts = ("".join(rng.choices(_PARTS, k=rng.randint(1, 5))) * rng.choice((1, 3, 30, 200)) for _ in "abc")
    return "".join(parts)[: rng.choice((20, 300, 1500))]


def _by_expression(globs: Iterable[Glob], write: Writer) -> Callable[[str], object]:
    return re.compile(expression(globs, write), re.DOTALL).fullmatch


def _as_written(pattern: str) -> tuple[Glob, ...]:
    return meanings(pattern, forbidding=False)


def _forbidding(pattern: str) -> tuple[Glob, ...]:
    return meanings(pattern, forbidding=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("read", "write", "form", "in_form"),
    [
        (_as_written, as_written, AS_WRITTEN, str),
        (_forbidding, without_case, WITHOUT_CASE, folded),
        (octet_meanings, by_octets, BY_OCTETS, folded_octets),
    ],
)
def test_steps_and_expressions_match_the_same_paths(
    read: Callable[[str], tuple[Glob, ...]], write: Writer, form: Form, in_form: Callable[[str], str], seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311
    met = missed = 0
    for _ in range(200):
        pattern = _pattern(rng)
        for glob in read(pattern):
            steps, matches = Steps(glob, form), _by_expression((glob,), write)
            for path in (in_form(_path(rng, pattern)) for _ in range(8)):
                matched = matches(path) is not None
                assert steps.matches(path) is matched, (pattern, path)
                met += matched
                missed += not matched
    assert min(met, missed) > 50


@pytest.mark.parametrize("before", ["", "**/", "*/", "**/a*/**/"])
@pytest.mark.parametrize("times", [60, 64, 90, 130, 300])
@pytest.mark.parametrize("width", [3, 9, 20])
def test_segments_that_a_pattern_repeats_are_read_to_the_end(before: str, times: int, width: int) -> None:
    segment = "a" * width
    pattern = before + f"{segment[1:]}?/" * times + "b*"
    for count in (times - 1, times, times + 1, times + 40):
        for start in ("", "c/", "a/b/"):
            path = start + f"{segment}/" * count + "b"
            matched = _by_expression(meanings(pattern, forbidding=False), as_written)(path) is not None
            assert GlobSet([pattern]).hits(path) is matched


_LONG = "x/" * NEAR


@pytest.mark.parametrize(
    ("pattern", "end", "with_case", "forbids"),
    [
        ("*.PEM", "a.pem", False, True),
        ("*.pem", "a.pem", True, True),
        ("??", "é", False, True),
        ("x/**/[é]", "É", False, True),
        ("**/b**/c", "b/d/c", False, True),
        ("x/**/b/c", "b/d/c", False, False),
        ("b/", "b", False, False),
        ("b/", "b/", True, True),
        ("b/", "b/c", True, True),
        ("x/**/b/**", "b/", True, True),
        ("straße", "STRAẞE", False, True),
    ],
)
@pytest.mark.parametrize("more", [(), tuple(f"y{number}/**" for number in range(20))])
def test_a_long_path_is_judged_as_a_short_one(
    pattern: str, end: str, more: tuple[str, ...], *, with_case: bool, forbids: bool
) -> None:
    for path in ("x/" + end, _LONG + end):
        for ignore_case, holds in ((False, with_case), (True, forbids)):
            found = GlobSet((*more, pattern), ignore_case=ignore_case)
            assert found.hits(path) is holds
            assert found.first(path) == (pattern if holds else None)
            index = RuleIndex([Conditions(paths=(pattern,))], ignore_case=ignore_case)
            assert index.first(MatchRequest("edit", "edit", None, ["y", path])) == (0 if holds else None)


@pytest.mark.parametrize("length", [NEAR - 1, NEAR, NEAR + 1])
def test_expressions_are_asked_for_short_paths_alone(length: int) -> None:
    one = Compiled(["a*"])
    path = "a" * length
    assert one.text(path) is not None
    assert one.far(path)
    assert GlobSet(["a*"]).hits(path)
    assert not GlobSet(["a*b"]).hits(path)


class _Work:
    """Counts the steps that are taken for one answer; each is a few operations on integers as long as the path."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        self._taken = places.taken
        self._patch = monkeypatch

    def counted(self, steps: list[int], reached: int, window: object) -> int:
        self.steps += len(steps)
        return self._taken(steps, reached, window)  # pyright: ignore[reportArgumentType]

    def of(self, shape: Shape, size: int) -> int:
        self._patch.setattr(places, "taken", self.counted)
        self.steps = 0
        GlobSet([shape.pattern(size)], ignore_case=True).hits(shape.path(size))
        return self.steps


def _globs(pattern: str) -> int:
    return len(meanings(pattern, forbidding=True)) + len(octet_meanings(pattern))


def test_no_pattern_and_path_take_more_steps_than_they_have_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    work = _Work(monkeypatch)
    rng = random.Random(1)  # noqa: S311
    shapes = list(SHAPES.values())
    stepped = 0
    for _ in range(150):
        shapes.append(mutated(rng, rng.choice(shapes)))
        shape = shapes[-1]
        pattern, path = shape.pattern(LARGE), shape.path(LARGE)
        if refusal(pattern) is not None:
            continue
        steps = work.of(shape, LARGE)
        stepped += steps > LARGE // 4
        assert steps <= _globs(pattern) * (2 * len(pattern) + len(path.encode()) // 4), shape
    assert stepped > 20


@pytest.mark.parametrize("name", SHAPES)
def test_steps_grow_as_pattern_and_path_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = _Work(monkeypatch)
    small, large = (work.of(SHAPES[name], size) for size in (SMALL, LARGE))
    assert large <= 4.5 * max(small, 64)


def test_no_expression_is_asked_for_a_long_path(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def compiled(expression: str, flags: int) -> SimpleNamespace:
        matches = re.compile(expression, flags).fullmatch

        def fullmatch(path: str) -> object:
            asked.append(path)
            return matches(path)

        return SimpleNamespace(fullmatch=fullmatch)

    monkeypatch.setattr(sets, "re", SimpleNamespace(compile=compiled, DOTALL=re.DOTALL))
    for pattern in (shape.pattern(SMALL) for shape in SHAPES.values()):
        for more in ((), tuple(f"y{number}/**" for number in range(20))):
            found = GlobSet((*more, pattern), ignore_case=True)
            rules = RuleIndex([Conditions(paths=(pattern,))], ignore_case=True)
            for path in (shape.path(SMALL) for shape in SHAPES.values()):
                assert found.hits(path) is (found.first(path) is not None)
                assert rules.first(MatchRequest("edit", "edit", None, [path])) in (0, None)
    assert not asked
    assert GlobSet(["a*"], ignore_case=True).hits("abc")
    assert asked == ["abc"]
