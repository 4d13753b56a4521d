"""Providers that are left alone for a moment, and the waits before a model is asked again: on a clock of the test."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.dispatch.cooldown import FAILURES, REST_S, Cooldowns
from smista_mcp.dispatch.waiting import MOST_S, Waits
from smista_mcp.errors import Cause, Code, ProviderError

DOWN = ProviderError("", code=Code.PROVIDER_UNAVAILABLE, cause=Cause.SERVER_ERROR)
KEY = ProviderError("", code=Code.PROVIDER_AUTH, cause=Cause.AUTH)
OURS = ProviderError("", code=Code.RESTRICTED_CONTENT)


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def went(cooldowns: Cooldowns, *errors: ProviderError | None) -> None:
    for error in errors:
        with cooldowns.visit("p") as visit:
            visit.went(error)


def resting() -> tuple[Cooldowns, Clock]:
    clock = Clock()
    cooldowns = Cooldowns(clock)
    went(cooldowns, *[DOWN] * FAILURES)
    return cooldowns, clock


def test_five_failures_in_a_row_are_needed() -> None:
    cooldowns = Cooldowns(Clock())
    went(cooldowns, *[DOWN] * (FAILURES - 1))
    assert cooldowns.cooled() == frozenset()
    went(cooldowns, DOWN)
    assert cooldowns.cooled() == {"p"}
    with pytest.raises(ProviderError) as caught, cooldowns.visit("p"):
        pass
    assert caught.value.code is Code.PROVIDER_COOLDOWN
    with cooldowns.visit("another"):
        pass


@pytest.mark.parametrize("between", [None, KEY])
def test_whoever_answers_begins_anew(between: ProviderError | None) -> None:
    cooldowns = Cooldowns(Clock())
    went(cooldowns, *[DOWN] * (FAILURES - 1), between, *[DOWN] * (FAILURES - 1))
    assert cooldowns.cooled() == frozenset()


def test_our_own_refusals_count_for_nothing() -> None:
    cooldowns = Cooldowns(Clock())
    went(cooldowns, *[OURS] * 20)
    assert cooldowns.cooled() == frozenset()
    went(cooldowns, *[DOWN] * (FAILURES - 1), OURS, DOWN)
    assert cooldowns.cooled() == {"p"}


def test_behind_the_rest_one_probe_goes_and_the_others_wait_for_it() -> None:
    cooldowns, clock = resting()
    clock.at = REST_S
    assert cooldowns.cooled() == frozenset()
    with cooldowns.visit("p") as probe:
        assert cooldowns.cooled() == {"p"}
        with pytest.raises(ProviderError), cooldowns.visit("p"):
            pass
        probe.went(None)
    assert cooldowns.cooled() == frozenset()
    went(cooldowns, *[DOWN] * (FAILURES - 1))
    assert cooldowns.cooled() == frozenset()


def test_a_probe_that_fails_rests_again_at_once() -> None:
    cooldowns, clock = resting()
    clock.at = REST_S
    went(cooldowns, DOWN)
    assert cooldowns.cooled() == {"p"}
    clock.at = 2 * REST_S
    assert cooldowns.cooled() == frozenset()


@pytest.mark.parametrize("told", [True, False])
def test_a_probe_that_came_to_nothing_leaves_the_place_to_the_next(*, told: bool) -> None:
    cooldowns, clock = resting()
    clock.at = REST_S
    with cooldowns.visit("p") as probe:
        if told:
            probe.went(OURS)
    went(cooldowns, None)
    assert cooldowns.cooled() == frozenset()


@given(st.integers(0, 2**32), st.integers(0, 40))
def test_waits_grow_up_to_a_limit_and_are_held_by_their_seed(seed: int, repetition: int) -> None:
    one, other = (Waits(random.Random(seed).random) for _ in range(2))  # noqa: S311  waits, no secrets
    wait = one.before(repetition, None)
    assert wait == other.before(repetition, None)
    longest = min(MOST_S, 0.5 * 2**repetition)
    assert longest / 2 <= wait <= longest


def test_what_the_provider_asks_for_is_kept_to_the_letter() -> None:
    assert Waits(lambda: 0.5).before(3, 0.125) == 0.125
    assert Waits(lambda: 0.5).before(0, 40.0) == 40.0
