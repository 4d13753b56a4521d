"""Rates and shares, as laws: nobody gets more than theirs, and nobody else's depends on it."""

from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.server.limits import MOST_KNOWN, AtOnce, Rate, Sessions

GAPS = st.lists(st.floats(0, 30), min_size=1, max_size=200)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(a_minute=st.integers(1, 600), gaps=GAPS)
def test_no_rate_is_overstepped_and_no_wait_is_too_short(a_minute: int, gaps: list[float]) -> None:
    clock = Clock()
    rate = Rate(a_minute, clock)
    let_in = 0
    for gap in gaps:
        clock.now += gap
        wait_s = rate.wait_s("x")
        let_in += not wait_s
        most = max(1.0, a_minute / 4) + clock.now * a_minute / 60
        assert let_in <= most + 1e-6
        if wait_s:
            clock.now += wait_s + 1e-6
            assert not rate.wait_s("x")
            let_in += 1


@given(gaps=GAPS)
def test_what_one_does_is_nothing_to_another(gaps: list[float]) -> None:
    clock = Clock()
    alone, beside = Rate(60, clock), Rate(60, clock)
    for gap in gaps:
        clock.now += gap
        beside.wait_s("other")
        beside.wait_s("other")
        assert alone.wait_s("x") == beside.wait_s("x")


def test_only_so_many_are_remembered() -> None:
    rate = Rate(4, Clock())
    assert (rate.wait_s("x"), rate.wait_s("x") > 0) == (0.0, True)
    for number in range(MOST_KNOWN):
        rate.wait_s(str(number))
    assert rate.wait_s("x") == 0.0


@given(most=st.integers(1, 5), steps=st.lists(st.booleans(), max_size=50))
def test_what_is_held_is_given_back(most: int, steps: list[bool]) -> None:
    room, held = AtOnce(most), 0
    for take in steps:
        if take and room.has_room("x"):
            room.take("x")
            held += 1
        elif not take and held:
            room.give_back("x")
            held -= 1
        assert held <= most
        assert room.has_room("x") == (held < most)
        assert room.has_room("y")


def test_sessions_count_until_they_end_or_fall_silent() -> None:
    clock = Clock()
    sessions = Sessions(2, 10, clock)
    for name in ("a", "b"):
        assert sessions.has_room("x")
        sessions.begun("x", name)
    assert (sessions.has_room("x"), sessions.has_room("y")) == (False, True)
    sessions.ended("x", "a")
    sessions.ended("y", "a")
    assert sessions.has_room("x")
    sessions.begun("x", "c")
    clock.now = 6
    sessions.used("x", "b")
    sessions.used("x", "unknown")
    sessions.used("y", "b")
    assert not sessions.has_room("x")
    clock.now = 12  # c is silent for 12 seconds, b for 6
    assert sessions.has_room("x")
