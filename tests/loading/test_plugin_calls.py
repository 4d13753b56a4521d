"""What a plugin's function does to its process ends with the call."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from smista_mcp.loading.plugin_calls import Interrupted, guarded
from smista_mcp.loading.plugins import unheard


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


def test_a_plugin_that_takes_long_keeps_no_other_waiting() -> None:
    """Neither in another thread nor on the event loop; what all of them print goes where it does no harm."""
    before, inside, enough = sys.stdout, threading.Event(), threading.Event()

    def slow() -> None:
        with unheard():
            inside.set()
            enough.wait(20)

    def quick() -> bool:
        with unheard():
            return sys.stdout is sys.stderr

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(slow)
        try:
            assert inside.wait(5)
            assert pool.submit(quick).result(5)
            assert sys.stdout is sys.stderr
        finally:
            enough.set()
        first.result(5)
    assert sys.stdout is before


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
