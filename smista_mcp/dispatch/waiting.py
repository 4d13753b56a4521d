"""How long to wait before the same model is asked again."""

from collections.abc import Callable
from dataclasses import dataclass

FIRST_S = 0.5
"""The wait before the first repetition, where the provider names none; each later one is twice as long."""
MOST_S = 8.0


@dataclass(frozen=True, slots=True)
class Waits:
    """Waits that grow and are never the same for two callers, so that these do not come back together.

    Attributes:
        draw: gives figures from 0 to below 1; the same figures, the same waits.
        first_s: seconds of the first wait, at most.
        most_s: seconds that no wait is longer than.
    """

    draw: Callable[[], float]
    first_s: float = FIRST_S
    most_s: float = MOST_S

    def before(self, repetition: int, asked_s: float | None) -> float:
        """Seconds before a repetition, counted from 0.

        Args:
            repetition: which.
            asked_s: what the provider asked for; that is kept to the letter.
        """
        if asked_s is not None:
            return asked_s
        longest = min(self.most_s, self.first_s * 2**repetition)
        return longest * (1 + self.draw()) / 2
