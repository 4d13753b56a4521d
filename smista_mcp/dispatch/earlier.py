"""The patches of earlier steps of a task: they are not applied yet, and later steps build on them all the same."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Self


class Earlier(NamedTuple):
    """Patches that come before.

    Attributes:
        made: by the index of the phase, the patch and what it makes of files, None where it deletes one.
    """

    made: Mapping[int, tuple[str, Mapping[str, str | None]]] = MappingProxyType({})

    @property
    def patches(self) -> tuple[str, ...]:
        """In the order of their phases."""
        return tuple(self.made[index][0] for index in sorted(self.made))

    @property
    def after(self) -> Mapping[str, str | None]:
        """What all of them together make of files."""
        return {name: text for index in sorted(self.made) for name, text in self.made[index][1].items()}

    def with_patch(self, phase: int, patch: str, after: Mapping[str, str | None]) -> Self:
        """These and one more."""
        return self._replace(made={**self.made, phase: (patch, after)})


def all_of(several: Iterable[Earlier]) -> Earlier:
    """What several steps leave behind, together."""
    return Earlier({index: one for earlier in several for index, one in earlier.made.items()})
