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
_POINTING: Final = 330
"""Bytes that the words about one text by address take, its address in `rest` included."""
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
    long = [phase for phase in bare.phases if phase.rest is not None]
    whole = {phase.phase: phase for phase in answer.phases}
    left = room - _bytes(bare) - len(long) * _POINTING * 2
    patches: set[int] = set()
    for phase in long:
        patch = whole[phase.phase].patch
        if patch is not None and size(patch) <= left:
            patches.add(phase.phase)
            left -= size(patch)
    shares = _shares({one.phase: size(whole[one.phase].answer or "") for one in long}, left)
    phases = tuple(
        _phase(whole[phase.phase], job_id, shares[phase.phase], patch=phase.phase in patches)
        if phase.rest is not None
        else phase
        for phase in bare.phases
    )
    return _pointed(bare.model_copy(update={"phases": phases}), answer)


def _bare(answer: DispatchAnswer, job_id: str, room: int) -> DispatchAnswer:
    """The answer without its long texts; where that is too long too, without the words about the phases."""
    bare = answer.model_copy(update={"phases": tuple(map(_without_texts, answer.phases))})
    reserved = sum(phase.rest is not None for phase in bare.phases) * _POINTING * 2
    if _bytes(bare) + reserved <= room:
        return bare
    whole = f"this answer is shortened; all of it: call explain with uri {Pointer('answer', job_id)}"
    for most in _SHORT:
        bare = bare.model_copy(
            update={
                "next": "\n".join([whole, *([_cut(answer.next, most * 8)] if answer.next else [])]),
                "notices": tuple(_cut(notice, most) for notice in answer.notices[:3]),
                "phases": tuple(_shortened(phase, most) for phase in bare.phases),
            }
        )
        if _bytes(bare) + reserved <= room:
            return bare
    kept = list(bare.phases)
    while kept and _bytes(bare) + sum(one.rest is not None for one in kept) * _POINTING * 2 > room:
        kept.pop()
        bare = bare.model_copy(update={"phases": tuple(kept)})
    return bare


def _without_texts(phase: DispatchedPhase) -> DispatchedPhase:
    if phase.answer is None and phase.patch is None:
        return phase
    return phase.model_copy(update={"answer": None, "patch": None, "rest": Rest()})


def _shortened(phase: DispatchedPhase, most: int) -> DispatchedPhase:
    changed: dict[str, object] = {"detail": _cut(phase.detail, most)}
    if phase.handoff is not None:
        prompt, context = _cut(phase.handoff.prompt, most), phase.handoff.context[:5]
        changed["handoff"] = phase.handoff.model_copy(update={"prompt": prompt, "context": context})
    return phase.model_copy(update=changed)


def _shares(wanted: dict[int, int], left: int) -> dict[int, int]:
    """How many bytes each answer gets: short ones all they need, long ones the same."""
    shares: dict[int, int] = {}
    for place, (phase, needed) in enumerate(sorted(wanted.items(), key=lambda one: one[1])):
        shares[phase] = min(needed, max(left, 0) // (len(wanted) - place))
        left -= shares[phase]
    return shares


def _phase(phase: DispatchedPhase, job_id: str, share: int, *, patch: bool) -> DispatchedPhase:
    """A phase with as much of its texts as its share of the room allows."""
    rest: dict[str, object] = {}
    answer, shown = phase.answer, phase.answer
    if answer is not None and size(answer) > share:
        end = portion(answer, 0, share) if share >= _LEAST_ANSWER else 0
        shown = answer[:end] if end else None
        rest["answer"] = str(Pointer("answer", job_id, phase.phase, end))
        rest["answer_chars"] = len(answer)
    if phase.patch is not None and not patch:
        data = phase.patch.encode("utf-8", "surrogatepass")
        rest["patch"] = str(Pointer("patch", job_id, phase.phase))
        rest["patch_bytes"], rest["patch_sha256"] = len(data), hashlib.sha256(data).hexdigest()
    return phase.model_copy(
        update={
            "answer": shown,
            "patch": phase.patch if patch else None,
            "rest": Rest.model_validate(rest) if rest else None,
        }
    )


def _pointed(answer: DispatchAnswer, whole: DispatchAnswer) -> DispatchAnswer:
    """The answer whose `next` says which texts are elsewhere, before all that is to be done with them."""
    steps: list[str] = []
    chars = {phase.phase: len(phase.answer or "") for phase in answer.phases}
    for phase in answer.phases:
        rest = phase.rest
        if rest is not None and rest.answer is not None:
            here = f"{chars[phase.phase]} of {rest.answer_chars} characters of"
            steps.append(f"{here} the answer of phase {phase.phase} are here; it goes on at {rest.answer}")
        if rest is not None and rest.patch is not None:
            steps.append(
                f"the patch of phase {phase.phase} ({rest.patch_bytes} bytes) is not here: read all of it from"
                f" {rest.patch} before you apply it"
            )
    if not steps:
        return answer
    how = "To read on call explain with that `uri`, and with each `next` that it gives; put the texts together as is"
    return answer.model_copy(update={"next": "\n".join([*steps, how, *([answer.next] if answer.next else [])])})


# ------------------------------------------------------------------------------------- explain, route and classify


def _explained(answer: ExplainAnswer, most: int, first: int) -> ExplainAnswer:
    phases = tuple(_story(phase, most) for phase in answer.phases[:first])
    told = _shortening(most, first, [phase.decision for phase in answer.phases])
    return answer.model_copy(update={"phases": phases, "notices": (*_brief(answer.notices, most), told)})


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
