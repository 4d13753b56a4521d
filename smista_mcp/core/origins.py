"""Where a label comes from: the way back from an answer to what it was made from. Names and reasons, no contents."""

from collections.abc import Iterable

from smista_mcp.core.values import Value


class Link(Value):
    """One step of the way. `reason` says why it is labelled by itself; it is empty where the way goes on."""

    name: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})" if self.reason else self.name


Chain = tuple[Link, ...]
"""From an answer back to the first cause, each step made from the one behind it."""


def shortest(chains: Iterable[Chain]) -> Chain:
    """The one with the fewest steps; of several the one that reads first. Empty where there is none."""
    return min(chains, key=lambda chain: (len(chain), told(chain)), default=())


def told(chain: Chain) -> str:
    """In words: `answer of phase 1 <- answer of phase 0 <- src/key.py (restricted by ...)`."""
    return " <- ".join(map(str, chain))
