"""Arguments of a tool call: what is taken, and what a caller is told that gets one wrong."""

from typing import Any

import pytest

from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort, Intent
from smista_mcp.errors import Code, InvalidTask
from smista_mcp.server.arguments import read_task, read_task_or_id


def refusal(arguments: dict[str, Any]) -> InvalidTask:
    with pytest.raises(InvalidTask) as caught:
        read_task("route", arguments)
    assert caught.value.code is Code.INVALID_TASK
    assert len(str(caught.value)) > 40
    return caught.value


def test_every_field_of_a_task_is_taken() -> None:
    task = read_task(
        "route",
        {
            "text": "review it",
            "intent": "review",
            "paths": ["src/auth"],
            "attachments": [{"path": "a.md", "content": ""}],
            "context": ["pull_request"],
            "effort": "low",
        },
    )
    assert (task.intent, task.effort, task.paths) == (Intent.REVIEW, Effort.LOW, ("src/auth",))


def test_null_leaves_an_argument_out() -> None:
    assert read_task("route", {"text": "review it", "paths": None, "model": None}) == Task(text="review it")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("txt", "text"), ("task", "text"), ("prompt", "text"), ("path", "paths"), ("Files", "paths"), ("efort", "effort")],
)
def test_an_unknown_argument_is_refused_with_the_one_that_was_meant(written: str, meant: str) -> None:
    error = refusal({"text": "review it", written: "x"})
    assert f"`{written}`" in error.message
    assert f"`{meant}`" in error.fix


def test_an_argument_of_another_tool_is_unknown() -> None:
    with pytest.raises(InvalidTask) as caught:
        read_task("classify", {"text": "review it", "effort": "low"})
    assert "`effort`" in caught.value.message


def test_a_name_that_is_no_name_is_shown_harmless() -> None:
    error = refusal({"te\nxt\ud800" + "x" * 1000: 1})
    assert str(error).isprintable()
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("arguments", "named", "shown"),
    [
        ({}, "text", "text"),
        ({"text": None}, "text", "text"),
        ({"text": 5}, "text", "a number"),
        ({"text": ["x"]}, "text", "a list"),
        ({"text": ""}, "text", "empty"),
        ({"text": " \n"}, "text", "empty"),
        ({"text": "a\0b"}, "text", "NUL"),
        ({"text": "\ud800"}, "text", "surrogate"),
        ({"text": "x" * 1_000_001}, "text", "1000000"),
        ({"text": "x", "paths": "src"}, "paths", "a string"),
        ({"text": "x", "paths": [1]}, "paths[0]", "a number"),
        ({"text": "x", "paths": [""]}, "paths[0]", "empty"),
        ({"text": "x", "paths": {"a": 1}}, "paths", "an object"),
        ({"text": "x", "paths": ["a"] * 10_001}, "paths", "10000"),
        ({"text": "x", "attachments": ["a"]}, "attachments[0]", "a string"),
        ({"text": "x", "attachments": [{"path": "a"}]}, "attachments[0].content", "missing"),
        ({"text": "x", "attachments": [{"path": "a", "content": "b", "c": 1}]}, "attachments[0].c", "not known"),
        ({"text": "x", "effort": True}, "effort", "a truth value"),
        ({"text": "x", "intent": "reviw"}, "intent", "`review`"),
        ({"text": "x", "intent": "REVIEW"}, "intent", "`review`"),
        ({"text": "x", "context": ["git"]}, "context[0]", "git_diff"),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_what_is_wrong(arguments: dict[str, Any], named: str, shown: str) -> None:
    error = refusal(arguments)
    assert f"`{named}`" in str(error)
    assert shown in str(error)


def test_many_mistakes_are_told_in_part_and_counted() -> None:
    error = refusal({"text": "x", "paths": [1, 2, 3, 4, 5]})
    assert "and 2 more" in error.message


@pytest.mark.parametrize("name", ["decision_id", "trace_id", "job_id"])
def test_explain_takes_one_id(name: str) -> None:
    assert read_task_or_id("explain", {name: "abc", "text": None}) == "abc"


def test_dispatch_takes_a_task_or_a_job() -> None:
    assert read_task_or_id("dispatch", {"job_id": "abc"}) == "abc"
    assert read_task_or_id("dispatch", {"text": "review it"}) == Task(text="review it")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"job_id": "abc", "text": "x"}, {"job_id": " "}, {"job_id": 5}, {"decision_id": "abc"}, {"effort": "low"}],
)
def test_dispatch_refuses_what_is_neither_a_task_nor_a_job(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidTask):
        read_task_or_id("dispatch", arguments)


def test_explain_refuses_two_ids() -> None:
    with pytest.raises(InvalidTask) as caught:
        read_task_or_id("explain", {"trace_id": "a", "job_id": "b"})
    assert "`job_id`" in caught.value.message
