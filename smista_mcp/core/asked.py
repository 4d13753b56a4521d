"""What a person is asked before a call goes on, by what the call is known again, and what a yes covers.

Two things are asked for: that a call goes on (content leaves for a remote model, or the cost is over a rule's limit),
and that one text that was made from restricted content is released. A yes holds for exactly what was shown: the key of
a request is a hash of all of it. Nothing here lifts a floor: only candidates that satisfy it are ever asked about.
"""

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from smista_mcp.core.approval import HOST_DESTINATION, Approved, Need, Permit
from smista_mcp.core.costing import usd
from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.selection import Candidate
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.values import Locality, Value

UNNAMED_HOST = "unknown"
"""The name of a host that says none; the command line is one."""
_NAMED = 12
"""Files that a question names; the whole list is shown by `smista-mcp approve`."""


class AskedTarget(Value):
    """A model that would be asked. `cost` is the most that it may cost, in USD; None where nobody knows."""

    model: str
    resolved: str
    address: str
    locality: Locality
    cost: str | None


class AskedItem(Value):
    """Content that would go along, or stays; `reason` says why it stays."""

    path: str
    tokens: int | None = None
    reason: str = ""


class AskedPhase(Value):
    """One phase that needs a yes. `later` where its targets are asked only if those before them fail."""

    phase: int
    intent: str
    words: str
    needs: tuple[Need, ...]
    reason: str
    targets: tuple[AskedTarget, ...]
    items: tuple[AskedItem, ...]
    stays: tuple[AskedItem, ...]
    follows: tuple[int, ...] = ()
    later: bool = False


class CallRequest(Value):
    """That a call goes on.

    Attributes:
        owner: who calls.
        most: USD for all phases together; None where nobody knows.
        root: of the workspace that it is made in; empty where there is none.
    """

    kind: Literal["call"] = "call"
    owner: str = ""
    phases: tuple[AskedPhase, ...]
    most: str | None
    marks: tuple[str, ...]
    needs: tuple[Need, ...]
    root: str = ""


class ReleaseRequest(Value):
    """That one text is let go.

    Attributes:
        file: where the text lies on this machine.
        text_hash: keyed hash of it.
        origin: why it was withheld.
        destinations: `host`, and remote models that would get it as context of a later step, as `destination_of` has
            them.
        host: the name of the host.
        owner: who calls; empty in a request of a version that did not keep it.
        root: as in `CallRequest`.
    """

    kind: Literal["release"] = "release"
    phase: int
    intent: str
    model: str | None
    file: str
    bytes: int
    text_hash: str
    origin: tuple[str, ...]
    destinations: tuple[str, ...]
    host: str
    owner: str = ""
    root: str = ""


Request = Annotated[CallRequest | ReleaseRequest, Field(discriminator="kind")]
REQUEST: TypeAdapter[CallRequest | ReleaseRequest] = TypeAdapter(Request)


class Step(NamedTuple):
    """One phase of a call with what it needs a yes for.

    Attributes:
        most: of each target, USD that the phase may cost on it, as text; None where nobody knows.
        later: as in `AskedPhase`.
    """

    phase: Phase
    context: PhaseContext
    withheld: Mapping[int, str]
    targets: tuple[Candidate, ...]
    most: tuple[str | None, ...]
    needs: frozenset[Need]
    reason: str
    later: bool


class AskedCall(NamedTuple):
    key: str
    request: CallRequest


def asked_call(
    task: Task, steps: Sequence[Step], providers: Mapping[str, ProviderSpec], key: bytes, owner: str = ""
) -> AskedCall:
    """What a person is asked, and the key by which exactly the same call is known again.

    Args:
        task: the whole call.
        steps: those of its phases that need a yes.
        providers: as the policy has them: an address that changes makes another call of it.
        key: secret of this installation; not empty.
        owner: who calls: a yes is for what this caller asks.
    """
    plain = [owner, task.model_dump_json(), [_plain(step, providers) for step in steps]]
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=True)
    phases = tuple(_phase(step, providers) for step in steps)
    costs = [cost for phase in phases for cost in [_most(phase)]]
    known = [cost for cost in costs if cost is not None]
    request = CallRequest(
        owner=owner,
        phases=phases,
        most=usd(sum(known, Decimal(0))) if len(known) == len(costs) else None,
        marks=tuple(sorted({_mark(one, providers) for step in steps for one in step.targets})),
        needs=tuple(sorted({need for step in steps for need in step.needs})),
    )
    return AskedCall(hmac.digest(key, text.encode(), "sha256").hex(), request)


def covering(call: AskedCall, granted: Iterable[Approved]) -> Approved | None:
    """The yes that covers a call: one for exactly this call, else one for the session and nothing but disclosure."""
    known = tuple(granted)
    for one in known:
        if not one.marks and hmac.compare_digest(one.key, call.key):
            return one
    if call.request.needs != ("remote",):
        return None
    return next((one for one in known if one.marks and set(call.request.marks) <= set(one.marks)), None)


def permit(approved: Approved, step: Step) -> Permit:
    """What a yes that covers the call covers in one of its phases."""
    cost = [Decimal(most) for most in step.most if most is not None]
    return Permit(
        approved.approval_id,
        frozenset(target.resolved for target in step.targets),
        max(cost) if "cost" in step.needs and cost else None,
    )


def release_key(request: ReleaseRequest, key: bytes) -> str:
    """The key of a release: this text to these destinations."""
    plain = json.dumps(
        [request.text_hash, sorted(request.destinations), request.host, request.owner], ensure_ascii=True
    )
    return hmac.digest(key, plain.encode(), "sha256").hex()


def _plain(step: Step, providers: Mapping[str, ProviderSpec]) -> list[object]:
    items = step.context.items
    return [
        step.phase.model_dump_json(),
        sorted(step.needs),
        [
            [
                one.resolved,
                _mark(one, providers),
                most,
                [(items[place].path, items[place].digest) for place in _sent(one, step)],
            ]
            for one, most in zip(step.targets, step.most, strict=True)
        ],
    ]


def _sent(target: Candidate, step: Step) -> list[int]:
    remote = target.locality is not Locality.LOCAL
    return [place for place in target.included if not (remote and place in step.withheld)]


def destination_of(target: Candidate, providers: Mapping[str, ProviderSpec]) -> str:
    """A model as a release names it: with its address, so that another server of that name is another destination."""
    return f"{target.resolved} at {_address(target, providers)}"


def _mark(target: Candidate, providers: Mapping[str, ProviderSpec]) -> str:
    return f"{target.provider} {_address(target, providers)}"


def _address(target: Candidate, providers: Mapping[str, ProviderSpec]) -> str:
    spec = providers.get(target.provider)
    return (spec.base_url if spec else None) or "customary address"


def _phase(step: Step, providers: Mapping[str, ProviderSpec]) -> AskedPhase:
    places = sorted({place for target in step.targets for place in _sent(target, step)})
    items = step.context.items
    stays = {
        entry.path: AskedItem(path=entry.path, tokens=entry.tokens, reason=redacted(entry.reason))
        for target in step.targets
        for entry in target.context.excluded
    }
    withheld = [AskedItem(path=items[n].path, tokens=items[n].tokens, reason=why) for n, why in step.withheld.items()]
    for one in withheld:
        stays.setdefault(one.path, one)
    return AskedPhase(
        phase=step.phase.index,
        intent=str(step.phase.intent.name),
        words=redacted(step.phase.text),
        needs=tuple(sorted(step.needs)),
        reason=redacted(step.reason),
        targets=tuple(
            AskedTarget(
                model=target.written,
                resolved=target.resolved,
                address=_address(target, providers),
                locality=target.locality,
                cost=most,
            )
            for target, most in zip(step.targets, step.most, strict=True)
        ),
        items=tuple(AskedItem(path=items[place].path, tokens=items[place].tokens) for place in places),
        stays=tuple(stays.values()),
        follows=step.phase.depends_on,
        later=step.later,
    )


def _most(phase: AskedPhase) -> Decimal | None:
    """What one phase may cost at the most; None where a price is unknown.

    Whoever is asked only after another failed is paid beside it: a failure may have been charged.
    """
    costs = [Decimal(target.cost) for target in phase.targets if target.cost is not None]
    return sum(costs, Decimal(0)) if costs and len(costs) == len(phase.targets) else None


# --------------------------------------------------------------------------------------------------------- in words


def question(request: CallRequest | ReleaseRequest) -> str:
    """What a person is asked in a form of the host: nothing but what the call itself says, the same for the same call.

    The form passes through the host and may reach its model. So a release is asked about by size and origin, and the
    text stands in the file that is named.
    """
    if isinstance(request, ReleaseRequest):
        where = destination_words(request)
        made = "; ".join(map(shown, request.origin[:3])) or "restricted content"
        return (
            f"smista: an answer of {request.bytes} bytes ({request.intent}) was made from what must not leave this"
            f" machine: {made}. It lies in {request.file}; read it there first. Shall it go {where}?"
        )
    return "\n".join(["smista: shall this go on?", *map(phase_words, request.phases), f"{cost_words(request.most)}."])


def phase_words(phase: AskedPhase) -> str:
    """One phase on one line: what would go where."""
    models = ", then ".join(f"{shown(one.resolved)} at {shown(one.address)} ({one.locality})" for one in phase.targets)
    files = [f"{shown(item.path)} ({item.tokens} tokens)" for item in phase.items[:_NAMED]]
    if len(phase.items) > _NAMED:
        files.append(f"{len(phase.items) - _NAMED} more")
    after = [f"the answer of phase {number}" for number in phase.follows]
    sent = ", ".join(["the words of the task", *files, *after])
    when = "if the models before fail, " if phase.later else ""
    return f"- {phase.intent}: {when}{models} would get {sent}"


def cost_words(most: str | None) -> str:
    """What it may cost, in words."""
    return f"It may cost {most} USD at most" if most is not None else "What it costs is not known"


def destination_words(request: ReleaseRequest) -> str:
    """To whom a text would go, in words."""
    known = request.host != UNNAMED_HOST
    host = f"to the host {shown(request.host)}, which sends it to its model" if known else "to whatever program called"
    told = [
        host if one == HOST_DESTINATION else f"to {shown(one)}, as context of a later phase"
        for one in request.destinations
    ]
    return " and ".join(told)
