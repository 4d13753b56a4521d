"""Figures for a terminal, as they stand there."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.app.usage import Span
from smista_mcp.cli.charts import Bar, bar, bars, columned, compact, folded, percent, points, shortened
from smista_mcp.cli.usage import chart, lines
from smista_mcp.core.history import UsageReport
from smista_mcp.core.usage import Tokens, Used, grouped, line

COSTS = [("11-18", "1.2"), ("11-19", "0"), ("11-20", "0.04"), ("11-21", "0.61+?")]
BARS = [Bar(label, Decimal(figure.removesuffix("+?")), figure) for label, figure in COSTS]


def test_a_chart_of_blocks() -> None:
    assert list(bars(BARS, 40)) == [
        "11-18  1.2     █████████████████████████",
        "11-19  0",
        "11-20  0.04    ▉",
        "11-21  0.61+?  ████████████▊",
    ]


def test_a_chart_without_blocks() -> None:
    assert list(bars(BARS, 40, blocks=False)) == [
        "11-18  1.2     #########################",
        "11-19  0",
        "11-20  0.04    #",
        "11-21  0.61+?  #############",
    ]


@given(
    rows=st.lists(st.tuples(st.text(min_size=1, max_size=60), st.integers(0, 10**9)), min_size=1, max_size=8),
    columns=st.integers(60, 120),
    blocks=st.booleans(),
)
def test_a_chart_fits_shows_all_that_is_something_and_keeps_the_order_of_sizes(
    rows: list[tuple[str, int]], columns: int, *, blocks: bool
) -> None:
    drawn = list(bars([Bar(label, Decimal(n), str(n)) for label, n in rows], columns, blocks=blocks))
    assert len(drawn) == len(rows)
    for one, (label, number) in zip(drawn, rows, strict=True):
        assert len(one) <= columns
        drawn_bar = one.removeprefix(shortened(label, 34)).replace(str(number), "", 1).strip(" ")
        assert bool(drawn_bar) or not number
    longest = max(number for _, number in rows)
    if longest:
        lengths = {number: len(bar(Decimal(number) / longest, 40, blocks=blocks)) for _, number in rows}
        assert sorted(lengths, key=lambda number: (lengths[number], number)) == sorted(lengths)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        *((0, "0"), (999, "999"), (1_000, "1.0k"), (9_949, "9.9k"), (9_950, "10k"), (45_123, "45k"), (999_499, "999k")),
        *((999_500, "1.0M"), (1_234_567, "1.2M"), (2_000_000_000, "2.0G"), (5 * 10**12, "5000G")),
    ],
)
def test_counts_in_three_digits(number: int, told: str) -> None:
    assert compact(number) == told


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(0, 0, "-"), (0, 5, "0 %"), (1, 1000, "under 1 %"), (999, 1000, "over 99 %"), (5, 5, "100 %"), (-1, 4, "-25 %")],
)
def test_a_share_is_nothing_or_all_only_where_it_is(part: int, whole: int, told: str) -> None:
    assert percent(part, whole) == told


def test_points_stand_below_each_other() -> None:
    assert list(points(["1", "0.25", "unknown", "12.5+?"])) == ["1    ", "0.25 ", "unknown", "12.5+?"]


def test_a_name_is_cut_in_its_middle_and_shows_nothing_that_steers() -> None:
    assert shortened("openai-compat:shop/very-long-name", 20) == "openai-c...long-name"
    assert "\x1b" not in shortened("\x1b[31mred", 20)


def test_columns_end_below_each_other() -> None:
    assert list(columned([["a", "1"], ["long", "100"]])) == ["a       1", "long  100"]


@given(st.text(alphabet=" abc:.", max_size=120), st.integers(40, 80))
def test_folding_loses_no_word_and_leaves_what_fits_as_it_is(text: str, columns: int) -> None:
    told = list(folded([text], columns))
    assert " ".join(told).split() == text.split()
    assert list(folded([text], None)) == [text]
    if len(text) <= columns:
        assert told == [text]


def test_a_line_goes_on_below_its_own_text() -> None:
    rule = "  no match  plans are dear [user:23]: intent is review, not plan"
    assert list(folded([rule], 50)) == [
        "  no match  plans are dear [user:23]: intent is",
        "            review, not plan",
    ]


# ---------------------------------------------------------------------------------------------------- the whole view

ROWS = [
    Used(
        *("2026-11-19", "openai-compat:shop/coder", "remote", "edit", "aa" * 16, "codex", "list"),
        completed=4,
        cost=Decimal("0.084"),
        tokens=Tokens(20_500, 1_000, 0, 1_500, 300),
    ),
    Used(
        *("2026-11-20", "ollama/tiny:latest", "local", "review", "aa" * 16, "codex", "local"),
        completed=3,
        failed=1,
        tokens=Tokens(3_600, 0, 0, 480, 0),
    ),
    Used(
        *("2026-11-20", "openai-compat:odd/m", "remote", "chat", None, "zed", "unknown"),
        completed=2,
        uncertain=1,
        unpriced=2,
        unreported=1,
        held=Decimal("0.5"),
        tokens=Tokens(900, 0, 0, 90, 0),
    ),
]
SPAN = Span.of("2026-11-18", "2026-11-20")


def report(*rows: Used) -> UsageReport:
    return UsageReport(
        since="2026-11-18",
        until="2026-11-20",
        by="model",
        workspace=False,
        total=line(rows),
        today=line([row for row in rows if row.day == "2026-11-20"]),
        groups=grouped(rows, "model"),
        days=grouped(rows, "day"),
    )


def test_the_table_of_fixed_data() -> None:
    assert list(lines(report(*ROWS), 80)) == [
        "2026-11-18 to 2026-11-20 (UTC), every workspace: 0.084+? USD, 11 requests",
        "today: 0+? USD, 7 requests",
        "",
        "model                     requests  input  cached  output  reasoning  USD",
        "openai-compat:shop/coder         4    20k    1.0k    1.5k        300  0.084",
        "ollama/tiny:latest               4   3.6k       0     480          0  0",
        "openai-compat:odd/m              3    900       0      90          0  unknown",
        "all                             11    25k    1.0k    2.1k        300  0.084+?",
        "",
        "local: 4 of 11 requests (36 %), 4.1k of 27k tokens (15 %)",
        "+? not in these figures: 1 request that may have been charged, 2 requests that",
        "  have a cost that nobody knows, 1 request that came without a count of tokens,",
        "  for which up to 0.5 USD is set aside",
    ]


def test_the_chart_of_fixed_data() -> None:
    assert list(chart(report(*ROWS), SPAN, 60, blocks=True)) == [
        "",
        "USD by day",
        "11-18  0",
        "11-19  0.084  ██████████████████████████████████████████████",
        "11-20  0+?",
    ]


def test_where_nothing_costs_anything_tokens_are_charted() -> None:
    told = list(chart(report(ROWS[1]), SPAN, 40, blocks=False))
    assert told == ["", "tokens in and out by day", "11-18  0", "11-19  0", "11-20  4.1k  ###########################"]


def test_many_days_are_charted_by_month() -> None:
    told = list(chart(report(*ROWS), Span.of("2026-09-30", "2026-11-20"), 40, blocks=False))
    assert [one.split("  ")[0] for one in told[1:]] == ["USD by month", "2026-09", "2026-10", "2026-11"]


def test_one_day_is_charted_by_what_is_told_apart_and_nothing_by_nothing() -> None:
    told = list(chart(report(*ROWS), Span.of("2026-11-20", "2026-11-20"), 60, blocks=False))
    assert [one.split("  ")[0] for one in told[1:]] == ["USD by model", *(one.key for one in report(*ROWS).groups)]
    assert list(chart(report(), SPAN, 60, blocks=False)) == []
    assert len(list(lines(report(), 80))) == 2
