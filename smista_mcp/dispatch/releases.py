"""Texts that a person has let go, texts that nobody can let go, and what completed phases leave behind for that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from smista_mcp.core.approval import HOST_DESTINATION
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.pieces import Piece
from smista_mcp.core.routing import Routed

_NOBODY = "which nobody can release"


@dataclass(frozen=True, slots=True)
class Releases:
    """What people have let go, by the hash of the exact bytes.

    Attributes:
        known: SHA-256 of a text, in hex -> destinations.
    """

    known: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def to(self, destination: str) -> frozenset[str]:
        """The hashes of the texts that may go there: `host`, or the resolved name of a model."""
        return frozenset(sha256 for sha256, allowed in self.known.items() if destination in allowed)

    def to_host(self) -> frozenset[str]:
        return self.to(HOST_DESTINATION)


class Hold(NamedTuple):
    """Why no person can let a text go: to anybody, or to models alone; None where one can.

    Attributes:
        all: blocked content was part of it, or a secret stands in it.
        models: these, or a binding rule keeps it here.
    """

    all: str | None = None
    models: str | None = None


def hold_on(
    routed: Routed, context: PhaseContext, blocked: GlobSet, inherited: Iterable[Hold], *, secret: bool
) -> Hold:
    """What stands against the release of a phase's answer, whatever a person says.

    Args:
        routed: the phase.
        context: its context; all of it counts, whether or not the model was given it.
        blocked: paths of which nothing ever leaves.
        inherited: of the answers that it was made from.
        secret: whether a secret stands in the text itself.
    """
    before = list(inherited)
    forms = [form for path in context.paths if path.required for form in path.forms or (path.path,)]
    forms += [form for item in context.items for form in item.forms or (item.path,)]
    everything = next((one.all for one in before if one.all), None)
    if any(blocked.hits(form) for form in forms):
        everything = f"`[privacy.remote] blocked_paths` holds something that it was made from, {_NOBODY}"
    if secret:
        everything = f"it holds a secret, {_NOBODY}"
    models = everything or next((one.models for one in before if one.models), None)
    if models is None and (routed.floor.bound or any(item.derived == "local" for item in context.items)):
        models = "a local_only rule binds the work that it comes from"
    return Hold(everything, models)


@dataclass(frozen=True, slots=True)
class Done:
    """A completed phase, kept for as long as its job: what was done once is neither done nor paid for again.

    Attributes:
        known_by: hashes of words and context: where they change, it counts no longer.
        phase: as the host was told; without its answer where that is withheld.
        piece: the answer.
    """

    known_by: tuple[str, ...]
    phase: DispatchedPhase
    piece: Piece
    hold: Hold


def known_by(routed: Routed) -> tuple[str, ...]:
    """What must be the same for an earlier answer to stand for a phase."""
    inputs = routed.decision.inputs
    return tuple(inputs.get(name, "") for name in ("task", "phase", "context", "policy"))
