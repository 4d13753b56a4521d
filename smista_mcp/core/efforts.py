"""Which effort a model can be told."""

from collections.abc import Mapping
from typing import NamedTuple

from smista_mcp.core.values import Effort

_RISING = (Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH)


class ToldEffort(NamedTuple):
    """What a model is told.

    Attributes:
        effort: the effort that it has been told; None where it cannot be told any.
        told: that effort in its protocol's words: a word, or tokens to think.
    """

    effort: Effort | None = None
    told: str | int | None = None


def told_effort(levels: Mapping[str, str | int], asked: Effort) -> ToldEffort:
    """The highest effort that a model knows and that is not above the asked one; its lowest where all are above.

    More than was asked for is never told, unless the model knows nothing less: it would cost more than was priced.
    """
    known = [effort for effort in _RISING if effort in levels]
    if not known:
        return ToldEffort()
    below = [effort for effort in known if _RISING.index(effort) <= _RISING.index(asked)]
    effort = below[-1] if below else known[0]
    return ToldEffort(effort, levels[effort])
