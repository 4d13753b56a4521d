"""Patches that must not be: what they reach for, what they make, and that nothing is ever written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from patch_shop import Shop, git, patch_of, why

from smista_mcp.context.patches import grounds
from smista_mcp.context.patches.diffs import BINARY, COPIES, MODES
from smista_mcp.context.patches.making import MOST_CHARACTERS, Made


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "work")
    shop.write("a.txt", "one\ntwo\n")
    shop.write("src/b.txt", "one\ntwo\n")
    shop.write(".env", "ONE=1\n")
    shop.write("secrets/plan.txt", "one\ntwo\n")
    shop.write(".gitignore", "*.log\nbuild/\n")
    shop.repository()
    shop.write("x.log", "one\ntwo\n")
    shop.write("build/out.txt", "one\ntwo\n")
    (tmp_path / "outside.txt").write_text("one\ntwo\n")
    (shop.root / "link.txt").symlink_to("a.txt")
    (shop.root / "out.txt").symlink_to(tmp_path / "outside.txt")
    (shop.root / "linked").symlink_to("src")
    (shop.root / "away").symlink_to(tmp_path)
    return shop


def edit(name: str) -> str:
    return f"--- {name}\n+++ {name}\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n"


def create(name: str, mode: str = "100644") -> str:
    return f"diff --git {name} {name}\nnew file mode {mode}\n--- /dev/null\n+++ {name}\n@@ -0,0 +1 @@\n+#!/bin/sh\n"


REACHING = {
    "../outside.txt": None,
    "a/../../outside.txt": None,
    "b/src/../../outside.txt": None,
    "a/src/../a.txt": grounds.OUTSIDE,
    "a/./a.txt": grounds.OUTSIDE,
    "a//a.txt": None,
    "a/src\\b.txt": grounds.OUTSIDE,
    "/etc/passwd": None,
    "~/.ssh/authorized_keys": grounds.OUTSIDE,
    "C:/Windows/x.ini": grounds.OUTSIDE,
    "a/.git/config": grounds.OF_GIT,
    "a/.git/hooks/pre-commit": grounds.OF_GIT,
    "a/.GIT/hooks/pre-commit": grounds.OF_GIT,
    "a/src/.git/config": grounds.OF_GIT,
    "a/git~1/config": grounds.OF_GIT,
    "a/.git./config": grounds.OF_GIT,
    "a/.git::$INDEX_ALLOCATION/config": grounds.OF_GIT,
    "a/.g\u200cit/config": grounds.OUTSIDE,
    "a/\uff0egit/config": grounds.OF_GIT,
    "a/.smista/config.toml": grounds.OF_GIT,
    "a/.smista/local.toml": grounds.OF_GIT,
    "a/link.txt": grounds.LINKED,
    "a/out.txt": grounds.LINKED,
    "a/linked/b.txt": grounds.LINKED,
    "a/linked/new.txt": grounds.LINKED,
    "a/away/outside.txt": grounds.LINKED,
    "a/away/new.txt": grounds.LINKED,
    "a/a.txt/below.txt": grounds.OUTSIDE,
    "a/src": None,
    "a/x.log": grounds.IGNORED,
    "a/new.log": grounds.IGNORED,
    "a/build/out.txt": grounds.IGNORED,
    "a/build/new.txt": grounds.IGNORED,
    "a/.env": grounds.KEPT,
    "a/secrets/plan.txt": grounds.KEPT,
    "a/secrets/new.txt": grounds.KEPT,
    "a/SECRETS/new.txt": grounds.KEPT,
    '"a/\\056env"': grounds.KEPT,
    '"a/\\056git/config"': grounds.OF_GIT,
    '"a/\\056\\056/outside.txt"': grounds.OUTSIDE,
    '"a/new\\nline.txt"': grounds.OUTSIDE,
    '"a/broken': None,
    "a/" + "d/" * 600 + "x": grounds.OUTSIDE,
}


@pytest.mark.parametrize("name", REACHING)
@pytest.mark.parametrize("shape", [edit, create])
def test_no_patch_reaches_where_it_must_not(shop: Shop, name: str, shape: Callable[[str], str]) -> None:
    before, told = shop.state(), why(shop.made(shape(name)))
    if REACHING[name] is not None and shape is create:
        assert told == REACHING[name]
    assert shop.state() == before
    assert (shop.root.parent / "outside.txt").read_text() == "one\ntwo\n"


def test_a_rename_reaches_no_further(shop: Shop) -> None:
    for target in (".git/hooks/post-checkout", "../x.txt", "secrets/x.txt", "new.log", "link.txt", "a.txt"):
        why(shop.made(f"diff --git a/src/b.txt b/{target}\nrename from src/b.txt\nrename to {target}\n"))
    for source in (".env", "secrets/plan.txt", "x.log", "../outside.txt", "link.txt"):
        why(shop.made(f"diff --git a/{source} b/n.txt\nrename from {source}\nrename to n.txt\n"))


def test_a_local_model_may_change_what_is_restricted_and_its_patch_says_so(shop: Shop) -> None:
    made = patch_of(shop.made(edit("secrets/plan.txt"), remote=False))
    assert [(ground.name, ground.sight is not None) for ground in made.files] == [("secrets/plan.txt", True)]
    assert why(shop.made(edit("a/.git/config"), remote=False)) == grounds.OF_GIT


def test_what_is_ignored_may_be_changed_where_the_task_names_it(shop: Shop) -> None:
    assert patch_of(shop.made(edit("x.log"), given=["x.log"])).after == {"x.log": "1\ntwo\n"}


def test_smistaignore_counts_too(shop: Shop) -> None:
    shop.write(".smistaignore", "src/\n")
    assert why(shop.made(edit("src/b.txt"))) == grounds.IGNORED


def test_hard_links_to_what_is_restricted_count_as_that(shop: Shop) -> None:
    os.link(shop.root / "secrets/plan.txt", shop.root / "plain.txt")
    assert why(shop.made(edit("plain.txt"))) == grounds.KEPT


def test_a_repository_inside_is_none_of_ours(shop: Shop) -> None:
    inner = Shop(shop.root / "vendor/inner")
    inner.write("a.txt", "one\ntwo\n")
    inner.repository()
    assert why(shop.made(edit("vendor/inner/a.txt"))) in (grounds.FOREIGN, grounds.IGNORED)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (create("a/run.sh", "100755"), MODES),
        (create("a/link", "120000"), MODES),
        (create("a/module", "160000"), MODES),
        ("diff --git a/a.txt b/a.txt\nold mode 100644\nnew mode 100755\n", MODES),
        ("diff --git a/a.txt b/a.txt\nold mode 100644\nnew mode 120000\n" + edit("a.txt"), MODES),
        ("diff --git a/a.txt b/a.txt\nindex 1..2\nGIT binary patch\nliteral 3\nKcmZQzU|?VX0ssI20RR\n", BINARY),
        ("diff --git a/a.bin b/a.bin\nindex 1..2\nBinary files a/a.bin and b/a.bin differ\n", BINARY),
        ("diff --git a/a.txt b/c.txt\ncopy from a.txt\ncopy to c.txt\n", COPIES),
    ],
)
def test_modes_links_and_binary_files_are_refused(shop: Shop, answer: str, told: str) -> None:
    assert why(shop.made(answer)) == told


def test_a_binary_file_and_one_that_is_no_utf_8_are_left_alone(shop: Shop) -> None:
    for data in (b"one\ntwo\n\0", b"one\ntwo\n\xff\n"):
        shop.write("data", data)
        assert why(shop.made(edit("data"))).startswith(grounds.UNREADABLE)
    assert isinstance(shop.made("--- /dev/null\n+++ b/n.txt\n@@ -0,0 +1 @@\n+a\0b\n"), tuple)
    why(shop.made("--- /dev/null\n+++ b/n.txt\n@@ -0,0 +1 @@\n+a\0b\n"))


def test_a_huge_patch_is_refused(shop: Shop) -> None:
    why(shop.made("--- /dev/null\n+++ b/n.txt\n@@ -0,0 +1 @@\n" + "+line\n" * (MOST_CHARACTERS // 5)))
    why(shop.made("".join(create(f"b/n{number}.txt") for number in range(101))))
    shop.write("same.txt", "x\n" * 30_000)
    why(shop.made("--- a/same.txt\n+++ b/same.txt\n@@ -1,9 +1,9 @@\n" + " x\n" * 20_000 + "-y\n"))


def test_nothing_is_written_and_nothing_of_the_repository_runs(shop: Shop) -> None:
    ran = shop.root.parent / "ran"
    shop.write(".git/hooks/post-index-change", f"#!/bin/sh\ntouch {ran}\n").chmod(0o755)
    shop.write(".gitattributes", "* filter=evil diff=evil\n")
    for key, value in (
        ("core.fsmonitor", f"touch {ran}"),
        ("filter.evil.clean", f"touch {ran}; cat"),
        ("filter.evil.smudge", f"touch {ran}; cat"),
        ("filter.evil.required", "true"),
        ("diff.evil.textconv", f"touch {ran}; cat"),
        ("apply.whitespace", "fix"),
        ("apply.ignorewhitespace", "change"),
        ("core.pager", f"touch {ran}"),
    ):
        git(shop.root, "config", key, value)
    os.utime(shop.root / "a.txt", (1, 1))  # what the index says of it is old: git would refresh it
    before = shop.state()
    made = patch_of(shop.made(edit("a.txt").replace("+1", "+1  ") + create("b/n.txt")))
    assert shop.state() == before
    assert not ran.exists()
    assert made.after == {"a.txt": "1  \ntwo\n", "n.txt": "#!/bin/sh\n"}


def test_a_file_that_changed_meanwhile_is_noticed_by_git(shop: Shop, tmp_path: Path) -> None:
    """Git proves against what is there: a program that changes the file just before it stands for somebody else."""
    tools = tmp_path / "tools"
    tools.mkdir()
    real = next(Path(folder) / "git" for folder in ("/usr/bin", "/bin") if (Path(folder) / "git").exists())
    script = f'#!/bin/sh\ncase "$*" in *--check*) echo changed > {shop.root}/a.txt;; esac\nexec {real} "$@"\n'
    (tools / "git").write_text(script)
    (tools / "git").chmod(0o755)
    shop.environ = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": "/nonexistent"}
    assert not isinstance(shop.made(edit("a.txt")), Made)
