import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smista_mcp.context.diff import FileDiff, split

Git = Callable[..., str]

PLAIN = "diff --git a/src/x.py b/src/x.py\nindex 1..2 100644\n--- a/src/x.py\n+++ b/src/x.py\n@@ -1 +1 @@\n-a\n+b\n"


def _names(diff: str) -> list[tuple[str, ...] | None]:
    return [part.names for part in split(diff)]


def test_a_file_is_named_once_when_its_name_stays() -> None:
    assert _names(PLAIN) == [("src/x.py",)]


def test_each_file_is_a_part_of_its_own() -> None:
    assert _names(PLAIN + PLAIN.replace("x.py", "y.py")) == [("src/x.py",), ("src/y.py",)]


@pytest.mark.parametrize(
    ("diff", "names"),
    [
        ("diff --git a/a b/b\nsimilarity index 100%\nrename from a\nrename to b\n", ("a", "b")),
        ("diff --git a/a b b/c d e\nsimilarity index 90%\ncopy from a b\ncopy to c d e\n", ("a b", "c d e")),
        ("diff --git a/x y b/x y\nold mode 100644\nnew mode 100755\n", ("x y",)),
        ("diff --git a/x b/x\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+x\n", ("x",)),
        ("diff --git a/x b/x\ndeleted file mode 100644\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", ("x",)),
        ("diff --git a/x b/x\nnew file mode 100644\nindex 0000000..e69de29\n", ("x",)),
        ('diff --git "a/\\303\\244 \\"\\n" "b/\\303\\244 \\"\\n"\nindex 1..2\n', ('ä "\n',)),
        ('diff --git a/x "b/\\tx"\nsimilarity index 100%\nrename from x\nrename to "\\tx"\n', ("x", "\tx")),
        ('diff --git "a/\\tx" b/x\nsimilarity index 100%\nrename from "\\tx"\nrename to x\n', ("\tx", "x")),
        ("diff --git x/.env x/.env\n--- x/.env\n+++ x/.env\n@@ -1 +1 @@\n-a\n+b\n", ("x/.env",)),
        ("diff --git a/x a/x\nnew file mode 1\n--- /dev/null\n+++ a/x\n@@ -0,0 +1 @@\n+b\n", ("a/x",)),
        ("diff --git i/x w/x\n--- i/x\n+++ w/x\n@@ -1 +1 @@\n-a\n+b\n", ("x",)),
        ("diff --git a/x.png b/x.png\nindex 1..2\nBinary files a/x.png and b/x.png differ\n", ("x.png",)),
        ("diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 3\nKcmYdf\n\nliteral 0\nHcmV?d00001\n\n", ("x",)),
        ("diff --cc x y\nindex 1,2..3\n--- a/x y\n+++ b/x y\n@@@ -1,1 -1,1 +1,2 @@@\n- a\n -b\n++c\n++d\n", ("x y",)),
        ("diff --combined x\nindex 1,2..3\n@@@ -1 -1 +1 @@@\n- a\n -b\n++c\n", ("x",)),
        ("--- a/x\t2026-01-01 00:00:00\n+++ b/x\t2026-01-02\n@@ -1 +1 @@\n-a\n+b\n", ("x",)),
        ("--- x.py\n+++ x.py\n@@ -1 +1 @@\n-a\n+b\n", ("x.py",)),
        ("--- old/src/x\n+++ new/src/x\n@@ -1 +1 @@\n-a\n+b\n", ("src/x",)),
        ("diff -u -r one/x two/x\n--- one/x\n+++ two/x\n@@ -1 +1 @@\n-a\n+b\n", ("x",)),
        ("Index: x.py\n======\n--- x.py\t(revision 1)\n+++ x.py\t(working copy)\n@@ -1 +1 @@\n-a\n+b\n", ("x.py",)),
        ("* Unmerged path a b\n", ("a b",)),
        (PLAIN.replace("\n", "\r\n"), ("src/x.py",)),
    ],
)
def test_the_names_of_one_file_are_read(diff: str, names: tuple[str, ...]) -> None:
    assert _names(diff) == [names]


@pytest.mark.parametrize(
    "diff",
    [
        "hello\n",
        "\x1b[1mdiff --git a/x b/x\x1b[m\n",
        "KEY=value\n" + PLAIN.replace("diff --git a/src/x.py b/src/x.py\nindex 1..2 100644\n", ""),
        "diff --git\n",
        'diff --git "a/x b/x\n',
        'diff --git a/x b/x\n--- "a/x\n+++ b/x\n',
        "diff --git a/x b/x\n--- a/x\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/x y b/z\nold mode 100644\nnew mode 100755\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n-a\n+b\n??\n",
        "diff --cc x\n@@@ -1 +1 @@@\n-a\n+b\n",
        "--- a/x\n+++ b/x\n",
        "--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n-a\n+b\n--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-K=1\n+K=2\n",
        "Only in a: x\n",
    ],
)
def test_what_is_not_understood_cannot_be_judged(diff: str) -> None:
    assert _names(diff) == [None]


def test_lines_behind_a_hunk_belong_to_nobody() -> None:
    assert _names(PLAIN + "+KEY=value\n") == [("src/x.py",), None]


def test_a_line_inside_a_hunk_is_never_a_header() -> None:
    inner = "--- a/.env\n+++ b/.env\n"
    diff = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n{inner} diff --git a/y b/y\n"
    assert _names(diff) == [("x",)]


def test_after_what_is_not_understood_the_next_file_of_git_is_judged_again() -> None:
    assert _names("hello\n" + PLAIN) == [None, ("src/x.py",)]


def test_a_diff_cut_in_the_middle_still_belongs_to_its_file() -> None:
    assert _names(PLAIN.removesuffix("+b\n")) == [("src/x.py",)]
    assert _names(PLAIN.removesuffix("+b\n") + PLAIN) == [("src/x.py",), ("src/x.py",)]


def test_a_prefix_that_is_not_known_is_judged_in_every_reading() -> None:
    part = split("diff --git old/secrets/k new/secrets/k\n--- old/secrets/k\n+++ new/secrets/k\n@@ -1 +1 @@\n-a\n+b\n")[
        0
    ]
    assert part.names == ("secrets/k",)
    assert set(part.forms) == {"secrets/k", "old/secrets/k", "new/secrets/k"}


def test_titles_that_contradict_the_header_are_judged_too() -> None:
    part = split("diff --git a/x b/x\n--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-a\n+b\n")[0]
    assert {"x", ".env"} <= set(part.forms)


def test_a_commit_around_the_files_is_text_without_names(git: Git, root: Path) -> None:
    (root / "x").write_text("a\n", encoding="utf-8")
    git("add", ".")
    git("commit", "-m", "first\n\n--- a/y", "--quiet")
    (root / "x").write_text("b\n", encoding="utf-8")
    git("commit", "-a", "-m", "second", "--quiet")
    assert _names(git("show", "--patch-with-stat")) == [(), ("x",)]
    assert _names(git("log", "-p")) == [(), ("x",), (), ("x",)]
    mail = git("format-patch", "--stdout", "-2", "--root")
    assert _names(mail) == [(), None, ("x",), (), ("x",)]  # in a mail, a line of the message could open a file


MAIL = f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: a\nSubject: b\n\n"
ENV = "--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-K=1\n+K=2\n"


@pytest.mark.parametrize(
    ("diff", "names"),
    [
        (f"{MAIL}---\n .env | 2 +-\n\n{ENV}", [(), (".env",)]),
        (f"{MAIL}Index: .env\n====\n{ENV}", [(), (".env",)]),
        (f"{MAIL}diff -u a/.env b/.env\n{ENV}", [(), (".env",)]),
        (f"{PLAIN}{MAIL}{ENV}", [("src/x.py",), (), (".env",)]),
        (f"{MAIL}{ENV[22:]}", [None]),
        (f"{MAIL}{ENV[11:]}", [None]),
        (f"{MAIL}    {ENV[22:]}{PLAIN}", [None, ("src/x.py",)]),
        (f"{MAIL}*** a/.env\n--- b/.env\n***************\n*** 1 ****\n! K=1\n--- 1 ----\n! K=2\n", [(), None]),
        (f"commit abcdef1\n{ENV}", [(), (".env",)]),
        (f"commit abcdef1\n    b\nIndex: .env\n===\n{ENV}", [(), (".env",)]),
        ("commit abcdef1\n    " + ENV.replace("\n", "\n    "), [None]),
    ],
)
def test_text_around_the_files_hides_none(diff: str, names: list[tuple[str, ...] | None]) -> None:
    assert _names(diff) == names


def test_a_merge_is_read_from_git_itself(git: Git, root: Path) -> None:
    def commit(text: str) -> None:
        (root / "a b").write_text(text, encoding="utf-8")
        git("add", ".")
        git("commit", "-m", text, "--quiet")

    commit("one\n\nend\n")
    git("checkout", "--quiet", "-b", "other")
    commit("two\n\nend\n")
    git("checkout", "--quiet", "main")
    commit("three\n\nend\n")
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "other")
    assert _names(git("diff")) == [("a b",)]
    assert git("diff").startswith("diff --cc")
    assert set(_names(git("diff", "HEAD"))) == {("a b",)}


@given(st.text())
def test_any_text_is_cut_without_loss(diff: str) -> None:
    assert "".join(part.text for part in split(diff)) == diff


_LINES = st.sampled_from(
    [
        *PLAIN.splitlines(),
        "--- /dev/null",
        '--- "a/x',
        "@@@ -1 -1 +1 @@@",
        "-- ",
        "2.39.5",
        "",
        " c",
        "\\ No",
        "x",
        "++d",
    ]
)


@given(st.lists(_LINES, max_size=40), st.sampled_from(["\n", "\r\n"]))
def test_any_mixture_of_the_lines_of_diffs_is_cut_without_loss(lines: list[str], end: str) -> None:
    diff = end.join(lines)
    parts = split(diff)
    assert "".join(part.text for part in parts) == diff
    assert all(set(part.names or ()) <= set(part.forms) for part in parts)


@given(st.sampled_from(["aa", ".env", "s/k"]), st.lists(st.sampled_from(["+x", "-x", " x", "--- a/aa", "+++ b/aa"])))
def test_no_line_of_a_file_is_ever_given_to_another(name: str, body: list[str]) -> None:
    secret = "".join(f"{line}\n" for line in body)
    parts = split(f"{PLAIN}diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1,3 +1,3 @@\n{secret}")
    assert all(part.names in (None, (name,)) for part in parts[1:])


_PIECES = st.one_of(
    st.characters(min_codepoint=1, max_codepoint=0x2FF),
    st.sampled_from(
        [" ", '"', "\\", "\n", "\t", "\r", "ä", "a\u0308", "→", "\udcff", "\udce4", "b/", "a/", " b/", " a/x"]
    ),
)


def _path(pieces: list[str]) -> str:
    parts = "".join(pieces).split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..") and ".git" not in part.lower())


_FILE_NAMES = st.lists(st.lists(_PIECES, max_size=10).map(_path).filter(bool), min_size=1, max_size=10, unique=True)
_OPTIONS = st.sampled_from(
    [(), ("--no-prefix",), ("-R",), ("--binary",), ("--full-index",), ("-U0",), ("--src-prefix=x/", "--dst-prefix=yy/")]
)


def _writable(base: Path, names: list[str]) -> list[str]:
    written: list[str] = []
    for name in names:
        try:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_bytes(b"one\n")
        except OSError:  # a file stands where a folder is wanted, or this system knows no such name
            continue
        written.append(name)
    return written


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    names=_FILE_NAMES,
    options=_OPTIONS,
    quote=st.sampled_from(["true", "false"]),
    content=st.sampled_from([b"two\n", b"\0"]),
)
def test_the_names_that_git_prints_are_the_names_of_the_files(
    names: list[str], options: tuple[str, ...], quote: str, content: bytes, environ: dict[str, str]
) -> None:
    def git(*arguments: str) -> bytes:
        return subprocess.run(
            ["git", "-c", f"core.quotePath={quote}", *arguments], cwd=base, env=environ, check=True, capture_output=True
        ).stdout

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        git("init", "--quiet")
        written = _writable(base, names)
        git("add", "--all")
        for name in written[::2]:
            (base / name).write_bytes(content)
        for name in written[1::2]:
            (base / name).unlink()
        parts: tuple[FileDiff, ...] = split(git("diff", *options).decode("utf-8", "surrogateescape"))
        listed = [os.fsdecode(name) for name in git("diff", "--name-only", "-z").split(b"\0") if name]
    if "--src-prefix=x/" in options:
        assert all(part.names is None or name in part.forms for part, name in zip(parts, listed, strict=True))
    else:
        assert [part.names for part in parts] == [(name,) for name in listed]


@pytest.mark.parametrize(
    "diff",
    [
        "diff --git a/.env b/.env\n--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-x\n+y\n".replace("\n", "\r"),
        "--- a/src/a\r+++ b/src/a\n+++ b/.env\n@@ -1 +1 @@\n-x\n+y\n",
        "diff --git a/src/a b/src/a\rdiff --git a/.env b/.env\n--- a/src/a\n+++ b/src/a\n@@ -1 +1 @@\n-x\n+y\n",
        "commit 0123456789abcdef\n\n    words\rdiff --git a/.env b/.env\r@@ -1 +1 @@\r-x\n",
    ],
)
def test_a_bare_return_before_the_hunks_cannot_be_judged(diff: str) -> None:
    assert None in [part.names for part in split(diff)]


def test_returns_at_the_ends_of_lines_and_inside_of_hunks_are_fine() -> None:
    diff = "diff --git a/x b/x\r\n--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-old\rmac\r\n+new\rmac\r\n"
    assert [part.names for part in split(diff)] == [("x",)]
