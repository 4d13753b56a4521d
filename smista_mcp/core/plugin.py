"""A function of an installed package that has a say in the choice: what it is told, and what it may answer.

`[plugins] select` of the user's own policy names it. It is called once for every phase that has an accepted candidate,
with one dictionary of plain values made for this call alone, and answers with names of these candidates in the order in
which they shall be tried; what it leaves out is dropped. It cannot add a model, name one twice, or change what was
rejected: any other answer refuses the phase, as every failure does.

    {"phase": {"intent", "family", "class", "skill", "effort", "paths", "tokens"},
     "rule": name of the rule that won, or None,
     "candidates": [{"model", "resolved_model", "provider", "locality", "context_window", "capabilities", "tokens",
                     "cost": None or {"min", "max", "currency", "kind", "source"}, "needs_approval"}, ...]}

`model` is the name to answer with; amounts of money are decimal strings in USD; the words of the task are not told.

The same question has to be answered the same way each time, at once, from any thread, and without files, network, clock
or output: the function runs in this process with this process's rights, and nothing here can hold it to that or end it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias, cast

from smista_mcp.core.decision import Rejected
from smista_mcp.core.selection import Candidate, Selection
from smista_mcp.core.values import CAPABILITY_CLASS, FAMILY, Effort, Intent
from smista_mcp.errors import Code

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
Select = Callable[[dict[str, Plain]], object]

_NAME = type.__dict__["__name__"]
_MEND = "mend it, or take `[plugins] select` out"


class Plugin(NamedTuple):
    """A function that a policy names, as it was found in this process.

    Attributes:
        name: as the policy names it, `package.module:function`.
        select: None where it cannot be called: `failure` says why.
        distribution: name of the installed distribution that holds it; empty where none says so.
        version: of that distribution.
        source: SHA-256 of the file that its module was read from, in hex.
        failure: what went wrong, in our own words, as what goes on after the name.
    """

    name: str
    select: Select | None = None
    distribution: str = ""
    version: str = ""
    source: str = ""
    failure: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """All of it that a decision depends on."""
        return self.name, self.distribution, self.version, self.source, self.failure

    @property
    def shown(self) -> str:
        """What people call it."""
        version = f" ({self.distribution} {self.version})" if self.version else ""
        return f"plugin `{self.name}`{version}"


class Question(NamedTuple):
    """A phase, as far as a plugin is told of it. `rule` is the name of the one that won."""

    intent: Intent
    skill: str | None
    effort: Effort
    paths: Sequence[str]
    tokens: int
    rule: str | None


class Narrowed(NamedTuple):
    """A selection after the plugin.

    Attributes:
        said: what the plugin changed, for the reason of the decision; empty where it changed nothing.
        refusal: why the phase is refused; None where it is not.
        dropped: the first of those that it dropped, where nothing is left because of it.
    """

    selection: Selection
    said: str = ""
    refusal: str | None = None
    dropped: Rejected | None = None


def narrowed(plugin: Plugin | None, question: Question, selection: Selection) -> Narrowed:
    """The selection as the plugin leaves it; the plugin has no say where nothing is accepted."""
    if plugin is None or not selection.accepted:
        return Narrowed(selection)
    if plugin.select is None:
        return _refused(plugin, selection, plugin.failure)
    try:
        answer = plugin.select(_told(question, selection.accepted))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a function of somebody else's may raise anything, SystemExit too
        return _refused(plugin, selection, f"failed ({type_name(error)})")
    by_name = {candidate.written: candidate for candidate in selection.accepted}
    names = _names(answer)
    if names is None:
        return _refused(plugin, selection, "answered with something else than a list of names")
    if any(name not in by_name for name in names):
        return _refused(plugin, selection, "named a model that is no accepted candidate")
    if len(set(names)) < len(names):
        return _refused(plugin, selection, "named a candidate twice")
    return _applied(plugin, selection, [by_name[name] for name in names])


def type_name(error: BaseException) -> str:
    """The type of an error by name, where that is a plain word; asks nothing that the type could answer itself."""
    name = str.__str__(cast("str", _NAME.__get__(type(error))))
    return name if name.isascii() and name.isidentifier() and len(name) <= 60 else "an error"


def _refused(plugin: Plugin, selection: Selection, what: str) -> Narrowed:
    return Narrowed(selection._replace(accepted=()), refusal=f"{plugin.shown} {what}; {_MEND}")


def _names(answer: object) -> list[str] | None:
    """The names of an answer; None where it is no list of strings. A class of the plugin's own is no string."""
    if type(answer) is not list and type(answer) is not tuple:  # `in` would ask a class whether it is equal
        return None
    names = list(cast("Sequence[object]", answer))
    return [name for name in names if type(name) is str] if all(type(name) is str for name in names) else None


def _applied(plugin: Plugin, selection: Selection, kept: list[Candidate]) -> Narrowed:
    before = selection.accepted
    gone = [candidate for candidate in before if candidate not in kept]
    if tuple(kept) == before:
        return Narrowed(selection)
    detail = f"{plugin.shown} drops it"
    dropped = tuple(Rejected(model=c.written, code=Code.MODEL_NOT_ALLOWED, detail=detail) for c in gone)
    rejected = (*selection.rejected, *dropped)
    if not kept:
        # what only a limit stands against was never shown to the plugin, so it is not offered in its place
        return Narrowed(Selection((), rejected), dropped=dropped[0])
    moved = kept != [candidate for candidate in before if candidate in kept]
    said = [f"drops {len(gone)} of {len(before)} candidates"] if gone else []
    said += ["puts the rest into another order" if gone else "puts the candidates into another order"] if moved else []
    fell_back = selection.fell_back or kept[0] is not before[0]
    narrower = selection._replace(accepted=tuple(kept), rejected=rejected, fell_back=fell_back)
    return Narrowed(narrower, f"{plugin.shown} {' and '.join(said)}")


def _told(question: Question, accepted: Sequence[Candidate]) -> dict[str, Plain]:
    """Fresh and plain all the way down: enums are turned into their words, and nothing of ours is handed out."""
    return {
        "phase": {
            "intent": question.intent.value,
            "family": FAMILY[question.intent].value,
            "class": CAPABILITY_CLASS[question.intent],
            "skill": question.skill,
            "effort": question.effort.value,
            "paths": list(question.paths),
            "tokens": question.tokens,
        },
        "rule": question.rule,
        "candidates": [_candidate(candidate) for candidate in accepted],
    }


def _candidate(candidate: Candidate) -> Plain:
    cost: dict[str, Plain] | None = candidate.cost.model_dump(mode="json") if candidate.cost else None
    return {
        "model": candidate.written,
        "resolved_model": candidate.resolved,
        "provider": candidate.provider,
        "locality": candidate.locality.value,
        "context_window": candidate.window,
        "capabilities": dict(candidate.facts.capabilities),
        "tokens": candidate.tokens,
        "cost": cost,
        "needs_approval": candidate.needs_approval,
    }
