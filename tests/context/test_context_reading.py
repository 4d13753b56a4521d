import hashlib
import os
import threading
from pathlib import Path

import pytest

from smista_mcp.context.reading import Reading, Unread, open_checked, read_file


def test_a_file_is_read_whole_with_its_hash(root: Path) -> None:
    (root / "a").mkdir()
    data = "grüß\r\n\ufeff".encode()
    (root / "a" / "x").write_bytes(data)
    reading = read_file(root, ("a", "x"), 100)
    assert isinstance(reading, Reading)
    assert reading.text.encode() == data
    assert (reading.size, reading.names) == (len(data), 1)
    assert reading.digest == hashlib.sha256(data).hexdigest()


def test_a_hard_link_is_noticed(root: Path) -> None:
    (root / "x").touch()
    (root / "y").hardlink_to(root / "x")
    first, second = read_file(root, ("x",), 9), read_file(root, ("y",), 9)
    assert isinstance(first, Reading)
    assert isinstance(second, Reading)
    assert first.names == 2
    assert first.identity == second.identity


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfe", b"caf\xe9"])
def test_what_is_no_text_is_binary(root: Path, data: bytes) -> None:
    (root / "x").write_bytes(data)
    assert read_file(root, ("x",), 100) == Unread("binary")


def test_a_file_over_the_cap_is_not_taken(root: Path) -> None:
    (root / "x").write_bytes(b"a" * 101)
    assert isinstance(read_file(root, ("x",), 100), Unread)
    assert isinstance(read_file(root, ("x",), 101), Reading)


@pytest.mark.parametrize("opening", ["segmentwise", "checked"])
@pytest.mark.parametrize(
    "parts", [("link",), ("folder", "x"), ("pipe",), ("sub",), ("missing",), ("sub", "missing"), ("circle",)]
)
def test_links_and_what_is_no_regular_file_are_not_opened(root: Path, parts: tuple[str, ...], opening: str) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "x").touch()
    (root / "link").symlink_to("sub/x")
    (root / "folder").symlink_to("sub")
    (root / "circle").symlink_to("circle")
    os.mkfifo(root / "pipe")
    answer = read_file(root, parts, 9) if opening == "segmentwise" else open_checked(root, parts)
    assert isinstance(answer, Unread)


def test_the_checked_way_opens_a_plain_file(root: Path) -> None:
    (root / "x").write_bytes(b"abc")
    opened = open_checked(root, ("x",))
    assert isinstance(opened, int)
    assert os.read(opened, 9) == b"abc"
    os.close(opened)


@pytest.mark.parametrize("parts", [(), ("..", "x"), (".",), ("",), ("a/b",), ("a\0",)])
def test_only_plain_names_are_opened(root: Path, parts: tuple[str, ...]) -> None:
    assert isinstance(read_file(root, parts, 9), Unread)


def test_a_file_swapped_for_a_link_while_reading_never_leaks(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (root / "a").mkdir()
    (root / "a" / "x").write_text("free", encoding="utf-8")
    (root / "b").mkdir()
    (root / "b" / "x").symlink_to(tmp_path / "secret")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (root / "a").rename(root / "c")
            (root / "b").rename(root / "a")
            (root / "a").rename(root / "b")
            (root / "c").rename(root / "a")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen = {r.text if isinstance(r := read_file(root, ("a", "x"), 99), Reading) else None for _ in range(500)}
    finally:
        done.set()
        thread.join()
    assert seen <= {"free", None}
    assert "secret" not in seen
