"""What people are asked, and what they said: requests written, questions worded, a yes kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smista_mcp.app.preparing import Prepared
from smista_mcp.app.world import World, utc_now
from smista_mcp.core.approval import HOST_DESTINATION
from smista_mcp.core.asked import (
    AskedCall,
    CallRequest,
    ReleaseRequest,
    covering,
    destination_of,
    question,
    release_key,
)
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.modelref import HOST
from smista_mcp.core.routing import Routed
from smista_mcp.core.values import Layer, Locality
from smista_mcp.dispatch.payloads import keyed_hash
from smista_mcp.dispatch.releases import Done, Releases
from smista_mcp.errors import Code, NotFound, SmistaError, StateUnavailable
from smista_mcp.ledger.approvals import ApprovalBook, StoredApproval

MOST_TEXT = 64 * 1024 * 1024
"""Bytes of a withheld answer that are read to be shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked because of a dispatch.

    Attributes:
        call_id: the id under which somebody can let the rest of the call go on; None where nothing waits.
        call: what was asked there.
        releases: phase -> id under which its answer can be released.
        held: phase -> why nobody can release its answer.
        refused: why nobody can be asked, where that is so.
    """

    call_id: str | None = None
    call: CallRequest | None = None
    releases: Mapping[int, str] | None = None
    held: Mapping[int, str] | None = None
    refused: str = ""

    @property
    def ids(self) -> set[str]:
        return {*(self.releases or {}).values(), *([self.call_id] if self.call_id else [])}


class Consents:
    """The approvals of this installation, as the application uses them. Methods block: keep them off an event loop."""

    def __init__(self, world: World) -> None:
        self._world = world

    def book(self) -> ApprovalBook:
        """The approvals.

        Raises:
            StateUnavailable: they cannot be read.
        """
        return self._world.open_ledger().approvals

    def book_or_none(self) -> ApprovalBook | None:
        try:
            return self.book()
        except StateUnavailable:
            return None

    # ------------------------------------------------------------------------------------------------------ asking

    def ask(self, prepared: Prepared, phases: Sequence[DispatchedPhase], kept: Mapping[int, Done]) -> Asked:
        """Records what a person would have to say yes to, so that the rest of a dispatch can go on."""
        waits = any(phase.status == "approval_required" for phase in phases)
        answered = [phase for phase in phases if phase.status != "approval_required" and phase.phase in kept]
        withheld = [phase for phase in answered if phase.withheld is not None]
        if not withheld and not (waits and prepared.asked is not None):
            return Asked()
        try:
            book = self.book()
            call_id = None
            if waits and prepared.asked is not None:
                call_id = book.request(
                    prepared.asked.key,
                    prepared.asked.request.model_copy(update={"root": self._root()}),
                    workspace=prepared.workspace,
                    host=prepared.host.name,
                    now=utc_now(),
                )
            releases = {phase.phase: self._release(book, prepared, phase, phases, kept) for phase in withheld}
        except StateUnavailable as error:
            return Asked(refused=f"nobody can be asked: {error.message}")
        return Asked(
            call_id,
            prepared.asked.request if call_id and prepared.asked else None,
            {index: given for index, given in releases.items() if given is not None},
            {place: self._held(prepared, kept[place]) for place, given in releases.items() if given is None},
        )

    def _held(self, prepared: Prepared, done: Done) -> str:
        """Why nobody can release an answer, and what a person can do about it."""
        if done.phase.withheld is not None and done.phase.withheld.reason:
            return (
                f"{done.hold.all}; a false alarm is lifted by its fingerprint in `[secrets] allow` of their own policy"
            )
        if done.hold.all:
            return done.hold.all
        if self.host_is_locked_out(prepared):
            return "the organisation's policy keeps such answers in files"
        return "this installation has no key by which its text could be known again"

    def _release(
        self,
        book: ApprovalBook,
        prepared: Prepared,
        phase: DispatchedPhase,
        phases: Sequence[DispatchedPhase],
        kept: Mapping[int, Done],
    ) -> str | None:
        done, key = kept[phase.phase], self._world.key()
        destinations = self._destinations(prepared, phase, phases, done)
        if phase.withheld is None or not destinations or not key:
            return None
        routed = prepared.routed[phase.phase]
        request = ReleaseRequest(
            phase=phase.phase,
            intent=str(phase.intent),
            model=phase.model,
            file=phase.withheld.path,
            bytes=phase.withheld.bytes,
            text_hash=keyed_hash(key, done.piece.sha256),
            origin=_origin(routed, kept)[:20],
            destinations=destinations,
            host=prepared.host.name,
            owner=prepared.caller.owner,
            root=self._root(),
        )
        return book.request(
            release_key(request, key),
            request,
            workspace=prepared.workspace,
            host=prepared.host.name,
            now=utc_now(),
            trace_id=phase.trace_id,
        )

    def _root(self) -> str:
        return str(self._world.settings.workspace or "")

    def _destinations(
        self, prepared: Prepared, phase: DispatchedPhase, phases: Sequence[DispatchedPhase], done: Done
    ) -> tuple[str, ...]:
        """To whom a person may let an answer go: the host, and remote models of the steps that wait for it."""
        if done.hold.all:
            return ()
        providers = prepared.book.policy.providers
        found = [] if self.host_is_locked_out(prepared) else [HOST_DESTINATION]
        if done.hold.models:
            return tuple(found)
        kept_back = {one.phase for one in phases if one.status == "refused" and one.code is Code.RESTRICTED_CONTENT}
        for routed in prepared.routed:
            if routed.phase.index in kept_back and phase.phase in routed.phase.depends_on:
                found += [
                    destination_of(one, providers)
                    for one in (*routed.candidates, *routed.escalation)
                    if one.locality is Locality.REMOTE and one.provider != HOST
                ]
        return tuple(dict.fromkeys(found))

    @staticmethod
    def host_is_locked_out(prepared: Prepared) -> bool:
        """Whether the organisation itself says that restricted answers stay in files: no user lifts that."""
        policy = prepared.book.policy
        origin = policy.provenance.get("privacy.host_answers")
        return policy.host_answers == "file" and origin is not None and origin.layer is Layer.ORGANISATION

    def releases(self, prepared: Prepared, kept: Mapping[int, Done]) -> Releases:
        """What people have let go of the answers that a job keeps, and the organisation does not keep from the host.

        Nothing where that cannot be read.
        """
        key = self._world.key()
        if not kept or not key:
            return Releases()
        try:
            known = self.book().released(prepared.host.name, utc_now(), prepared.caller.owner)
        except StateUnavailable:
            return Releases()
        hashes = {one.piece.sha256: keyed_hash(key, one.piece.sha256) for one in kept.values()}
        locked = frozenset({HOST_DESTINATION}) if self.host_is_locked_out(prepared) else frozenset[str]()
        return Releases({sha256: known[keyed] - locked for sha256, keyed in hashes.items() if keyed in known})

    # --------------------------------------------------------------------------------------------------- answering

    def stored(self, given: str) -> StoredApproval:
        """A request by its id.

        Raises:
            NotFound: there is none.
            StateUnavailable: it cannot be read.
        """
        return self.book().stored(given, utc_now())

    def standing(self) -> tuple[StoredApproval, ...]:
        """What waits for an answer, and every yes that holds, oldest first."""
        known = self.book().requests(utc_now())
        return tuple(one for one in known if one.state == "open" or one.holds)

    def covering(self, one: StoredApproval) -> str | None:
        """The id of another yes that covers what is asked for here; None where there is none."""
        if not isinstance(one.request, CallRequest):
            return None
        theirs = self.book().granted(one.workspace, utc_now(), one.request.owner)
        held = covering(AskedCall(one.key, one.request), theirs)
        return None if held is None else held.approval_id

    def note_shown(self, given: str, via: str) -> None:
        """Keeps that a person has seen a request in full."""
        self.book().shown(given, via, utc_now())

    def question(self, given: str) -> str | None:
        """The question that a host's form shows; None where no form may ask it.

        A release is asked about in a form only where the policy says `host_answers = "ask"`.
        """
        try:
            one = self.stored(given)
            request = one.request if one.state == "open" else None
            if isinstance(request, ReleaseRequest) and self._world.book().policy.host_answers != "ask":
                return None
        except SmistaError:
            return None
        return None if request is None else question(request)

    def text_of(self, request: ReleaseRequest) -> str:
        """The very text that a release is about.

        Raises:
            StateUnavailable: it is gone, or no longer the text that was kept.
        """
        import hashlib  # noqa: PLC0415  for a release alone

        try:
            with Path(request.file).open("rb") as file:
                data = file.read(MOST_TEXT + 1)
        except OSError as error:
            raise StateUnavailable(
                f"the answer `{request.file}` cannot be read: {error.strerror}",
                fix="dispatch the task again",
                code=Code.ANSWER_WITHHELD,
            ) from None
        key = self._world.key()
        forms = (data, data.removesuffix(b"\n"))  # as it was kept, and without the line break that ends the file
        hashes = {keyed_hash(key, hashlib.sha256(form).hexdigest()): form for form in forms} if key else {}
        known = hashes.get(request.text_hash)
        if known is None:
            raise StateUnavailable(
                f"`{request.file}` is not the text that the model wrote",
                fix="dispatch the task again",
                code=Code.ANSWER_WITHHELD,
            )
        return known.decode("utf-8", "replace")

    def grant(self, given: str, via: str, *, session: bool = False) -> None:
        """Keeps a yes.

        Raises:
            NotFound: nothing of that id waits for an answer.
            StateUnavailable: it cannot be kept.
        """
        self.book().grant(given, via, utc_now(), session=session)

    def refuse(self, given: str, via: str) -> None:
        """Keeps a no, and takes a yes back that was given before; as for `grant`."""
        self.book().refuse(given, via, utc_now())

    def any_granted(self, ids: set[str]) -> bool:
        """Whether somebody has said yes to one of these; not where it cannot be told."""
        try:
            book, now = self.book(), utc_now()
            return any(book.stored(given, now).state == "granted" for given in ids)
        except (StateUnavailable, NotFound):
            return False


def _origin(routed: Routed, kept: Mapping[int, Done]) -> tuple[str, ...]:
    """Why the answer of a phase is withheld, as far as that was known before the phase began."""
    least = routed.floor
    found = least.reasons or tuple(dict.fromkeys(least.withheld.values()))
    return found or tuple(kept[place].piece.path for place in routed.phase.depends_on if place in kept)
