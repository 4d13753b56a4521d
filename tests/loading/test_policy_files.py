import os
import socket
from pathlib import Path

import pytest

from smista_mcp.loading.files import MAX_BYTES, Unreadable, is_inside, read_file, stamps

needs_links = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links and pipes of POSIX")


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"a = 1\r\n")
    assert read_file(tmp_path / "a.toml") == b"a = 1\r\n"


@pytest.mark.parametrize("name", ["absent.toml", "no/such/folder.toml"])
def test_an_absent_file_is_nothing(tmp_path: Path, name: str) -> None:
    assert read_file(tmp_path / name) is None
    assert read_file(tmp_path / name, tmp_path) is None


def test_a_name_that_no_file_can_have_is_unreadable(tmp_path: Path) -> None:
    assert isinstance(read_file(tmp_path / "a\0b"), Unreadable | None)


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_refused(tmp_path: Path) -> None:
    file = tmp_path / "big.toml"
    file.write_bytes(b"#" * MAX_BYTES)
    data = read_file(file)
    assert isinstance(data, bytes)
    assert len(data) == MAX_BYTES
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    assert isinstance(read_file(file), Unreadable)


@needs_links
@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "dangling", "device", "loop", "below a file"])
@pytest.mark.parametrize("rooted", [True, False])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str, *, rooted: bool) -> None:
    file = tmp_path / "p"
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.relpath(file))
    elif kind == "dangling":
        file.symlink_to("nowhere")
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "loop":
        file.symlink_to("p")
    else:
        (tmp_path / "f").write_text("")
        file.symlink_to("f/x")
    assert isinstance(read_file(file, tmp_path if rooted else None), Unreadable)


@needs_links
def test_a_folder_that_is_a_link_to_nothing_is_not_taken_for_absence(tmp_path: Path) -> None:
    (tmp_path / ".smista").symlink_to("gone")
    assert isinstance(read_file(tmp_path / ".smista/config.toml", tmp_path), Unreadable)


@needs_links
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("a = 1")
    file.chmod(0)
    assert isinstance(read_file(file), Unreadable)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that opens and cannot be read, on Linux")
def test_a_file_that_opens_and_cannot_be_read_is_refused() -> None:
    assert isinstance(read_file(Path("/proc/self/mem")), Unreadable)


@needs_links
def test_no_link_below_the_root_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "shared").mkdir(parents=True)
    (root / "shared/a.toml").write_text("inside = 1")
    (tmp_path / "b.toml").write_text("outside = 1")
    (root / "in.toml").symlink_to("shared/a.toml")
    (root / "out.toml").symlink_to("../b.toml")
    (root / "folder").symlink_to("..")
    (root / "beside").symlink_to("shared")
    for name in ("in.toml", "out.toml", "folder/b.toml", "beside/a.toml"):
        assert isinstance(read_file(root / name, root), Unreadable)
    assert read_file(root / "shared/a.toml", root) == b"inside = 1"
    assert read_file(root / "out.toml") == b"outside = 1"


@needs_links
def test_a_file_below_the_root_that_has_another_name_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = 1")
    (tmp_path / "b.toml").hardlink_to(tmp_path / "a.toml")
    assert isinstance(read_file(tmp_path / "b.toml", tmp_path), Unreadable)
    assert read_file(tmp_path / "b.toml") == b"a = 1"


@needs_links
def test_a_root_that_is_itself_a_link_is_the_folder_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.toml").write_text("a = 1")
    (tmp_path / "link").symlink_to("real")
    assert read_file(tmp_path / "link/a.toml", tmp_path / "link") == b"a = 1"


def test_a_stamp_changes_with_content_and_presence(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    absent = stamps([file])
    file.write_text("a = 1")
    first = stamps([file])
    assert first == stamps([file])
    other = tmp_path / "b.toml"
    other.write_text("a = 2")
    other.replace(file)
    assert len({absent, first, stamps([file])}) == 3


@needs_links
def test_a_stamp_tells_a_dangling_link_from_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    absent = stamps([file])
    file.symlink_to("nowhere")
    assert stamps([file]) != absent


@needs_links
def test_inside_is_judged_by_name_and_by_target(tmp_path: Path) -> None:
    inner, outer = tmp_path / "w", tmp_path / "o"
    inner.mkdir()
    outer.mkdir()
    (inner / "link-out").symlink_to("../o")
    (outer / "link-in").symlink_to("../w")
    assert is_inside(inner / "x/y.toml", inner)
    assert is_inside(inner / "link-out/y.toml", inner)
    assert is_inside(outer / "link-in/y.toml", inner)
    assert is_inside(outer / ".." / "w" / "y.toml", inner)
    assert is_inside(inner, inner)
    assert not is_inside(outer / "y.toml", inner)
    assert not is_inside(inner / "y.toml", tmp_path / "absent")
