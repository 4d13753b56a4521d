"""Texts that a person has let go, texts that nobody can let go, and what completed phases leave behind for that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from smista_mcp.core.approval import HOST_DESTINATION
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.floor import ANY_SIZE, Guard, sight
from smista_mcp.core.pieces import Piece
from smista_mcp.core.routing import Routed
from smista_mcp.dispatch.earlier import Earlier
from smista_mcp.dispatch.payloads import Assignment

_NOBODY = "which nobody can release"


@dataclass(frozen=True, slots=True)
class Releases:
    """What people have let go, by the hash of the exact bytes.

    Attributes:
        known: SHA-256 of a text, in hex -> destinations.
    """

    known: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def to(self, destination: str) -> frozenset[str]:
        """The hashes of the texts that were let go there: to `host`, or to a model as `destination_of` has it."""
        return frozenset(sha256 for sha256, allowed in self.known.items() if destination in allowed)


class Hold(NamedTuple):
    """Why no person can let a text go: to anybody, or to models alone; None where one can.

    Attributes:
        all: blocked content was part of it, or a secret stands in it.
        models: these, or a binding rule keeps it here.
    """

    all: str | None = None
    models: str | None = None


def hold_on(work: Assignment, seen: Iterable[str], guard: Guard, inherited: Iterable[Hold], *, secret: bool) -> Hold:
    """What stands against the release of a phase's answer, whatever a person says.

    Args:
        work: the phase; all of its context counts, whether or not the model was given it.
        seen: every form of every path that the model was shown something of.
        guard: of the policy: of `blocked_paths` nothing ever leaves, and a binding rule binds whatever a person says.
        inherited: of the answers that it was made from.
        secret: whether a secret stands in the text itself.
    """
    before = list(inherited)
    context = work.context
    forms = [*seen, *(form for path in context.paths if path.required for form in path.forms or (path.path,))]
    forms += [form for item in context.items for form in item.forms or (item.path,)]
    everything = next((one.all for one in before if one.all), None)
    if any(guard.blocked.hits(form) for form in forms):
        everything = f"`[privacy.remote] blocked_paths` holds something that it was made from, {_NOBODY}"
    if secret:
        everything = f"it holds a secret, {_NOBODY}"
    models = everything or next((one.models for one in before if one.models), None)
    if models is None and _bound(work, forms, guard):
        models = "a local_only rule binds something that it was made from"
    return Hold(everything, models)


def _bound(work: Assignment, forms: Iterable[str], guard: Guard) -> bool:
    """Whether a rule keeps the phase or a part of it here, whatever the size of the phase."""
    least = work.routed.floor
    if least.bound or least.kept:
        return True
    found = (sight(guard, work.routed.phase, (form,), ANY_SIZE) for form in forms) if guard.bindings else ()
    return any(one is not None and one.kept for one in found)


@dataclass(frozen=True, slots=True)
class Done:
    """A completed phase, kept for as long as its job: what was done once is neither done nor paid for again.

    Attributes:
        known_by: hashes of words and context: where they change, it counts no longer.
        phase: as the host was told; without its answer where that is withheld.
        piece: the answer, with its patch.
        whole: the phase with its answer, whether or not that is withheld.
        before: its patch and those that it builds on.
    """

    known_by: tuple[str, ...]
    phase: DispatchedPhase
    piece: Piece
    hold: Hold
    whole: DispatchedPhase
    before: Earlier = field(default=Earlier())


def let_go(releases: Releases, done: Iterable[Done], destination: str) -> frozenset[str]:
    """The hashes of the texts that may go to a destination now: let go there, and held back by nothing in force today.

    A person's yes is for one text and for that destination; it passes neither to what is made from the text nor to
    anybody else. It does not outlive a prohibition that comes after it.

    Args:
        releases: what people have let go.
        done: the answers in question, each with what stands against its release by the policy of this call.
        destination: `host`, or a model as `destination_of` has it.
    """
    held = {one.piece.sha256 for one in done if one.hold.all or (one.hold.models and destination != HOST_DESTINATION)}
    return releases.to(destination) - held


def stands(kept: Mapping[int, Done], routed: Routed) -> Done | None:
    """What was done of a phase, as long as nothing about it has changed."""
    done = kept.get(routed.phase.index)
    return done if done is not None and done.known_by == known_by(routed) else None


def known_by(routed: Routed) -> tuple[str, ...]:
    """What must be the same for an earlier answer to stand for a phase."""
    inputs = routed.decision.inputs
    return tuple(inputs.get(name, "") for name in ("task", "phase", "context", "policy"))
