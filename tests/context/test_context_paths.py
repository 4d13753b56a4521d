import os
import socket
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smista_mcp.context.paths import Tree
from smista_mcp.context.spelling import Lines


@pytest.fixture
def tree(root: Path) -> Tree:
    (root / "src" / "auth").mkdir(parents=True)
    (root / "src" / "auth" / "login.rs").write_text("a\n", encoding="utf-8")
    (root / ".env").write_text("K=1\n", encoding="utf-8")
    (root / "notes.txt").symlink_to("docs")
    (root / "docs").symlink_to(".env")
    (root / "code").symlink_to(root / "src")
    (root / "out").symlink_to("/etc")
    (root / "up").symlink_to("../../outside")
    (root / "circle").symlink_to("circle")
    os.mkfifo(root / "pipe")
    return Tree(root)


@pytest.mark.parametrize(
    ("written", "path", "kind"),
    [
        ("src/auth/login.rs", "src/auth/login.rs", "file"),
        ("./src//auth/./login.rs", "src/auth/login.rs", "file"),
        ("src/auth/../auth/login.rs", "src/auth/login.rs", "file"),
        ("../project/src/auth/login.rs", "src/auth/login.rs", "file"),
        ("@src/auth/login.rs", "src/auth/login.rs", "file"),
        ("src/auth", "src/auth/", "directory"),
        ("src/auth/", "src/auth/", "directory"),
        (".", "./", "directory"),
        ("code", "code/", "directory"),
        ("code/auth/login.rs", "code/auth/login.rs", "file"),
        ("src/new.rs", "src/new.rs", "missing"),
        ("src/new", "src/new/", "missing"),
        ("src/Makefile", "src/Makefile", "missing"),
        ("src/new.d/", "src/new.d/", "missing"),
        ("src/auth/login.rs/x.rs", "src/auth/login.rs/x.rs", "missing"),
        ("pipe", "pipe", "special"),
        ("circle", "circle", "unknown"),
        ("circle/x", "circle/x", "unknown"),
        ("x" * 5000, "x" * 5000, "unknown"),
        ("/".join(["x"] * 5000), "/".join(["x"] * 5000) + "/", "missing"),
        ("out/passwd", "out/passwd", "outside"),
        ("up", "up", "outside"),
        ("..", "..", "outside"),
        ("src/../../x", "../x", "outside"),
        ("src/new/../../../x", "../x", "outside"),
        ("/etc/passwd", "/etc/passwd", "outside"),
        ("~/.ssh/id_rsa", "~/.ssh/id_rsa", "outside"),
        ("file:///etc/passwd", "/etc/passwd", "outside"),
        ("file://other/src/auth/login.rs", "/src/auth/login.rs", "outside"),
        ("a\0b", "a\0b", "outside"),
        ("", ".", "unknown"),
    ],
)
def test_a_written_path_leads_where_the_system_would_go(tree: Tree, written: str, path: str, kind: str) -> None:
    place = tree.place(written)
    assert (place.path, place.kind) == (path, kind)
    assert place.kind == "outside" or place.path in place.forms


def test_an_absolute_path_inside_is_a_relative_one(tree: Tree, root: Path) -> None:
    place = tree.place(f"{root}/src/auth/login.rs")
    assert place.path == "src/auth/login.rs"
    assert place.forms == ("src/auth/login.rs",)
    assert tree.place(str(root)).path == "./"


def test_the_root_may_be_named_through_another_name_of_it(tree: Tree, root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert tree.place(f"{tmp_path}/alias/src/auth/login.rs").path == "src/auth/login.rs"
    assert tree.place(f"{tmp_path}/alias/../other").kind == "outside"


def test_every_step_of_a_chain_of_links_is_a_form(tree: Tree) -> None:
    place = tree.place("notes.txt")
    assert place.forms == ("notes.txt", "docs", ".env")
    assert place.parts == (".env",)


def test_what_lies_behind_a_link_is_judged_under_its_real_name(tree: Tree) -> None:
    assert tree.place("code/auth/new.rs").forms == ("code/auth/new.rs", "src/auth/new.rs")
    assert tree.place("code/auth/login.rs").parts == ("src", "auth", "login.rs")
    assert ".env" in tree.place("code/../.env").forms


def test_a_directory_ends_with_a_slash_in_every_form(tree: Tree) -> None:
    assert set(tree.place("./code").forms) == {"code/", "./code/", "src/"}


def test_names_are_judged_in_their_composed_form_too(tree: Tree, root: Path) -> None:
    decomposed = "secre\u0301t.txt"
    (root / decomposed).touch()
    assert set(tree.place(decomposed).forms) == {decomposed, "secr\u00e9t.txt"}


def test_a_byte_that_is_no_text_becomes_one_replacement_character(tree: Tree, root: Path) -> None:
    name = os.fsdecode(b"k\xff\xfey.pem")
    (root / name).touch()
    place = tree.locate(name)
    assert place.kind == "file"
    assert place.forms == ("k\ufffd\ufffdy.pem", "k\u00ff\u00fey.pem")  # the second as Latin-1 has it
    assert place.parts == (name,)


def test_a_socket_is_no_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert Tree(root).place("socket").kind == "special"


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("src/auth/login.rs:3-9", Lines(3, 9)),
        ("src/auth/login.rs:9-3", Lines(3, 9)),
        ("src/auth/login.rs:12", Lines(12, 12)),
        ("src/auth/login.rs:12:5", Lines(12, 12)),
        ("src/auth/login.rs#L3-L9", Lines(3, 9)),
        ("src/auth/login.rs#L3", Lines(3, 3)),
        ("@src/auth/login.rs#L3C1-L4C2", Lines(3, 4)),
        ("src/auth/login.rs:0", Lines(1, 1)),
        ("src/auth/login.rs", None),
        ("src/auth/login.rs:", None),
    ],
)
def test_a_range_of_lines_may_follow(tree: Tree, written: str, lines: Lines | None) -> None:
    place = tree.place(written)
    assert place.lines == lines
    assert place.path.startswith("src/auth/login.rs")


def test_a_file_address_is_decoded(tree: Tree, root: Path) -> None:
    (root / "a b.txt").touch()
    place = tree.place(f"file://{root}/a%20b.txt#L2")
    assert (place.path, place.lines) == ("a b.txt", Lines(2, 2))


def test_a_file_that_is_really_called_so_wins(tree: Tree, root: Path) -> None:
    for name in ("x.md:3", "@team", "~"):
        (root / name).touch()
        assert tree.place(name).path == name
        assert tree.place(name).lines is None


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("a/../b.rs", "b.rs"),
        ("../x.rs", "../x.rs"),
        ("/etc/x.rs", "/etc/x.rs"),
        ("src/auth", "src/auth/"),
        ("./.env", ".env"),
    ],
)
def test_without_a_workspace_a_path_is_only_a_name(written: str, path: str) -> None:
    place = Tree(None).place(written)
    assert (place.path, place.kind, place.parts) == (path, "unrooted", ())


def test_words_that_only_look_like_a_path_name_nothing(tree: Tree) -> None:
    assert tree.place("and/or").doubtful
    assert not any(tree.place(written).doubtful for written in ("and/or/", "src/auth", "src/new", "new.rs"))


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("src\\auth\\login.rs", "src/auth/login.rs"),
        ("C:\\Work\\project\\src\\x.rs", None),
        ("\\\\server\\share\\x", None),
        (".env:stream", None),
        (".env.", None),
        ("src/NUL.txt", None),
        ("com1", None),
    ],
)
def test_on_windows_a_path_that_may_mean_another_file_is_outside(root: Path, written: str, path: str | None) -> None:
    (root / "src" / "auth").mkdir(parents=True)
    (root / "src" / "auth" / "login.rs").touch()
    place = Tree(root, windows=True).locate(written)
    assert (None if place.kind == "outside" else place.path) == path
    assert path is None or "src\\auth\\login.rs" in place.forms


_SEGMENTS = st.sampled_from(["a", "b", "l", "m", "up", "abs", "x.txt", "..", ".", "", "new"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(_SEGMENTS, min_size=1, max_size=6))
def test_the_walk_ends_where_the_system_ends(root: Path, segments: list[str]) -> None:
    if not (root / "a").exists():
        (root / "a" / "b").mkdir(parents=True)
        for folder in (root, root / "a", root / "a" / "b"):
            (folder / "x.txt").touch()
        (root / "l").symlink_to("a/b")
        (root / "a" / "m").symlink_to("../l/..")
        (root / "a" / "b" / "up").symlink_to("../../..")
        (root / "abs").symlink_to(root / "a")
    written = "/".join(["a", "..", *segments])
    place = Tree(root).locate(written)
    real = Path(os.path.realpath(f"{root}/{written}"))
    if place.kind in ("file", "directory"):
        assert Path(root, *place.parts) == real
    elif PurePosixPath(real).is_relative_to(root) and place.kind == "outside":
        assert ".." in segments or "up" in segments  # it left the workspace on the way and came back
    if real.exists() and not real.is_relative_to(root):
        assert place.kind in ("outside", "missing")


def test_a_name_that_its_folder_does_not_list_cannot_be_judged(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on vfat, NTFS and HFS+, which find a file under other names than its own; none of them can be mounted here."""
    (root / "secrets-of-us").mkdir()
    (root / "secrets-of-us/plan.txt").touch()
    (root / "Über.txt").touch()
    look = os.lstat
    others = {
        "SECRET~1": "secrets-of-us",
        "PLAN~1.TXT": "plan.txt",
        "u\u0308ber.txt": "Über.txt",
        "plan.txt.": "plan.txt",
    }

    def looked(path: str) -> os.stat_result:
        return look("/".join(others.get(part, part) for part in path.split("/")))

    monkeypatch.setattr("smista_mcp.context.paths.os.lstat", looked)
    tree = Tree(root)
    for written in ("SECRET~1", "SECRET~1/plan.txt", "secrets-of-us/PLAN~1.TXT", "secrets-of-us/plan.txt."):
        assert tree.place(written).kind == "unknown", written
    assert tree.place("secrets-of-us/plan.txt").kind == "file"
    assert tree.place("u\u0308ber.txt").kind == "file"  # the same name in another case and composition


def test_what_version_control_stores_is_not_judged_by_name(root: Path) -> None:
    for name in (".git/lfs/objects/aa/x", ".Git/x", "a/.svn/pristine/x", "GIT~1/x", ".git"):
        assert Tree(root).locate(name).unjudged, name
    for name in (".gitignore", ".github/x", "git/x", "x.git/y", ".git2/x"):
        assert not Tree(root).locate(name).unjudged, name
