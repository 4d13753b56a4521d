"""The tools by themselves, over real files and real git."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.context.looking import NOT_AVAILABLE, UNCOUNTED, UNNAMED, ToolResult, View
from smista_mcp.context.readtools import ReadTools
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.survey import Caps, Survey
from smista_mcp.context.textsearch import hits_in
from smista_mcp.context.toolarguments import BadArguments, checked
from smista_mcp.core.floor import Sight
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.readtools import CAPS, READ_TOOLS, TOOL_TEXTS, ToolCaps, texts_of_tools
from smista_mcp.core.secretscan.memory import Scans

Git = Callable[..., str]
TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
RESTRICTED = (".env", "secrets/**")


@dataclass(frozen=True)
class Desk:
    """Makes the tools of one attempt and calls one of them."""

    root: Path
    environ: dict[str, str]
    remote: bool = True
    caps: ToolCaps = CAPS
    tools: tuple[str, ...] = READ_TOOLS
    seconds: list[float] = field(default_factory=lambda: [0.0])

    def made(self) -> ReadTools:
        patterns = GlobSet(RESTRICTED, ignore_case=True)

        def judge(forms: Sequence[str]) -> Sight | None:
            found = next((p for form in forms if (p := patterns.first(form))), None)
            return Sight(f"restricted by `{found}`") if found else None

        view = View(self.remote, self.tools, judge, SecretLabels(Scans()))
        return ReadTools(Survey(self.root, patterns, Caps(), self.environ), view, self.caps, lambda: self.seconds[0])

    def run(self, tool: str, **given: object) -> ToolResult:
        return self.made().run(tool, given, 10**9)

    def write(self, path: str, text: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.fixture
def desk(root: Path, environ: dict[str, str]) -> Desk:
    desk = Desk(root, environ)
    desk.write("src/a.py", "one\ntwo\nthree\n")
    desk.write("src/b.txt", "two\n")
    desk.write(".env", "MODE=two\n")
    desk.write("secrets/c.txt", "two\n")
    return desk


# ----------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, "one\ntwo\nthree\n"),
        ({"first_line": 2}, "two\nthree"),
        ({"last_line": 1}, "one"),
        ({"first_line": 2, "last_line": 2}, "two"),
        ({"first_line": "2", "last_line": 99}, "two\nthree"),
    ],
)
def test_lines_are_shown_as_they_are_asked_for(desk: Desk, asked: dict[str, object], shown: str) -> None:
    result = desk.run("read_file", path="src/a.py", **asked)
    assert result.text.split("\n", 1)[1].rstrip("\n") == shown.rstrip("\n")
    assert (result.name, result.label, result.withheld) == ("read_file src/a.py", None, ())
    assert "src/a.py" in result.forms


def test_a_range_in_the_path_counts_too(desk: Desk) -> None:
    assert desk.run("read_file", path="src/a.py:2").text.endswith("\ntwo")


def test_a_long_file_is_cut_and_says_where_it_goes_on(desk: Desk) -> None:
    desk.write("long.txt", "".join(f"line {number}\n" for number in range(1, 10_001)))
    desk = replace(desk, caps=CAPS._replace(result_bytes=1000))
    first = desk.run("read_file", path="long.txt").text
    assert len(first.encode()) < 1100
    last = first.splitlines()[-2]
    following = int(last.split()[1]) + 1
    assert first.endswith(f"[cut: ask for lines from {following} on]")
    assert f"line {following}\n" in desk.run("read_file", path="long.txt", first_line=following).text


def test_one_endless_line_is_cut_inside(desk: Desk) -> None:
    desk.write("min.js", "ü" * 100_000)
    text = replace(desk, caps=CAPS._replace(result_bytes=999)).run("read_file", path="min.js").text
    assert text.endswith("[cut inside a long line]")
    assert len(text.encode()) < 1100


@pytest.mark.parametrize("content", [b"\0binary", b"\xff\xfe", b"x" * 1_100_000])
def test_what_is_no_text_or_too_large_is_not_shown(desk: Desk, content: bytes) -> None:
    desk.write("odd", content)
    assert desk.run("read_file", path="odd").text.startswith("`odd` cannot be shown: ")


@pytest.mark.parametrize(
    "path", [".env", "secrets", "secrets/c.txt", "secrets/none.txt", "../x", "/etc/passwd", "/proc/1"]
)
def test_what_may_not_be_seen_is_the_same_answer_whether_or_not_it_is_there(desk: Desk, path: str) -> None:
    for tool in ("read_file", "list_files"):
        result = desk.run(tool, path=path)
        assert (result.text, result.forms, result.name) == (NOT_AVAILABLE, (), tool)
        assert len(result.withheld) == 1


def test_a_pipe_neither_blocks_nor_shows_anything(desk: Desk) -> None:
    os.mkfifo(desk.root / "pipe")
    assert desk.run("read_file", path="pipe").text == NOT_AVAILABLE
    assert "pipe" not in desk.run("list_files").text


def test_a_local_model_is_shown_what_is_restricted_and_it_is_labelled(desk: Desk) -> None:
    result = replace(desk, remote=False).run("read_file", path=".env")
    assert "MODE=two" in result.text
    assert (result.label, result.restricted, result.withheld) == ("restricted", "restricted by `.env`", ())


def test_a_secret_is_kept_from_a_remote_model_and_labels_what_a_local_one_reads(desk: Desk) -> None:
    desk.write("notes.txt", f"token {TOKEN}\n")
    remote = desk.run("read_file", path="notes.txt")
    assert (remote.text, remote.withheld[0][0]) == (NOT_AVAILABLE, "notes.txt")
    assert TOKEN not in repr(remote)
    local = replace(desk, remote=False).run("read_file", path="notes.txt")
    assert (TOKEN in local.text, local.label) == (True, "restricted")


def test_ignored_files_are_nobody_s_to_read(desk: Desk, git: Git) -> None:
    desk.write(".gitignore", "build/\n")
    desk.write(".smistaignore", "private.txt\n")
    desk.write("build/out.txt", "two\n")
    desk.write("private.txt", "two\n")
    git("add", "-A")
    for one in (desk, replace(desk, remote=False)):
        for path in ("build/out.txt", "private.txt", ".git/config", ".git"):
            assert one.run("read_file", path=path).text == NOT_AVAILABLE
        listed = one.run("list_files").text
        found = one.run("search", text="two").text
        assert not any(name in listed + found for name in ("build", "private.txt", ".git/"))


@pytest.mark.parametrize(
    "path",
    ["../TOLD", "/etc/TOLD", "~/TOLD", "file:///x/TOLD", "src/../../TOLD", "secrets/TOLD", "TOLD", "src/a.py/TOLD"],
)
@pytest.mark.parametrize("remote", [True, False])
def test_a_path_that_a_model_makes_up_is_told_nobody(desk: Desk, path: str, *, remote: bool) -> None:
    one = replace(desk, remote=remote)
    for tool in READ_TOOLS:
        result = one.run(tool, path=path, text="two")
        assert "TOLD" not in f"{result.name} {result.forms} {result.withheld} {result.restricted}"
        assert {name for name, _ in result.withheld} <= {UNNAMED, ".env", "secrets/c.txt"}


@pytest.mark.parametrize("path", ["./src//a.py", "src/x/../a.py", "src/./a.py#L1-L2"])
def test_what_is_shown_is_called_by_its_own_name(desk: Desk, path: str) -> None:
    (desk.root / "src" / "x").mkdir()
    assert desk.run("read_file", path=path).name == "read_file src/a.py"


def test_the_names_that_are_kept_are_short(desk: Desk) -> None:
    name = "/".join(["secrets", "n" * 200, "n" * 200])
    desk.write(name, "two\n")
    (withheld,) = desk.run("read_file", path=name).withheld
    assert len(withheld[0]) <= 201


# ----------------------------------------------------------------------------------------------- listing and searching


def test_no_answer_depends_on_what_is_withheld(desk: Desk, git: Git) -> None:
    desk.write("conf.txt", f"token = {TOKEN}\n")
    desk.write(".gitignore", "build/\n")
    desk.write("build/out.txt", "two\n")
    git("add", "-A")
    git("commit", "-qm", "start")
    desk.write("secrets/c.txt", "three\n")
    alike: tuple[tuple[str, list[dict[str, object]]], ...] = (
        ("search", [{"text": f"token = {TOKEN[:7]}{letter}"} for letter in TOKEN[7] + "xyz"]),
        ("list_files", [{"pattern": f"secrets/{letter}*"} for letter in "cxyz"]),
        ("search", [{"text": "two", "pattern": f"secrets/{letter}*"} for letter in "cxyz"]),
        *(
            (tool, [{"path": path} for path in ("build/out.txt", "build", "none.txt", "secrets/x")])
            for tool in READ_TOOLS
        ),
    )
    for tool, asked in alike:
        default = {"text": "two"} if tool == "search" else {}
        texts = {desk.run(tool, **(default | one)).text for one in asked}
        assert len(texts) == 1, (tool, texts)


def test_a_listing_names_what_is_free_and_tells_nothing_of_the_rest(desk: Desk) -> None:
    result = desk.run("list_files")
    assert result.text == f"src/a.py\nsrc/b.txt\n{UNCOUNTED}"
    assert {path for path, _ in result.withheld} == {".env", "secrets/c.txt"}
    assert not any("env" in form or "secrets" in form for form in result.forms)


def test_patterns_and_directories_narrow(desk: Desk) -> None:
    assert desk.run("list_files", pattern="*.py").text == f"src/a.py\n{UNCOUNTED}"
    assert desk.run("list_files", path="src", pattern="*.txt").text == f"src/b.txt\n{UNCOUNTED}"
    assert desk.run("search", text="two", pattern="*.txt").text.startswith("src/b.txt:1: two")
    assert desk.run("search", text="two", path="src/a.py").text == f"src/a.py:2: two\n{UNCOUNTED}"


def test_case_counts_unless_it_is_told_not_to(desk: Desk) -> None:
    assert desk.run("search", text="TWO", path="src").text == f"no line holds that text\n{UNCOUNTED}"
    assert desk.run("search", text="TWO", path="src", ignore_case=True).text == (
        f"src/a.py:2: two\nsrc/b.txt:1: two\n{UNCOUNTED}"
    )


def test_a_text_is_never_a_pattern(desk: Desk) -> None:
    desk.write("src/re.py", "(a+)+$\n" + "a" * 50_000 + "!\n")
    assert desk.run("search", text="(a+)+$").text == f"src/re.py:1: (a+)+$\n{UNCOUNTED}"


def test_caps_hold_for_names_hits_and_files(desk: Desk) -> None:
    for number in range(50):
        desk.write(f"many/{number:02}.txt", "needle\n")
    few = replace(desk, caps=CAPS._replace(listed=5, hits=7, files=30))
    listed = few.run("list_files", path="many").text.splitlines()
    assert len([line for line in listed if line.startswith("many/")]) == 5
    assert any("stopped after 30 files" in line for line in listed)
    hits = few.run("search", text="needle", path="many").text.splitlines()
    assert len([line for line in hits if line.startswith("many/")]) == 7


def test_time_is_capped_for_one_call_and_for_all(desk: Desk) -> None:
    ticking = replace(desk, caps=CAPS._replace(call_s=2, all_s=3), seconds=[0.0])
    now = iter(range(1000))
    tools = ticking.made()
    object.__setattr__(tools, "_clock", lambda: float(next(now)))
    assert "[stopped " in tools.run("list_files", {}, 10**9).text
    while not tools.exhausted:
        tools.run("list_files", {}, 10**9)
    assert tools.run("read_file", {"path": "src/a.py"}, 10**9).text.startswith("nothing more")


def test_bytes_of_all_results_are_capped_and_so_is_the_room_of_the_model(desk: Desk) -> None:
    tools = replace(desk, caps=CAPS._replace(total_bytes=60)).made()
    for _ in range(6):
        tools.run("read_file", {"path": "src/a.py"}, 10**9)
    assert tools.exhausted
    assert desk.made().run("read_file", {"path": "src/a.py"}, 0).text.startswith("nothing more")


@given(
    text=st.text(st.sampled_from("abAB\n\r ßİ"), max_size=60),
    wanted=st.text(st.sampled_from("abAB ßİ"), min_size=1, max_size=3),
    ignore_case=st.booleans(),
)
def test_hits_are_the_lines_that_hold_the_text(text: str, wanted: str, ignore_case: bool) -> None:
    def plain(one: str) -> str:
        return one.casefold() if ignore_case else one

    found = [hit.number for hit in hits_in(text, wanted, ignore_case=ignore_case, most=1000)]
    assert found == [n for n, line in enumerate(text.split("\n"), 1) if plain(wanted) in plain(line)]


@given(line=st.text(st.characters(exclude_characters="\n\r"), max_size=400), at=st.integers(0, 400))
def test_a_long_line_is_cut_around_the_text(line: str, at: int) -> None:
    whole = f"{line[:at]}needle{line[at:]}"
    (hit, *_) = hits_in(whole, "needle", ignore_case=False, most=40)
    assert "needle" in hit.line
    assert len(hit.line) <= 42


# --------------------------------------------------------------------------------------------------------------- diffs


@pytest.fixture
def changed(desk: Desk, git: Git) -> Desk:
    git("add", "-A", "-f")
    git("commit", "-qm", "start")
    desk.write("src/a.py", "one\n2\nthree\n")
    desk.write(".env", "MODE=3\n")
    desk.write("src/b.txt", f"{TOKEN}\n")
    return desk


def test_a_diff_shows_what_is_free_and_counts_the_rest(changed: Desk) -> None:
    result = changed.run("git_diff")
    assert "+2" in result.text
    assert "MODE" not in result.text
    assert TOKEN not in result.text
    assert {path for path, _ in result.withheld} == {".env", "src/b.txt"}
    assert changed.run("git_diff", path="src/a.py").text.startswith("diff --git a/src/a.py")


def test_a_local_model_sees_a_restricted_change_that_it_names(changed: Desk) -> None:
    local = replace(changed, remote=False)
    assert "MODE" not in local.run("git_diff").text
    named = local.run("git_diff", path=".env")
    assert ("+MODE=3" in named.text, named.label) == (True, "restricted")
    token = local.run("git_diff", path="src/b.txt")
    assert (TOKEN in token.text, token.label) == (True, "restricted")


def test_a_deleted_or_renamed_file_is_judged_by_both_names(changed: Desk, git: Git) -> None:
    git("mv", "secrets/c.txt", "src/moved.txt")
    (changed.root / "src/a.py").unlink()
    assert "moved.txt" not in changed.run("git_diff").text
    assert "deleted file" in changed.run("git_diff", path="src/a.py").text


# ----------------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("read_file", None),
        ("read_file", {}),
        ("read_file", {"path": ""}),
        ("read_file", {"path": None}),
        ("read_file", {"path": ["a"]}),
        ("read_file", {"path": "a\0b"}),
        ("read_file", {"path": "x" * 5000}),
        ("read_file", {"path": "a", "first_line": 0}),
        ("read_file", {"path": "a", "first_line": True}),
        ("read_file", {"path": "a", "first_line": 1.5}),
        ("read_file", {"path": "a", "first_line": 5, "last_line": 2}),
        ("read_file", {"path": "a", "text": "b"}),
        ("search", {"path": "a"}),
        ("search", {"text": "a\nb"}),
        ("search", {"text": "a", "ignore_case": "perhaps"}),
        ("search", {"text": "a", "pattern": "/etc/**"}),
        ("list_files", {"pattern": "!a"}),
        ("git_diff", {"options": "--output=x"}),
    ],
)
def test_arguments_that_cannot_be_used_are_told_what_to_write(tool: str, given: dict[str, object] | None) -> None:
    with pytest.raises(BadArguments) as caught:
        checked(tool, given)
    assert 0 < len(str(caught.value)) < 400


@given(
    tool=st.sampled_from((*READ_TOOLS, "shell")),
    given_=st.dictionaries(
        st.sampled_from(["path", "text", "pattern", "first_line", "ignore_case", "odd"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers()),
    ),
)
def test_no_call_ever_raises(tool: str, given_: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.getbasetemp().resolve()
    desk = Desk(root, {"PATH": os.environ.get("PATH", os.defpath)}, caps=CAPS._replace(files=50))
    assert isinstance(desk.run(tool, **given_).text, str)


def test_every_text_that_tools_add_to_a_request_is_known() -> None:
    texts = set(texts_of_tools())
    assert {*TOOL_TEXTS, "path", "pattern", "ignore_case", "integer", "unknown_tool"} <= texts
    assert all(description in texts for description, _ in TOOL_TEXTS.values())
