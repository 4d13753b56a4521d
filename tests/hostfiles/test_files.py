"""A user's file is put in place as a whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from smista_mcp.errors import InvalidTask
from smista_mcp.hostfiles.files import BACKUP, read_user_file, write_user_file


def test_what_somebody_else_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    file.write_text("{}")
    shown = read_user_file(file)
    file.write_text('{"a": 1}')
    for data in (b"ours", None):
        with pytest.raises(InvalidTask):
            write_user_file(shown, data)
        assert file.read_text() == '{"a": 1}'
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_a_file_that_came_up_meanwhile_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "new/f.json"
    shown = read_user_file(file)
    file.parent.mkdir()
    file.write_text("theirs")
    with pytest.raises(InvalidTask):
        write_user_file(shown, b"ours")
    assert file.read_text() == "theirs"
    assert [path.name for path in file.parent.iterdir()] == ["f.json"]


@pytest.mark.parametrize(("project", "mode"), [(False, 0o600), (True, 0o644)])
def test_a_new_file_of_the_user_is_for_him_alone(tmp_path: Path, project: bool, mode: int) -> None:
    before = os.umask(0o022)
    try:
        write_user_file(read_user_file(tmp_path / "a/b/f", within=tmp_path if project else None), b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a/b/f").stat().st_mode) == mode


def test_a_file_that_goes_leaves_its_copy(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"\xef\xbb\xbfx")
    shown = read_user_file(file)
    assert (shown.text, shown.encoded("y")) == ("x", b"\xef\xbb\xbfy")
    assert write_user_file(shown, None) == tmp_path / f"f{BACKUP}"
    assert [path.name for path in tmp_path.iterdir()] == [f"f{BACKUP}"]
    assert (tmp_path / f"f{BACKUP}").read_bytes() == b"\xef\xbb\xbfx"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidTask):
        write_user_file(read_user_file(tmp_path / "file/below/f"), b"x")


def test_a_copy_that_cannot_be_written_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    file, copy = tmp_path / "f", tmp_path / f"f{BACKUP}"
    file.write_bytes(b"x")
    copy.mkdir()
    with pytest.raises(InvalidTask) as refused:
        write_user_file(read_user_file(file), b"y")
    assert f"`{copy}`" in refused.value.message
    assert file.read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", f"f{BACKUP}"]
