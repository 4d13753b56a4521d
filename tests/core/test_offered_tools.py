"""Who is offered tools, and what their rounds may cost."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.costing import Course, price_range
from smista_mcp.core.facts import PathFact, PhaseContext
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.prices import Price, Rate
from smista_mcp.core.readtools import CAPS, READ_TOOLS, most_tokens, tools_of
from smista_mcp.core.values import Grant, Intent

FREE = {"file_read": Grant.ALLOW, "git": Grant.ALLOW}
NOTHING = PhaseContext()
FACTS = ModelFacts(
    ref=ModelRef("p", "m"),
    known=True,
    context_window=100_000,
    max_output_tokens=None,
    capabilities={},
    price=Price(Rate(Decimal(2)), Rate(Decimal(10))),
    price_kind="list",
    source="a test",
    nearest=(),
    token_factor=1.0,
)


@pytest.mark.parametrize(
    ("file_read", "git", "tools"),
    [
        (Grant.ALLOW, Grant.ALLOW, READ_TOOLS),
        (Grant.ALLOW, Grant.ASK, READ_TOOLS[:-1]),
        (Grant.ALLOW, Grant.DENY, READ_TOOLS[:-1]),
        (Grant.ASK, Grant.ALLOW, ()),
        (Grant.DENY, Grant.ALLOW, ()),
    ],
)
def test_permissions_give_tools_only_where_nobody_has_to_be_asked(
    file_read: Grant, git: Grant, tools: tuple[str, ...]
) -> None:
    assert tools_of(Intent.EDIT, {"file_read": file_read, "git": git}, NOTHING) == tools


@given(
    intent=st.sampled_from(Intent),
    left=st.none() | st.frozensets(st.sampled_from((*READ_TOOLS, "shell", "write_file"))),
    git=st.sampled_from(Grant),
)
def test_a_skill_only_takes_tools_away(intent: Intent, left: frozenset[str] | None, git: Grant) -> None:
    grants = {**FREE, "git": git}
    whole = tools_of(intent, grants, NOTHING)
    found = tools_of(intent, grants, NOTHING._replace(tools=left))
    assert found == tuple(tool for tool in whole if left is None or tool in left)


@pytest.mark.parametrize(("required", "offered"), [(True, True), (False, False)])
def test_a_question_is_offered_tools_where_it_is_about_the_workspace(required: bool, offered: bool) -> None:
    context = PhaseContext(paths=(PathFact("src/a.py", "named", required=required),))
    assert bool(tools_of(Intent.CHAT, FREE, context)) is offered
    assert tools_of(Intent.CHAT, FREE, NOTHING) == ()


def test_rounds_are_in_the_upper_end_of_a_price_and_not_in_the_lower() -> None:
    plain = price_range(FACTS, input_tokens=1_000, expected_output=500, attempts=2)
    rounds = price_range(
        FACTS, input_tokens=1_000, expected_output=500, attempts=2, course=Course(rounds=3, grown=9_000)
    )
    assert plain is not None
    assert rounds is not None
    assert (plain.min, plain.max) == ("0.002", "0.009")
    # two tries, each of one request of 1,000 and three of 10,000 tokens, and the answer once
    assert (rounds.min, Decimal(rounds.max)) == ("0.002", Decimal("0.129"))
    each = FACTS._replace(price=Price(Rate(Decimal(2)), Rate(Decimal(10)), request=Decimal("0.01")))
    asked = price_range(each, input_tokens=0, expected_output=0, attempts=2, course=Course(rounds=3))
    assert asked is not None
    assert (asked.min, asked.max) == ("0.01", "0.08")


def test_the_caps_say_what_results_add_at_most() -> None:
    assert most_tokens() * 3 >= CAPS.total_bytes > (most_tokens() - 1) * 3
    assert CAPS.result_bytes <= CAPS.total_bytes
