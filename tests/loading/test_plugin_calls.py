"""What a plugin's function does to its process ends with the call."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from smista_mcp.loading.plugin_calls import Interrupted, guarded


def interrupts(_: object) -> object:
    raise KeyboardInterrupt


def shrinks(_: object) -> object:
    sys.setrecursionlimit(sys.getrecursionlimit() - 500)
    return ["a"]


def test_an_interruption_is_a_persons_in_the_main_thread_alone() -> None:
    with pytest.raises(KeyboardInterrupt):
        guarded(interrupts)({})
    with ThreadPoolExecutor(1) as pool, pytest.raises(Interrupted):
        pool.submit(guarded(interrupts), {}).result()


def test_the_depth_of_the_stack_is_what_it_was() -> None:
    before = sys.getrecursionlimit()

    def shrinks_and_fails(asked: object) -> object:
        shrinks(asked)
        raise ValueError

    assert guarded(shrinks)({}) == ["a"]
    assert sys.getrecursionlimit() == before
    with pytest.raises(ValueError, match=r"^$"):
        guarded(shrinks_and_fails)({})
    assert sys.getrecursionlimit() == before
