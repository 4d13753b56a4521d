"""`approve`: shows a person in full what is asked, and takes a typed word for a yes or a no."""

from collections.abc import Iterator, Sequence

from smista_mcp.app.consents import Consents
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.person import check_is_there, is_there
from smista_mcp.cli.printing import content, note, one_line, put, put_json, put_table, shown_path, typed_word
from smista_mcp.core.asked import (
    AskedPhase,
    CallRequest,
    ReleaseRequest,
    cost_words,
    destination_words,
)
from smista_mcp.errors import Code, InvalidTask, NotFound, SmistaError, StateUnavailable
from smista_mcp.ledger.approvals import StoredApproval

YES, NOT = "approve", "refuse"
_SHORT = 8
_NEEDS = {
    "remote": "the policy asks before anything goes to a remote model",
    "cost": "the cost may be over the rule's limit",
    "unconfirmed": "files of the workspace that nobody has confirmed are why a remote model comes first",
}


def approve(options: Options) -> int:
    """Lists what waits for an answer, or shows one request and asks; with --show or --json it asks nothing."""
    world = opened(options).world
    consents = Consents(world)
    if options.text is None:
        if options.for_session or options.revoke:
            given = "--revoke" if options.revoke else "--for-session"
            raise InvalidTask(f"{given} is given without an id", fix="`smista-mcp approve` lists the ids")
        return _listed(consents, json=options.json)
    one = consents.stored(options.text)
    if options.revoke:
        return _revoked(one, consents)
    if options.json or options.show:
        if options.json:
            put_json(_plain(one))
        else:
            put(*lines(one, consents, text=is_there(world.settings.environment)))
        return DONE
    elsewhere = f"run `smista-mcp approve {one.approval_id[:_SHORT]}` in a terminal of your own"
    check_is_there(world.settings.environment, "approve", elsewhere)
    return _asked(one, consents, session=options.for_session)


def _listed(consents: Consents, *, json: bool) -> int:
    standing = consents.standing()
    if json:
        put_json([_plain(one) for one in standing])
    elif not standing:
        put("nothing waits for an answer, and no yes holds")
    else:
        put_table([(one.approval_id[:_SHORT], f"{one.at[:19]}Z", _stands(one), _in_short(one)) for one in standing])
    return DONE


def _stands(one: StoredApproval) -> str:
    """What became of a request, in a word or two."""
    if one.state == "open":
        return "waits"
    return "granted for the session" if one.session else one.state


def _revoked(one: StoredApproval, consents: Consents) -> int:
    """Takes a yes back. That only tightens, so anybody may, also an agent."""
    if one.state != "open" and not one.holds:
        put(f"it is {one.state}: there is no yes to take back")
        return NO
    consents.refuse(one.approval_id, "command line")
    put("taken back: nothing more is sent because of it" if one.holds else "ended: it waits for nobody")
    put(*_still_covered(one, consents))
    return DONE


def _still_covered(one: StoredApproval, consents: Consents) -> Iterator[str]:
    """Says so where another yes lets happen what was just refused."""
    other = consents.covering(one)
    if other is not None:
        yield (
            f"but the yes {other[:_SHORT]} covers the same: it goes on because of that one;"
            f" `smista-mcp approve --revoke {other[:_SHORT]}` takes it back"
        )


def _asked(one: StoredApproval, consents: Consents, *, session: bool) -> int:
    if one.state != "open":
        put(*lines(one, consents))
        back = f"; `smista-mcp approve --revoke {one.approval_id[:_SHORT]}` takes the yes back" if one.holds else ""
        note(f"it is {one.state}: there is nothing left to answer{back}")
        return DONE if one.state == "granted" else NO
    if session:
        check_session(one)
    try:
        shown = list(lines(one, consents))
    except StateUnavailable as error:  # what nobody can be shown, nobody can be asked about
        if error.code is Code.ANSWER_WITHHELD:
            consents.refuse(one.approval_id, "its text is gone")
        raise
    put(*shown)
    said = ask(one, consents, session=session)
    put({True: "approved", False: "refused", None: "nothing was approved"}[said])
    return DONE if said else NO


def check_session(one: StoredApproval) -> None:
    """Refuses a yes for a session where there is more at stake than disclosure, or no workspace to hold in.

    Raises:
        SmistaError: `approval_required`.
    """
    only_remote = isinstance(one.request, CallRequest) and one.request.needs == ("remote",)
    if not only_remote or one.workspace is None:
        raise SmistaError(
            "a yes for the session is for content that goes to a remote model from a workspace, and for nothing else",
            fix="leave out --for-session",
            code=Code.APPROVAL_REQUIRED,
        )


def ask(one: StoredApproval, consents: Consents, *, session: bool = False) -> bool | None:
    """Asks a person who has seen the request for the word; True and False were typed, None is anything else."""
    consents.note_shown(one.approval_id, "terminal")
    if session and isinstance(one.request, CallRequest):
        put(
            f"For 24 hours, whatever the workspace {_root(one.request)} may send to a remote model at all may go to"
            f" {', '.join(map(one_line, one.request.marks))} without another question.",
        )
    what = "say yes to all of that for 24 hours" if session else "let exactly this happen once"
    word = typed_word(f"Type `{YES}` to {what}, `{NOT}` to end it:")
    if word == YES:
        consents.grant(one.approval_id, "terminal", session=session)
        return True
    if word == NOT:
        consents.refuse(one.approval_id, "terminal")
        for said in _still_covered(one, consents):
            note(said)
        return False
    note(f"`{word}` is neither `{YES}` nor `{NOT}`, so nothing was answered: it still waits")
    return None


def lines(one: StoredApproval, consents: Consents, *, text: bool = True) -> Iterator[str]:
    """A request in full, fit for a terminal.

    Args:
        one: the request.
        consents: where the text of a release is found.
        text: whether that is shown: what an agent reads in its shell, its provider has.

    Raises:
        NotFound: what was asked is no longer kept.
        StateUnavailable: the text of a release is gone or another one.
    """
    yield f"request {one.approval_id}, asked {one.at[:19]}Z by {one_line(one.host)}, {one.state}"
    if one.request is not None:
        yield f"in the workspace {_root(one.request)}"
    match one.request:
        case CallRequest() as request:
            for phase in request.phases:
                yield from _phase(phase)
            yield f"{cost_words(request.most)}."
        case ReleaseRequest() as request:
            yield from _release(request, consents if text else None)
        case None:
            raise NotFound("what was asked is no longer kept", fix="dispatch the task again; it asks anew")
    for event in one.events:
        if event.event in ("granted", "refused", "used"):
            trace = f", trace {event.trace_id[:16]}" if event.trace_id else ""
            yield f"{event.event} {event.at[:19]}Z through {one_line(event.via)}{trace}"


def _root(request: CallRequest | ReleaseRequest) -> str:
    return one_line(shown_path(request.root)) if request.root else "(none)"


def _phase(phase: AskedPhase) -> Iterator[str]:
    yield f"\n== phase {phase.phase}: {one_line(phase.intent)} =="
    yield "the words:"
    yield from (f"  | {content(line)}" for line in phase.words.split("\n"))
    yield f"why:   {'; '.join(_NEEDS[need] for need in phase.needs)}"
    when = " (only if the models before it fail)" if phase.later else ""
    for place, one in enumerate(phase.targets):
        cost = f"at most {one.cost} USD" if one.cost is not None else "cost not known"
        yield (
            f"{'to:   ' if place == 0 else 'then: '} {one_line(one.resolved)} at {one_line(one.address)}"
            f" [{one.locality}], {cost}{when}"
        )
    yield f"sent:  the words{''.join(f', the answer of phase {number}' for number in phase.follows)}"
    for item in phase.items:
        yield f"  + {one_line(item.path)}, {item.tokens} tokens"
    for item in phase.stays:
        yield f"  - {one_line(item.path)} stays: {one_line(item.reason)}"


def _release(request: ReleaseRequest, consents: Consents | None) -> Iterator[str]:
    yield f"the answer of phase {request.phase} ({one_line(request.intent)}, {one_line(request.model or 'a model')})"
    yield f"lies in {one_line(request.file)}, {request.bytes} bytes"
    yield from (f"made from: {one_line(reason)}" for reason in request.origin)
    yield f"would go {one_line(destination_words(request))}"
    if consents is None:
        yield "the text is shown to a person at a terminal alone"
        return
    yield "the whole text:"
    yield from (f"  | {content(line)}" for line in consents.text_of(request).split("\n"))
    yield "end of the text"


def _in_short(one: StoredApproval) -> str:
    match one.request:
        case CallRequest(phases=phases, most=most):
            models = dict.fromkeys(target.resolved for phase in phases for target in phase.targets)
            cost = f"at most {most} USD" if most is not None else "cost not known"
            return f"{', '.join(models)}, {cost}, in {_root(one.request)}"
        case ReleaseRequest() as request:
            return f"release of {request.bytes} bytes {destination_words(request)}, in {_root(request)}"
        case None:
            return "no longer kept"


def _plain(one: StoredApproval) -> dict[str, object]:
    events: Sequence[object] = [event._asdict() for event in one.events]
    asked = None if one.request is None else one.request.model_dump(mode="json")
    return {
        "approval_id": one.approval_id,
        "at": one.at,
        "state": one.state,
        "host": one.host,
        "request": asked,
        "events": events,
    }
