import io
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.cli.printing import (
    ProgressLine,
    abandon,
    confirmed,
    content,
    is_terminal,
    one_line,
    printable,
    put_json,
    put_notices,
    put_table,
)
from smista_mcp.core.receipt import Receipt, WithheldItem

FORGED = "a\nb\x1b[31m\u202ec\x9b\t"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text())
def test_a_line_is_one_line_that_steers_nothing(text: str) -> None:
    assert one_line(text).isprintable()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_printed_is_left_as_it_is(text: str) -> None:
    assert one_line(text) == text == content(text)


def test_an_answer_keeps_its_lines_and_loses_what_steers() -> None:
    assert content("a\r\nb\tc") == "a\r\nb\tc"
    assert content("a\rb\x1b]0;t\x07\u202e\x9b") == "a\\rb\\x1b]0;t\\x07\\u202e\\x9b"


def test_every_text_inside_a_value_is_made_fit_to_be_shown() -> None:
    receipt = Receipt(withheld=(WithheldItem(path=FORGED, reason="ok"),), body_bytes=1, body_sha256="é")
    shown = printable(receipt)
    assert shown.withheld[0].path == one_line(FORGED)
    assert (shown.withheld[0].reason, shown.body_bytes, shown.body_sha256) == ("ok", 1, "é")


def test_a_value_that_is_fit_already_is_not_copied() -> None:
    receipt = Receipt(body_bytes=1, body_sha256="ab")
    assert printable(receipt) is receipt


def test_columns_are_as_wide_as_what_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    put_table([("a", "bb", "c"), ("aaa", "b\n", ""), ("x",)], indent=" ")
    assert capsys.readouterr().out.splitlines() == [" a    bb   c", " aaa  b\\n", " x"]


def test_no_rows_are_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    put_table([])
    assert capsys.readouterr().out == ""


def test_json_has_no_characters_that_the_output_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, expected in (("utf-8", b'"\xc3\xa9"'), ("ascii", b'"\\u00e9"')):
        with (tmp_path / encoding).open("w", encoding=encoding) as file:
            monkeypatch.setattr(sys, "stdout", file)
            put_json("é")
            monkeypatch.undo()
        assert (tmp_path / encoding).read_bytes().strip() == expected


def test_notices_go_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    put_notices(["a\nb"])
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "note: a\\nb\n")


def test_a_progress_line_is_written_over_on_a_terminal() -> None:
    stream = Terminal()
    line = ProgressLine(stream)
    line.show("10 %", due=False)
    line.show("9", due=False)
    line.clear()
    line.clear()
    assert stream.getvalue() == "\r10 %\r9   \r \r"


def test_elsewhere_progress_is_a_line_when_one_is_due() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.show("1\n2", due=True)
    line.show("3", due=False)
    line.clear()
    assert stream.getvalue() == "1\\n2\n"


def test_progress_on_a_broken_stream_ends_nothing() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ProgressLine(full).show("x", due=True)


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_a_yes_is_a_yes(typed: str, agreed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert confirmed("Go on?") is agreed


def test_what_cannot_be_read_is_no_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "typed").write_bytes(b"\xff\n")
    with (tmp_path / "typed").open(encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert not confirmed("Go on?")


def test_what_is_closed_is_no_terminal() -> None:
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(closed)
    assert not is_terminal(None)
    assert is_terminal(Terminal())


def test_a_broken_stream_is_abandoned_so_that_it_can_be_closed() -> None:
    broken = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", encoding="utf-8")
    broken.write("x")
    abandon(broken)
    broken.close()
    abandon(None)
    abandon(io.StringIO())


@pytest.mark.parametrize("unseen", "\u00ad\u200b\u2060\u3164\u2800\u202e\ufeff\x7f\U000e0041\U000e0100")
def test_what_nobody_sees_is_shown_and_is_the_same_to_a_program(
    unseen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"a{unseen}é"
    for line in (one_line(text), content(text)):
        assert unseen not in line
        assert line == f"a{ascii(unseen)[1:-1]}é"
    put_json({text: [text]})
    printed = capsys.readouterr().out
    assert unseen not in printed
    assert json.loads(printed) == {text: [text]}
