"""From a delegate's answer to a patch that applies; where it does not, the same model is asked once more.

Nothing is written. The reasons say nothing of what an answer holds but the name of a file, and that apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import anyio
import anyio.to_thread

from smista_mcp.context.looking import View
from smista_mcp.context.patches.grounds import Grounds
from smista_mcp.context.patches.making import NO_CHANGE, Made, NotMade, Workshop, make
from smista_mcp.context.readtools import ReadTools
from smista_mcp.context.repository import git_alone
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.survey import Survey
from smista_mcp.core.clearance import Bounds
from smista_mcp.core.digests import digest_of
from smista_mcp.core.floor import Sight, sight
from smista_mcp.core.pieces import Block, Piece, sendable
from smista_mcp.core.readtools import CAPS
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.selection import Candidate
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import FAMILY, Grant, Intent, Label, Locality
from smista_mcp.dispatch.exchanges import Looking, Repair
from smista_mcp.dispatch.payloads import Assignment
from smista_mcp.providers.base import StopReason

_AROUND = 40
"""Lines of a file that are shown before and behind the place of a change that does not fit."""
_LONGEST_ANSWER = 4_000_000
_CUT = "is cut off: the answer ended before it was complete"
_LATE = "could not be proved in time"
_LONG = "is too large"
_WORDS = "no diff: the task names no file, and its model answered in words"
_FILES = frozenset(("file", "git_diff", "attachment", "tool_result"))
_OURS = "proved without git, which is not here"


class Patched(NamedTuple):
    """What became of the change in an answer.

    Attributes:
        words: the answer without the patch; all of it where there is none.
        patch: None where nothing applies.
        why: why nothing does; goes on from "the change ...".
        name: the file that is meant, as the answer names it.
        remark: what is to be said of a patch; empty where nothing is.
        touched: the files that the patch holds lines of, as pieces without their text.
        after: what the patch makes of files; None where it deletes one.
    """

    words: str
    patch: str | None = None
    why: str = ""
    name: str = ""
    remark: str = ""
    touched: tuple[Piece, ...] = ()
    after: Mapping[str, str | None] = MappingProxyType({})

    @property
    def whole(self) -> str:
        """Words and patch as one text: what later steps get, and what is withheld or released."""
        return f"{self.words}\n\n{self.patch}" if self.words and self.patch else self.patch or self.words

    def reason(self, *, named: bool) -> str:
        """In words, why there is no patch.

        Args:
            named: whether the host may see a name that the model has written.
        """
        where = f" (`{redacted(shown(self.name, 200))}`)" if self.name and named else ""
        return f"the change{where} {self.why}" if self.why else self.remark


@dataclass(slots=True)
class Patching:
    """The change of one attempt.

    Attributes:
        repaired: whether its model was asked once more.
    """

    work: Assignment
    candidate: Candidate
    bounds: Bounds
    survey: Callable[[], Survey]
    repaired: bool = False
    _failed: NotMade = field(default=NotMade(""))

    async def read(self, text: str, stop: StopReason, sent: Sequence[Piece], deadline: float) -> Patched:
        """Makes a patch of an answer.

        Args:
            text: the answer.
            stop: why it ended.
            sent: what its model was given.
            deadline: on the clock of the event loop.
        """
        made: Made | NotMade = NotMade(_LATE)
        if stop in ("length", "content_filter") or len(text) > _LONGEST_ANSWER:
            made, self.repaired = NotMade(_LONG if len(text) > _LONGEST_ANSWER else _CUT), True
        else:
            with anyio.move_on_after(max(0.0, deadline - anyio.current_time())):
                made = await anyio.to_thread.run_sync(partial(self._made, text, sent), abandon_on_cancel=True)
        if isinstance(made, NotMade) and made.why == NO_CHANGE and not self._is_about_files(sent):
            return Patched(text, remark=_WORDS)
        if isinstance(made, NotMade):
            self._failed = made
            return Patched(text, why=_at(made), name=made.name)
        remark = "" if made.by_git else _OURS
        return Patched(made.words, made.patch, "", "", remark, tuple(_touched(made)), made.after)

    def _is_about_files(self, sent: Sequence[Piece]) -> bool:
        """Whether a model that answers in words has kept the change to itself: it was given files, or told of some."""
        return any(piece.kind in _FILES for piece in sent) or any(path.required for path in self.work.context.paths)

    async def repair(self, looking: Looking, text: str, label: Label | None, forms: Sequence[str]) -> Looking:
        """What the next request is built with: the answer, why it does not apply, and the lines as they are.

        Args:
            looking: how far the model has looked around.
            text: the answer.
            label: of the answer.
            forms: every form of every path that it was made from.
        """
        self.repaired = True
        lines = await anyio.to_thread.run_sync(self._lines)
        failed = self._failed
        where = f"{shown(failed.name, 200)}: " if failed.name else ""
        why = sendable(f"{where}the change {_at(failed)}")
        said = _piece("your answer", sendable(text), label, forms)
        reason = _piece("why it does not apply", why, label, forms)
        return Looking(
            exchanges=looking.exchanges,
            withheld=looking.withheld,
            repair=Repair(said, (reason, *([lines] if lines else []))),
        )

    def _made(self, text: str, sent: Sequence[Piece]) -> Made | NotMade:
        survey, work = self.survey(), self.work
        root = survey.tree.root
        if root is None:
            return NotMade("has no workspace to apply to")
        named = [path.path for path in work.context.paths if path.required and not path.path.endswith("/")]
        grounds = Grounds(
            survey,
            self._sight,
            SecretLabels(self.bounds.scans),
            remote=self.candidate.locality is not Locality.LOCAL,
            given=frozenset(named),
            before=work.before.after,
        )
        workshop = Workshop(
            grounds,
            survey.repository or git_alone(root, survey.environ, survey.caps.git_s),
            above=survey.above if survey.repository else "",
            earlier=work.before.patches,
            shown=[piece.block.text for piece in sent],
            single=named[0] if len(named) == 1 else None,
        )
        return make(text, workshop)

    def _sight(self, forms: Sequence[str]) -> Sight | None:
        return sight(self.bounds.guard, self.work.routed.phase, forms, self.candidate.tokens)

    def _lines(self) -> Piece | None:
        """The lines about which the change would belong, read and judged like those that a delegate asks for."""
        failed, permissions = self._failed, self.work.routed.decision.permissions
        if not failed.line or permissions["file_read"] is Grant.DENY or failed.name in self.work.before.after:
            return None
        remote = self.candidate.locality is not Locality.LOCAL
        view = View(remote, ("read_file",), self._sight, SecretLabels(self.bounds.scans))
        survey = self.survey()
        names = (failed.name, failed.name[2:] if failed.name[1:2] == "/" else failed.name)
        name = next((one for one in names if survey.place(one).kind == "file"), None)
        if name is None:
            return None
        first = max(1, failed.line - _AROUND)
        asked = {"path": name, "first_line": first, "last_line": first + 2 * _AROUND}
        result = ReadTools(survey, view).run("read_file", asked, CAPS.result_bytes)
        return Piece(
            block=Block(result.name, sendable(result.text)),
            path=result.name,
            sha256=digest_of(sendable(result.text)),
            tokens=count_tokens(result.text),
            restricted=result.restricted,
            label=result.label,
            kind="repair",
            forms=result.forms,
        )


def patching_of(
    candidate: Candidate, work: Assignment, bounds: Bounds, survey: Callable[[], Survey] | None
) -> Patching | None:
    """The way to a patch; None where none is asked for, or where there is no workspace to apply it to.

    Args:
        candidate: whom to ask.
        work: the phase.
        bounds: what holds in this call.
        survey: makes one of the workspace; None where there is none.
    """
    changes = FAMILY[work.routed.phase.intent.name] is Intent.EDIT
    if survey is None or not changes or work.routed.decision.permissions["file_write"] is Grant.DENY:
        return None
    return Patching(work, candidate, bounds, survey)


def _at(failed: NotMade) -> str:
    return f"{failed.why} (hunk {failed.hunk})" if failed.hunk else failed.why


def _piece(name: str, text: str, label: Label | None, forms: Sequence[str]) -> Piece:
    return Piece(
        block=Block(name, text),
        path=name,
        sha256=digest_of(text),
        tokens=count_tokens(text),
        label=label,
        kind="repair",
        forms=tuple(forms),
    )


def _touched(made: Made) -> list[Piece]:
    return [
        Piece(
            block=Block(ground.name, ""),
            path=ground.name,
            sha256=digest_of(""),
            tokens=0,
            restricted=ground.sight.reason if ground.sight else None,
            label=("local" if ground.sight.kept else "restricted") if ground.sight else None,
            forms=ground.forms,
        )
        for ground in made.files
    ]
