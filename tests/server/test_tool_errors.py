"""What a host and a log are told of failures."""

import logging
from collections.abc import Iterator

import pytest
from mcp_types import CallToolResult, TextContent

from smista_mcp.errors import Code, InvalidTask, NotFound, PolicyInvalid
from smista_mcp.server.errors import told, unknown_tool, withheld
from smista_mcp.server.startup import OneLine


def text_of(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def test_an_expected_failure_is_told_in_its_own_words() -> None:
    result = told(PolicyInvalid("line 3: unknown key `modle`", fix="write `model`"))
    assert result.is_error
    assert result.structured_content is None
    assert text_of(result) == "policy_invalid: line 3: unknown key `modle` (write `model`)"


def test_a_failure_about_a_name_that_is_not_unicode_can_be_sent() -> None:
    text_of(told(InvalidTask("no file \udcff.txt"))).encode()


def test_a_tool_that_is_not_there_is_told_with_those_that_are() -> None:
    assert text_of(unknown_tool()).startswith(Code.INVALID_TASK)
    assert "dispatch" in text_of(unknown_tool())


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        _raise(error)
    return caught.value


def _raise(error: Exception) -> None:
    raise error


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(OneLine().format(record))

    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


def test_a_defect_is_logged_by_place_and_told_by_reference_without_its_words(log: list[str]) -> None:
    group = ExceptionGroup("many", [raised(KeyError("a secret")), raised(NotFound("no trace `x`"))])
    text = text_of(withheld("route", group))
    assert "secret" not in text
    assert text.startswith("internal_error: ")
    reference = text.partition("reference ")[2][:8]
    assert [reference in line for line in log] == [True, True]
    assert "KeyError at test_tool_errors.py:" in log[0]
    assert not any("secret" in line for line in log)


def test_a_log_line_of_a_library_says_the_kind_of_its_exception_alone(log: list[str]) -> None:
    logging.getLogger("mcp").error("failed to parse\nKeyError('a secret')", exc_info=raised(ValueError("a secret")))
    assert log == ["smista-mcp: error in mcp: failed to parse (ValueError)"]
