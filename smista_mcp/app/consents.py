"""What people are asked, and what they said: requests written, questions worded, a yes kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smista_mcp.app.preparing import Prepared
from smista_mcp.app.world import World, utc_now
from smista_mcp.core.approval import HOST_DESTINATION
from smista_mcp.core.asked import CallRequest, ReleaseRequest, question, release_key
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.modelref import HOST
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
        refused: why nobody can be asked, where that is so.
    """

    call_id: str | None = None
    call: CallRequest | None = None
    releases: Mapping[int, str] | None = None
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
        withheld = [phase for phase in phases if phase.withheld is not None and phase.phase in kept]
        if not withheld and not (waits and prepared.asked is not None):
            return Asked()
        try:
            book = self.book()
            call_id = None
            if waits and prepared.asked is not None:
                call_id = book.request(
                    prepared.asked.key,
                    prepared.asked.request,
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
        )

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
            origin=tuple(routed.floor.reasons or dict.fromkeys(routed.floor.withheld.values()))[:20],
            destinations=destinations,
            host=prepared.host.name,
        )
        return book.request(
            release_key(request, key), request, workspace=prepared.workspace, host=prepared.host.name, now=utc_now()
        )

    def _destinations(
        self, prepared: Prepared, phase: DispatchedPhase, phases: Sequence[DispatchedPhase], done: Done
    ) -> tuple[str, ...]:
        """To whom a person may let an answer go: the host, and remote models of the steps that wait for it."""
        if done.hold.all:
            return ()
        found = [] if self.host_is_locked_out(prepared) else [HOST_DESTINATION]
        if done.hold.models:
            return tuple(found)
        kept_back = {one.phase for one in phases if one.status == "refused" and one.code is Code.RESTRICTED_CONTENT}
        for routed in prepared.routed:
            if routed.phase.index in kept_back and phase.phase in routed.phase.depends_on:
                found += [
                    one.resolved
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

    def releases(self, host: str, kept: Mapping[int, Done]) -> Releases:
        """What people have let go of the answers that a job keeps; nothing where that cannot be read."""
        key = self._world.key()
        if not kept or not key:
            return Releases()
        try:
            known = self.book().released(host, utc_now())
        except StateUnavailable:
            return Releases()
        hashes = {one.piece.sha256: keyed_hash(key, one.piece.sha256) for one in kept.values()}
        return Releases({sha256: known[keyed] for sha256, keyed in hashes.items() if keyed in known})

    def note_deliveries(self, phases: Sequence[DispatchedPhase], ids: set[str]) -> None:
        """Records with the trace that released texts were handed over, because of which yes."""
        traces = {phase.phase: phase.trace_id for phase in phases if phase.released}
        if not traces:
            return
        try:
            book = self.book()
            for given in ids:
                request = book.stored(given, utc_now()).request
                if isinstance(request, ReleaseRequest) and request.phase in traces:
                    book.use(given, traces[request.phase], utc_now())
        except (StateUnavailable, NotFound):
            return  # the yes itself is recorded with its time, and with what it is for

    # --------------------------------------------------------------------------------------------------- answering

    def stored(self, given: str) -> StoredApproval:
        """A request by its id.

        Raises:
            NotFound: there is none.
            StateUnavailable: it cannot be read.
        """
        return self.book().stored(given, utc_now())

    def waiting(self) -> tuple[StoredApproval, ...]:
        """What waits for an answer, oldest first."""
        return self.book().open_requests(utc_now())

    def note_shown(self, given: str, via: str) -> None:
        """Keeps that a person has seen a request in full."""
        self.book().shown(given, via, utc_now())

    def question(self, given: str) -> str | None:
        """The question that a host's form shows; None where no form may ask it.

        A release is asked about in a form only where the policy says `host_answers = "ask"`.
        """
        try:
            request = self.stored(given).request
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
                f"the answer `{request.file}` cannot be read: {error.strerror}", fix="dispatch the task again"
            ) from None
        key = self._world.key()
        if not key or keyed_hash(key, hashlib.sha256(data).hexdigest()) != request.text_hash:
            raise StateUnavailable(
                f"`{request.file}` is not the text that the model wrote", fix="dispatch the task again"
            )
        return data.decode("utf-8", "replace")

    def grant(self, given: str, via: str, *, session: bool = False) -> None:
        """Keeps a yes.

        Raises:
            NotFound: nothing of that id waits for an answer.
            StateUnavailable: it cannot be kept.
        """
        self.book().grant(given, via, utc_now(), session=session)

    def refuse(self, given: str, via: str) -> None:
        """Keeps a no; as for `grant`."""
        self.book().refuse(given, via, utc_now())

    def any_granted(self, ids: set[str]) -> bool:
        """Whether somebody has said yes to one of these; not where it cannot be told."""
        try:
            book, now = self.book(), utc_now()
            return any(book.stored(given, now).state == "granted" for given in ids)
        except (StateUnavailable, NotFound):
            return False
