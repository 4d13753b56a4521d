"""Answers in the size that a host passes on: what it comes to first, long texts by address.

A host that gets more cuts it where it likes, in the middle of a patch for instance, and its model never learns what was
there. Nothing is lost here: what has no room is named with the address at which it is read.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from smista_mcp.core.answers import ClassifyAnswer, RouteAnswer
from smista_mcp.core.decision import ContextReport, Decision
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase, Rest
from smista_mcp.core.explained import ExplainAnswer, ExplainedPhase, ResourceReport
from smista_mcp.core.pointers import Pointer
from smista_mcp.core.portions import portion, size
from smista_mcp.core.values import Value

_LEAST_ANSWER: Final = 200
"""Bytes of an answer below which none of it is shown: a few words of a long text tell nothing."""
_DIGITS: Final = 40
"""Bytes by which what is said of a text grows where a part of it is shown."""
_MOST_TOLD: Final = 6
"""Texts elsewhere of which `next` speaks one by one."""
_SHORT: Final = (300, 60)
"""Characters to which the words of phases are shortened, one after the other, where even they are too many."""
_FEW: Final = (100, 40, 20, 10, 5, 2, 0)
"""Entries to which long lists are shortened, one after the other."""
_ID: Final = 16
"""Characters of a decision's id: enough to find it."""
_V = TypeVar("_V", bound=Value)


def fitted(answer: Value, room: int) -> Value:
    """An answer of a tool, of at most `room` bytes as JSON in UTF-8 where that can be.

    What cannot be shortened further is given as it is: a host then cuts the end, which says least.
    """
    if _bytes(answer) <= room:
        return answer
    match answer:
        case DispatchAnswer():
            return _dispatched(answer, room)
        case ExplainAnswer():
            return _first_that_fits(room, (_explained(answer, *how) for how in _ways(len(answer.phases))))
        case RouteAnswer():
            return _first_that_fits(room, (_routed(answer, *how) for how in _ways(len(answer.decisions))))
        case ClassifyAnswer():
            return _first_that_fits(room, (_classified(answer, most) for most in (*_SHORT, 0)))
        case _:
            return answer


def read_portion(address: Pointer, mime_type: str, text: str, room: int) -> ExplainAnswer:
    """The portion of a document that an address begins, of at most `room` bytes as JSON.

    Args:
        address: with the place at which to begin; behind the end there is nothing.
        mime_type: of the document.
        text: all of it.
        room: bytes that the whole answer may take.
    """
    start = min(address.start, len(text))
    empty = _portion(address, mime_type, "", start, len(text), start)
    end = portion(text, start, room - _bytes(empty) - len(str(len(text))) - 80, patch=address.kind == "patch")
    return _portion(address, mime_type, text[start:end], start, len(text), end)


def _portion(address: Pointer, mime_type: str, text: str, start: int, chars: int, end: int) -> ExplainAnswer:
    following = str(address._replace(start=end)) if end < chars else None
    told = ResourceReport(
        uri=str(address._replace(start=start)), mime_type=mime_type, text=text, next=following, chars=chars
    )
    return ExplainAnswer(phases=(), resource=told)


def _bytes(answer: Value) -> int:
    return len(answer.model_dump_json(by_alias=True).encode("utf-8", "surrogatepass"))


def _first_that_fits(room: int, shorter: Iterator[_V]) -> _V:
    """The first of several ever shorter answers that fits; the last where none does."""
    one = next(shorter)
    while _bytes(one) > room:
        following = next(shorter, None)
        if following is None:
            break
        one = following
    return one


def _ways(phases: int) -> Iterator[tuple[int, int]]:
    """How an answer of several phases is shortened, step by step: entries of its lists, then how many phases."""
    yield from ((most, phases) for most in _FEW)
    while phases > 1:
        phases = phases * 3 // 4
        yield 0, phases


# ------------------------------------------------------------------------------------------------------- dispatch


def _dispatched(answer: DispatchAnswer, room: int) -> DispatchAnswer:
    """Patches whole, in order, as far as there is room; what is left is shared between the answers."""
    job_id = answer.job_id
    if job_id is None:
        return answer
    bare = _bare(answer, job_id, room)
    long = [phase for phase in answer.phases[: len(bare.phases)] if phase.answer is not None or phase.patch is not None]
    one_by_one = _steps(bare) <= _MOST_TOLD
    left = room - _bytes(_pointed(bare, one_by_one=one_by_one)) - len(long) * _DIGITS
    patches: set[int] = set()
    for phase in long:
        if phase.patch is not None and size(phase.patch) <= left:
            patches.add(phase.phase)
            left -= size(phase.patch)
    shares = _shares({one.phase: size(one.answer or "") for one in long}, left)
    full = {one.phase: _texts(one, job_id, shares[one.phase], patch=one.phase in patches) for one in long}
    phases = tuple(phase.model_copy(update=full.get(phase.phase, {})) for phase in bare.phases)
    return _pointed(bare.model_copy(update={"phases": phases}), one_by_one=one_by_one)


def _bare(answer: DispatchAnswer, job_id: str, room: int) -> DispatchAnswer:
    """The answer with an address for every long text; where that is too long, without most words about the phases.

    Where even that is too long, the last phases are left out.
    """
    bare = answer.model_copy(
        update={"phases": tuple(one.model_copy(update=_texts(one, job_id, 0, patch=False)) for one in answer.phases)}
    )
    if _least(bare) <= room:
        return bare
    whole = f"This answer is shortened; all of it: explain with uri {Pointer('answer', job_id)}"
    for most in _SHORT:
        changed = {
            "next": "\n".join([whole, *([_cut(answer.next, most * 8)] if answer.next else [])]),
            "notices": tuple(_cut(notice, most) for notice in answer.notices[:3]),
            "phases": tuple(_shortened(phase, most) for phase in bare.phases),
        }
        bare = bare.model_copy(update=changed)
        if _least(bare) <= room:
            return bare
    while bare.phases and _least(bare) > room:
        bare = bare.model_copy(update={"phases": bare.phases[:-1]})
    return bare


def _least(bare: DispatchAnswer) -> int:
    """Bytes of an answer of which every long text is elsewhere."""
    return _bytes(_pointed(bare, one_by_one=_steps(bare) <= _MOST_TOLD))


def _shortened(phase: DispatchedPhase, most: int) -> DispatchedPhase:
    changed: dict[str, object] = {"detail": _cut(phase.detail, most)}
    if phase.handoff is not None:
        told = {"prompt": _cut(phase.handoff.prompt, most), "context": phase.handoff.context[:5]}
        changed["handoff"] = phase.handoff.model_copy(update={**told, "detail": _cut(phase.handoff.detail, most)})
    return phase.model_copy(update=changed)


def _shares(wanted: dict[int, int], left: int) -> dict[int, int]:
    """How many bytes each answer gets: short ones all they need, long ones the same."""
    shares: dict[int, int] = {}
    for place, (phase, needed) in enumerate(sorted(wanted.items(), key=lambda one: one[1])):
        shares[phase] = min(needed, max(left, 0) // (len(wanted) - place))
        left -= shares[phase]
    return shares


def _texts(phase: DispatchedPhase, job_id: str, share: int, *, patch: bool) -> dict[str, object]:
    """The texts of a phase as far as its share of the room allows, and where the rest of them is."""
    rest: dict[str, object] = {}
    shown = phase.answer
    if phase.answer is not None and size(phase.answer) > share:
        end = portion(phase.answer, 0, share) if share >= _LEAST_ANSWER else 0
        shown = phase.answer[:end] or None
        rest = {"answer": str(Pointer("answer", job_id, phase.phase, end)), "answer_chars": len(phase.answer)}
    if phase.patch is not None and not patch:
        data = phase.patch.encode("utf-8", "surrogatepass")
        rest["patch"] = str(Pointer("patch", job_id, phase.phase))
        rest["patch_bytes"], rest["patch_sha256"] = len(data), hashlib.sha256(data).hexdigest()
    told = Rest.model_validate(rest) if rest else None
    return {"answer": shown, "patch": phase.patch if patch else None, "rest": told}


def _steps(answer: DispatchAnswer) -> int:
    return sum(1 for phase in answer.phases for _ in _where(phase))


def _pointed(answer: DispatchAnswer, *, one_by_one: bool) -> DispatchAnswer:
    """The answer whose `next` says which texts are elsewhere, before all that is to be done with them."""
    steps = [step for phase in answer.phases for step in _where(phase)]
    if not steps:
        return answer
    if not one_by_one:
        steps = ["Texts of several phases are not here, or not all of them: `rest` of a phase has their addresses"]
    steps.append("To read on call explain with such a `uri`, then with each `next` it gives; join the texts unchanged")
    return answer.model_copy(update={"next": "\n".join([*steps, *([answer.next] if answer.next else [])])})


def _where(phase: DispatchedPhase) -> Iterator[str]:
    rest = phase.rest
    if rest is not None and rest.answer is not None:
        here = f"{len(phase.answer or '')} of {rest.answer_chars} characters of"
        yield f"{here} the answer of phase {phase.phase} are here; it goes on at {rest.answer}"
    if rest is not None and rest.patch is not None:
        told = f"the patch of phase {phase.phase} ({rest.patch_bytes} bytes) is not here"
        yield f"{told}: read all of it from {rest.patch} before you apply it"


# ------------------------------------------------------------------------------------- explain, route and classify


def _explained(answer: ExplainAnswer, most: int, first: int) -> ExplainAnswer:
    phases = tuple(_story(phase, most) for phase in answer.phases[:first])
    told = _shortening(most, first, [phase.decision for phase in answer.phases])
    changed = {"phases": phases, "reading": answer.reading[:most], "notices": (*_brief(answer.notices, most), told)}
    return answer.model_copy(update=changed)


def _story(phase: ExplainedPhase, most: int) -> ExplainedPhase:
    changed: dict[str, object] = {
        "decision": _decision(phase.decision, most),
        "rules": phase.rules[: max(most, 1)],  # best first
        "attempts": tuple(
            one.model_copy(
                update={
                    "receipt": one.receipt
                    and one.receipt.model_copy(
                        update={"sent": one.receipt.sent[:most], "withheld": one.receipt.withheld[:most]}
                    )
                }
            )
            for one in phase.attempts[-max(most, 1) :]
        ),
        "labels": phase.labels[:most],
        "approvals": phase.approvals[:most],
        "withheld": phase.withheld[:most],
    }
    return phase.model_copy(update=changed)


def _routed(answer: RouteAnswer, most: int, first: int) -> RouteAnswer:
    decisions = tuple(_decision(decision, most) for decision in answer.decisions[:first])
    told = _shortening(most, first, answer.decisions)
    return answer.model_copy(update={"decisions": decisions, "notices": (*_brief(answer.notices, most), told)})


def _decision(decision: Decision, most: int) -> Decision:
    context = decision.context
    return decision.model_copy(
        update={
            "rejected": decision.rejected[:most],
            "fallbacks": decision.fallbacks[:most],
            "context": ContextReport(included=context.included[:most], excluded=context.excluded[:most]),
            "inputs": decision.inputs if most >= _FEW[0] else {},
            "handoff": decision.handoff
            and decision.handoff.model_copy(
                update={
                    "prompt": decision.handoff.prompt if most else _cut(decision.handoff.prompt, _SHORT[0]),
                    "context": decision.handoff.context[:most],
                }
            ),
        }
    )


def _shortening(most: int, first: int, decisions: Sequence[Decision]) -> str:
    """What was left out, and where all of it is read."""
    gone = "" if first == len(decisions) else f"; phases from {first} on are left out"
    recorded = [one.decision_id[:_ID] for one in decisions if one.recorded]
    where = ", ".join(str(Pointer("trace", given)) for given in dict.fromkeys(recorded))
    whole = (
        f"explain with uri {where}" if where else "nowhere, for it could not be recorded; ask for fewer steps at once"
    )
    return f"shortened for this host: lists end after {most} entries{gone}; all of it: {whole}"


def _brief(notices: Sequence[str], most: int) -> tuple[str, ...]:
    """Notices of a policy; where little room is left, the first of them."""
    return tuple(notices) if most else tuple(_cut(notice, _SHORT[0]) for notice in notices[:3])


def _classified(answer: ClassifyAnswer, most: int) -> ClassifyAnswer:
    phases = tuple(phase.model_copy(update={"text": _cut(phase.text, most)}) for phase in answer.phases)
    told = "shortened for this host: the words of the phases, which are your own"
    return answer.model_copy(update={"phases": phases, "notices": (*answer.notices, told)})


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: portion(text, 0, most)].rstrip()} …"
