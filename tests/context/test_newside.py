from pathlib import Path

import pytest

from smista_mcp.context.newside import LINK, SUBMODULE, is_of_file, is_of_link, is_of_submodule, new_side
from smista_mcp.context.survey import Caps, Survey
from smista_mcp.core.globs import GlobSet

HEAD = "diff --git a/x b/x\nindex 1a..2b 100644\n--- a/x\n+++ b/x\n"


def test_the_new_side_is_read_with_its_places() -> None:
    side = new_side(
        f"{HEAD}@@ -1,2 +1,2 @@\n a\n-b\n+c\n@@ -9 +9,2 @@ def f()\n-x\n+y\n+--- a/z\n\\ No newline at end of file\n"
    )
    assert side.mode == "100644"
    assert side.runs == ((1, ("a", "c")), (9, ("y", "--- a/z")))


@pytest.mark.parametrize(
    ("data", "same"),
    [
        (b"a\nc\n", True),
        (b"a\r\nc\r\n", True),
        (b"a\nc", True),
        (b"a\nc\nmore\n", True),
        (b"a\n", False),
        (b"", False),
        (b"a\nd\n", False),
        (b"\na\nc\n", False),
    ],
)
def test_a_file_is_the_one_that_is_told_of(data: bytes, same: bool) -> None:
    assert is_of_file(new_side(f"{HEAD}@@ -1,2 +1,2 @@\n a\n-b\n+c\n"), data) is same


def test_what_git_changes_on_its_way_in_is_no_difference() -> None:
    assert is_of_file(new_side(f"{HEAD}@@ -0,0 +1 @@\n+$Id$ x\n"), b"$Id: 1f2e $ x\n")
    assert is_of_file(new_side(f"{HEAD}@@ -0,0 +1 @@\n+caf\udce9\n"), b"caf\xe9\n")


def test_links_and_submodules_say_where_they_lead() -> None:
    link = new_side(
        "diff --git a/l b/l\nnew file mode 120000\nindex 0..1\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+src/x\n"
    )
    assert link.mode == LINK
    assert is_of_link(link, "src/x")
    assert not is_of_link(link, "src/y")
    commit = "0" * 40
    sub = new_side(
        f"diff --git a/s b/s\nindex 0..1 160000\n--- a/s\n+++ b/s\n@@ -1 +1 @@\n-Sub\n+Subproject commit {commit}\n"
    )
    assert sub.mode == SUBMODULE
    assert is_of_submodule(sub)
    assert not is_of_submodule(sub._replace(runs=((1, ("KEY=1",)),)))


def test_the_working_tree_is_compared_with_what_git_says_of_it(
    root: Path, git: object, environ: dict[str, str]
) -> None:
    assert callable(git)
    for name in ("plain.txt", "win.txt", "big.txt", "bytes.bin", "gone.txt"):
        (root / name).write_bytes(b"one\r\ntwo\r\n" if name == "win.txt" else b"one\ntwo\n")
    (root / ".gitattributes").write_text("win.txt text eol=crlf\nid.txt ident\n", encoding="utf-8")
    (root / "id.txt").write_text("$Id$\na\n", encoding="utf-8")
    (root / "link").symlink_to("plain.txt")
    git("add", "-A")
    git("commit", "-qm", "start")
    (root / "plain.txt").write_bytes(b"one\nthree")
    (root / "win.txt").write_bytes(b"one\r\nthree\r\n")
    (root / "big.txt").write_bytes(b"z" * 500)
    (root / "bytes.bin").write_bytes(b"a\0b")
    (root / "id.txt").write_text("$Id: 12 $\nb\n", encoding="utf-8")
    (root / "gone.txt").unlink()
    (root / "link").unlink()
    (root / "link").symlink_to("win.txt")
    caps = Caps(compared_bytes=100)
    survey = Survey(root, GlobSet([], ignore_case=True), caps, environ)
    assert not isinstance(survey.changes, str)
    doubts = {part.part.names: part.restricted for part in survey.changes}
    assert doubts.pop(("big.txt",)) == "(too large: over 0.0001 MB)"
    assert set(doubts.values()) == {None}
    assert len(doubts) == 6
