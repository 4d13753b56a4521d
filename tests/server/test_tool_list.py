"""What every host puts in front of its model: the list of tools, its size and its honesty."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from smista_mcp.core.answers import ClassifiedPhase, ClassifyAnswer, RouteAnswer
from smista_mcp.core.decision import Decision
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.core.explained import ExplainAnswer, ExplainedPhase
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import ContextKind, Effort, Intent, Value
from smista_mcp.server.instructions import INSTRUCTIONS
from smista_mcp.server.schemas import FIELDS, TASK_FIELDS, ToolName
from smista_mcp.server.tools import TOOLS

SNAPSHOT = Path(__file__).with_name("tools_snapshot.json")
LISTED: dict[str, dict[str, Any]] = {
    tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in TOOLS
}


def tokens(*keys: str) -> float:
    """Size as a model pays it: characters of compact JSON, four a token."""
    shown = [{key: tool[key] for key in keys} for tool in LISTED.values()]
    return len(json.dumps(shown, ensure_ascii=False, separators=(",", ":"))) / 4


def names_of(value: type[Value]) -> set[str]:
    return {field.serialization_alias or name for name, field in value.model_fields.items() if not field.exclude}


def taken(tool: str, name: str) -> dict[str, Any]:
    return LISTED[tool]["inputSchema"]["properties"][name]


def test_the_list_is_the_one_that_was_agreed_on() -> None:
    """After a change that is meant, write `json.dumps(list(LISTED.values()), indent=1)` there and read the diff."""
    assert json.loads(SNAPSHOT.read_text(encoding="utf-8")) == list(LISTED.values())


def test_the_tools_stand_in_their_order() -> None:
    assert list(LISTED) == ["classify", "route", "explain", "dispatch"]


def test_what_a_model_sees_of_all_four_costs_at_most_1200_tokens() -> None:
    assert tokens("name", "description", "inputSchema") <= 1200


def test_with_what_they_give_they_cost_at_most_2500_tokens() -> None:
    assert tokens("name", "description", "inputSchema", "outputSchema") <= 2500


def test_the_instructions_are_three_lines_of_at_most_600_characters() -> None:
    assert len(INSTRUCTIONS) <= 600
    assert len(INSTRUCTIONS.splitlines()) == 3


@pytest.mark.parametrize("name", ["classify", "route", "explain"])
def test_a_tool_that_only_reads_says_so(name: str) -> None:
    assert LISTED[name]["annotations"] == {
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }


def test_dispatch_says_that_it_acts_on_the_world() -> None:
    assert LISTED["dispatch"]["annotations"] == {
        "readOnlyHint": False,
        "destructiveHint": False,
        "idempotentHint": False,
        "openWorldHint": True,
    }


@pytest.mark.parametrize("name", FIELDS)
def test_the_schemas_are_valid_and_closed_to_arguments_that_they_do_not_name(name: ToolName) -> None:
    schema = LISTED[name]["inputSchema"]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator.check_schema(LISTED[name]["outputSchema"])
    assert schema["additionalProperties"] is False
    assert tuple(schema["properties"]) == FIELDS[name]
    assert "title" not in json.dumps(schema)


def test_a_task_takes_every_field_that_it_has() -> None:
    assert set(TASK_FIELDS) == names_of(Task)
    assert set(taken("route", "attachments")["items"]["properties"]) == names_of(Attachment)


def test_the_closed_vocabularies_are_listed_in_full() -> None:
    for tool in ("route", "explain", "dispatch"):
        assert taken(tool, "intent")["enum"] == list(Intent)
        assert taken(tool, "effort")["enum"] == list(Effort)
        assert taken(tool, "context")["items"]["enum"] == list(ContextKind)


@pytest.mark.parametrize(
    ("name", "answer", "items", "phase"),
    [
        ("classify", ClassifyAnswer, "phases", ClassifiedPhase),
        ("route", RouteAnswer, "decisions", Decision),
        ("explain", ExplainAnswer, "phases", ExplainedPhase),
        ("dispatch", DispatchAnswer, "phases", DispatchedPhase),
    ],
)
def test_what_a_tool_gives_is_described_in_full(name: str, answer: type[Value], items: str, phase: type[Value]) -> None:
    properties = LISTED[name]["outputSchema"]["properties"]
    assert set(properties) == names_of(answer)
    assert set(properties[items]["items"]["properties"]) == names_of(phase)
