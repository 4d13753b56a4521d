"""Laws of patches: whatever a model miscounts, the patch applies with git and gives exactly the edited file."""

import re
from collections.abc import Sequence
from difflib import unified_diff
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from patch_shop import Shop, patch_of

from smista_mcp.context.patches.applying import applied
from smista_mcp.context.patches.diffs import read_file_diff
from smista_mcp.context.patches.making import Made, NotMade
from smista_mcp.context.patches.sheets import Sheet, split_lines
from smista_mcp.context.patches.writing import Side, file_diff

WORDS = st.text(alphabet="ab-+ @\\\t#é`", max_size=8)
ENDS = st.sampled_from(["\n", "\n", "\r\n"])


@st.composite
def files(draw: st.DrawFn) -> tuple[list[str], list[str], bool]:
    """Lines that differ from each other, the same after an edit, and whether the file ends with a line end."""
    old = [f"{draw(WORDS)}{place}" for place in range(draw(st.integers(1, 40)))]
    new: list[str] = []
    for place, line in enumerate(old):
        what = draw(st.sampled_from(["keep"] * 6 + ["drop", "change", "add"]))
        new += [line] if what in ("keep", "add") else []
        new += [f"{draw(WORDS)}n{place}"] if what in ("change", "add") else []
    return old, new, draw(st.booleans())


def miscounted(diff: Sequence[str], figures: Sequence[int]) -> str:
    """A diff with other figures in its headers."""
    wrong = cycle(figures)

    def header(line: str) -> str:
        return re.sub(r"[0-9]+", lambda _: str(next(wrong)), line) if line.startswith("@@") else line

    return "\n".join(header(line) for line in diff)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files(), ENDS, st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 5))
def test_a_diff_with_wrong_figures_gives_exactly_the_edited_file(
    pair: tuple[list[str], list[str], bool], end: str, figures: list[int], around: int
) -> None:
    old, new, ended = pair
    assume(old != new and new and (len(old) > 1 or ended))  # else no line says how the file ends its lines
    diff = list(unified_diff(old, new, "a/x.txt", "b/x.txt", lineterm="", n=around))
    before = end.join(old) + (end if ended else "")
    inner = new[-1] in old[:-1]  # an inner line that is the last one now keeps its end: nothing says otherwise
    after = end.join(new) + (end if ended or inner else "")
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder)).repository()
        shop.write("x.txt", before)
        made = patch_of(shop.made(f"Done:\n```diff\n{miscounted(diff, figures)}\n```\n"))
        assert made.after == {"x.txt": after}
        assert made.words == "Done:"
        shop.apply(made.patch)
        assert shop.files() == {"x.txt": after}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["", "a", "b", "  a", "}"]), max_size=30), st.data())
def test_right_line_numbers_find_the_place_where_lines_repeat(old: list[str], data: st.DataObject) -> None:
    new = [line for line in old for _ in range(data.draw(st.sampled_from([0, 1, 1, 1, 1, 2])))]
    assume(old != new)
    diff = list(unified_diff(old, new, "a/x", "b/x", lineterm=""))
    sheet = Sheet("".join(f"{line}\n" for line in old))
    figures = data.draw(st.integers(0, 9))
    spoiled = [re.sub(r",[0-9]+", f",{figures}", line) if line.startswith("@@") else line for line in diff]
    sheet.lay(read_file_diff(spoiled, 0, fenced=True).change.hunks)
    assert sheet.text() == "".join(f"{line}\n" for line in new)


TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "\n", "a\r\n", "c"]), max_size=12).map("".join)


@given(TEXTS, TEXTS)
def test_what_is_written_applies_strictly_and_gives_the_whole_new_text(old: str, new: str) -> None:
    sheet = Sheet(old)
    rows = [(line, None) for line in split_lines(new)]
    diff = file_diff(Side("x"), Side("x"), sheet.old, rows)
    assert applied(old, diff) == new
    assert (diff == "") == (old == new)


@settings(max_examples=20, deadline=None)
@given(TEXTS, TEXTS)
def test_git_takes_what_is_written(old: str, new: str) -> None:
    assume(old != new and old and new)
    diff = file_diff(Side("x y"), Side("x y"), split_lines(old), [(line, None) for line in split_lines(new)])
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        shop.write("x y", old)
        shop.apply(diff)
        assert shop.files() == {"x y": new}


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab\n-+ @`*#/.<=>~", max_size=300))
def test_no_answer_raises_and_what_is_made_applies(answer: str) -> None:
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder), environ={"PATH": ""})
        shop.write("a", "a\nb\n")
        made = shop.made(f"--- a\n+++ a\n@@\n{answer}", single="a")
        assert isinstance(made, Made | NotMade)
        if isinstance(made, Made):
            assert not made.by_git
            shop.apply(made.patch)
