"""Answers that are kept from the host."""

import os
import stat
from pathlib import Path

import pytest

from smista_mcp.dispatch.answerfiles import KEPT_DAYS, AnswerFiles
from smista_mcp.errors import StateUnavailable


def test_an_answer_is_kept_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "state" / "answers"
    kept = AnswerFiles(folder).keep("größer\n")
    file = Path(kept.path)
    assert (file.parent, file.read_bytes()) == (folder, "größer\n".encode())
    assert kept.bytes == 9
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(step.stat().st_mode) for step in (folder, *folder.parents[:2])] == [0o700] * 3


def test_each_answer_has_a_file_of_its_own(tmp_path: Path) -> None:
    files = AnswerFiles(tmp_path / "answers")
    assert len({files.keep("the same").path for _ in range(5)}) == 5


@pytest.mark.parametrize("way", ["a file", "a link"])
def test_an_answer_is_not_written_into_what_somebody_put_there(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "answers"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if way == "a file":
        folder.write_text("", encoding="utf-8")
    else:
        folder.symlink_to(elsewhere)
    with pytest.raises(StateUnavailable) as failure:
        AnswerFiles(folder).keep("hush")
    assert "hush" not in str(failure.value)
    assert list(elsewhere.iterdir()) == []


def test_answers_are_forgotten_after_a_month(tmp_path: Path) -> None:
    files = AnswerFiles(tmp_path / "answers")
    old, new = (Path(files.keep(text).path) for text in ("old", "new"))
    other = tmp_path / "answers/notes.txt"
    other.write_text("mine", encoding="utf-8")
    now = new.stat().st_mtime
    long_ago = now - KEPT_DAYS * 86400 - 1
    for path in (old, other):
        os.utime(path, (long_ago, long_ago))
    files.forget(now)
    assert (old.exists(), new.read_text(encoding="utf-8"), other.exists()) == (False, "new\n", True)
    AnswerFiles(tmp_path / "nothing").forget(now)
    assert not (tmp_path / "nothing").exists()
