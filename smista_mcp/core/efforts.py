"""Which effort a model can be told."""

from collections.abc import Mapping
from typing import NamedTuple

from smista_mcp.core.values import Effort

_STILL = 0.75
"""The part of an effort's tokens with which it is still that effort."""
_RISING = (Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH)


class ToldEffort(NamedTuple):
    """What a model is told.

    Attributes:
        effort: the effort that it has been told; None where it cannot be told any.
        told: that effort in its protocol's words: a word, or tokens to think.
    """

    effort: Effort | None = None
    told: str | int | None = None


def told_effort(levels: Mapping[str, str | int], asked: Effort, room: int | None = None) -> ToldEffort:
    """The highest effort that a model knows and that is not above the asked one; its lowest where all are above.

    More than was asked for is never told, unless the model knows nothing less: it would cost more than was priced.

    Args:
        levels: how the model is told each effort that it knows.
        asked: the effort.
        room: tokens that the answer may have besides what is written: no more of them are told. Where that is clearly
            less than an effort has, it counts as the next lower one.
    """
    known = [effort for effort in _RISING if effort in levels]
    below = [effort for effort in known if _RISING.index(effort) <= _RISING.index(asked)]
    for effort in reversed(below or known[:1]):
        told = levels[effort]
        if isinstance(told, str) or room is None:
            return ToldEffort(effort, told)
        if room >= told * _STILL:
            return ToldEffort(effort, min(told, room))
    return ToldEffort()
