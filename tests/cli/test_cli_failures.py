import json
import os
import sys

import pytest

from smista_mcp.cli.failures import tell
from smista_mcp.errors import Code, InvalidTask, NotFound, SmistaError


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidTask("m", fix="f"), 2, "invalid_task"),
        (InvalidTask("m", fix="f", code=Code.PATH_OUTSIDE_WORKSPACE), 1, "path_outside_workspace"),
        (NotFound("m", fix="f"), 1, "trace_not_found"),
        (ExceptionGroup("g", [ExceptionGroup("h", [NotFound("m", fix="f")])]), 1, "trace_not_found"),
    ],
)
def test_an_expected_failure_has_its_code_and_status(
    error: Exception, status: int, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tell(error, json=False, debug=False) == status
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", f"smista-mcp: {code}: m\n  f\n")
    assert tell(error, json=True, debug=False) == status
    told = capfd.readouterr()
    assert told.err == ""
    assert json.loads(told.out) == {"error": {"code": code, "message": "m", "fix": "f"}}


def test_without_advice_there_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    error: SmistaError = NotFound("a\nb")
    tell(error, json=False, debug=False)
    assert capfd.readouterr().err == "smista-mcp: trace_not_found: a\\nb\n"


def test_an_interruption_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert tell(KeyboardInterrupt(), json=True, debug=False) == 130
    assert capfd.readouterr() == ("", "")


def test_a_defect_is_one_line_that_does_not_quote_the_task(capfd: pytest.CaptureFixture[str]) -> None:
    defect = ValueError("my secret task")
    assert tell(defect, json=False, debug=False) == 1
    told = capfd.readouterr().err
    assert "internal_error: ValueError" in told
    assert "secret" not in told
    assert "Traceback" not in told


def test_a_defect_shows_its_traceback_on_demand(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="w") as caught:
        int("w")
    assert tell(caught.value, json=True, debug=True) == 1
    told = capfd.readouterr()
    assert "Traceback" in told.err
    assert json.loads(told.out)["error"]["code"] == "internal_error"


def test_output_that_cannot_be_written_is_told_beside_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert tell(NotFound("m"), json=True, debug=False) == 1
        assert tell(OSError(28, "No space left on device"), json=True, debug=False) == 1
        assert tell(BrokenPipeError(), json=True, debug=False) == 141
        monkeypatch.undo()
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "smista-mcp: trace_not_found: m"
    assert lines[1].startswith("smista-mcp: io_error: ")
    assert len(lines) == 3
