"""A call of a plugin's function, after which this process goes on as before."""

import sys
import threading

from smista_mcp.core.plugin import Plain, Select


class Interrupted(Exception):
    """The function has raised `KeyboardInterrupt` where no person could have pressed a key."""


def guarded(select: Select) -> Select:
    """The function, unable to end the process from a thread of ours, or to leave Python a smaller stack.

    A person's interruption arrives in the main thread alone, and passes.
    """

    def call(asked: dict[str, Plain]) -> object:
        depth = sys.getrecursionlimit()
        try:
            return select(asked)
        except KeyboardInterrupt:
            if threading.current_thread() is threading.main_thread():
                raise
            raise Interrupted from None
        finally:
            if sys.getrecursionlimit() != depth:
                sys.setrecursionlimit(depth)

    return call
