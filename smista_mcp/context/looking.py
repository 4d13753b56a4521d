"""One look of a delegate at the workspace: what it may see, and what it is shown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from smista_mcp.context.paths import Place
from smista_mcp.context.reading import Reading, Unread
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.spelling import printable
from smista_mcp.context.survey import Survey
from smista_mcp.context.toolarguments import Arguments
from smista_mcp.core.floor import Sight
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.readtools import ToolCaps
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.secretscan import told

NOT_AVAILABLE = "not available to this model"
"""All that a model learns of a path that it may not see, whatever the reason, and whether or not it exists."""
UNCOUNTED = "[what is not available to this model is not counted here]"
"""Stands below every list for a remote model, whether or not anything is kept back."""
NOTHING_HERE = "there is no such file; list_files shows what there is"
UNNAMED = "a path that a model made up"
"""What receipts call a path that is none of the workspace's: what a model writes may be what it was shown."""
_LONGEST_NAME = 200
_LISTED_WITHHELD = 20
_LABELS: Mapping[bool, Literal["restricted", "local"]] = {True: "local", False: "restricted"}


class View(NamedTuple):
    """For whom the tools of one attempt look.

    Attributes:
        remote: whether what they show leaves this machine.
        tools: those that there are.
        judge: why a path, in all of its forms, is not for a remote model.
        secrets: what the secret scan says.
    """

    remote: bool
    tools: Sequence[str]
    judge: Callable[[Sequence[str]], Sight | None]
    secrets: SecretLabels


class ToolResult(NamedTuple):
    """What a call gives.

    Attributes:
        text: for the model.
        name: what receipts call it.
        forms: every form of every path that it tells of.
        label: of whatever is made from it.
        restricted: why it is labelled.
        withheld: paths that were kept back, and why. No model sees these.
    """

    text: str
    name: str
    forms: tuple[str, ...] = ()
    label: Literal["restricted", "local"] | None = None
    restricted: str | None = None
    withheld: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """A call that is answered with no more than this text."""


class Look:
    """One call under way: what it shows so far, and what it keeps back.

    Attributes:
        name: what receipts call it.
        until: on the clock: then it ends with what it has.
        named: whether the model has named the very file, or a restricted directory, so that a local one may see it.
    """

    def __init__(self, survey: Survey, view: View, caps: ToolCaps, most: int, clock: Callable[[], float]) -> None:
        self.survey = survey
        self.view = view
        self.caps = caps
        self.name = ""
        self.until = 0.0
        self.named = False
        self.lines: list[str] = []
        self.withheld: dict[str, str] = {}
        self._clock = clock
        self._left = most
        self._forms: dict[str, None] = {}
        self._sights: list[Sight] = []

    @property
    def late(self) -> bool:
        return self._clock() >= self.until

    def add(self, line: str) -> bool:
        """Shows a line, if there is room for it."""
        size = len(line.encode("utf-8", "replace")) + 1
        if size > self._left:
            return False
        self._left -= size
        self.lines.append(line)
        return True

    def cut(self, text: str) -> str:
        """As much of a text as there is room for, whole lines if it has any."""
        data = text.encode("utf-8", "replace")
        if len(data) <= self._left:
            return text
        part = data[: max(0, self._left)].decode("utf-8", "ignore")
        return part[: part.rfind("\n") + 1] or part

    def tell(self, place: Place, *sights: Sight | None) -> None:
        """Notes that the result tells of a path."""
        self._forms.update(dict.fromkeys(place.forms))
        self._sights += [sight for sight in sights if sight is not None]

    def keep(self, path: str, reason: str) -> None:
        """Notes that a path is kept back. It is a name of the workspace's own, never one that a model wrote."""
        self.withheld[shown(path, _LONGEST_NAME)] = reason

    def result(self, tool: str) -> ToolResult:
        first = min(self._sights, key=lambda sight: sight.kept, default=None)
        kept = list(self.withheld.items())
        if len(kept) > _LISTED_WITHHELD:
            more = len(kept) - _LISTED_WITHHELD
            kept[_LISTED_WITHHELD:] = [(f"{more} more", "kept from a delegate's tools like those above")]
        return ToolResult(
            text="\n".join(self.lines),
            name=self.name or tool,
            forms=tuple(self._forms),
            label=_LABELS[first.kept] if first else None,
            restricted=first.reason if first else None,
            withheld=tuple(kept),
        )

    # ------------------------------------------------------------------------------------------------- judgement

    def sight(self, place: Place) -> Sight | None:
        """Why a path is not for a remote model: its names, those that nobody knows, a secret in them."""
        found = self.view.judge(place.forms)
        if found is None and place.unjudged:
            found = Sight(f"restricted by `{place.unjudged}`")
        if found is None and (secrets := self.view.secrets.of_names((place.path,))):
            found = Sight(told(secrets))
        return found

    def sight_of_content(self, reading: Reading) -> Sight | None:
        """Why a file that was read is not for a remote model: another of its names, a secret in it."""
        other = self.survey.restriction_by_other_name(reading)
        if other:
            return Sight(f"restricted by `{other}`")
        secrets = self.view.secrets.of_content(reading.text, reading.digest)
        return Sight(told(secrets)) if secrets else None

    def entry(self, written: str) -> tuple[Place, Sight | None]:
        """The file or directory that a model names, if it may see it.

        Raises:
            Refused: it may not, or there is none.
        """
        place = self.survey.place(written or ".")
        if place.kind not in ("file", "directory", "missing"):
            self.refuse(place, place.why or "not a file of the workspace")
        sight = self.sight(place)
        if sight is not None and self.view.remote:
            self.refuse(place, sight.reason)
        if place.kind == "missing":
            raise Refused(NOT_AVAILABLE if self.view.remote else NOTHING_HERE)
        if hidden := self.hidden(place):
            self.refuse(place, hidden)
        if self.view.remote and place.kind == "directory" and place.parts and not self._shows_some(place):
            self.refuse(place, "nothing in it is for a remote model")
        if place.parts:
            self.name = f"{self.name} {shown(redacted(own_name(place)), _LONGEST_NAME)}"
        return place, sight

    def refuse(self, place: Place, reason: str) -> None:
        """Keeps a path back; one that leads to nothing of the workspace is not repeated, for a model made it up.

        Raises:
            Refused: always.
        """
        there = place.kind in ("file", "directory", "special") and place.parts
        self.keep(own_name(place) if there else UNNAMED, reason)
        raise Refused(NOT_AVAILABLE)

    def hidden(self, place: Place) -> str:
        """Why a path is none of the workspace's own files: git's, ignored, or nobody can tell. Empty where it is."""
        if any(part.casefold() == ".git" for part in place.parts):
            return "it belongs to git"
        name = "/".join(place.parts)
        ours = self.survey.ignores.reason(name, directory=place.kind == "directory")
        if ours is not None:
            return ours[1]
        if place.kind == "directory" and self.view.remote and not self.survey.listing(place).files:
            return "nothing in it is the workspace's own"
        if place.kind != "file" or self.survey.repository is None:
            return ""
        return "" if name in self.survey.listing(place).files else "ignored by git"

    def opened(self, place: Place) -> Reading:
        """A file of any size that is taken, if it may be shown; what labels the result is noted.

        Raises:
            Refused: it may not.
        """
        reading = self.survey.read(place)
        if isinstance(reading, Unread):
            raise Refused(f"`{shown(place.path, 200)}` cannot be shown: {reading.reason}")
        sight = self.sight_of_content(reading)
        if sight is not None and self.view.remote:
            self.refuse(place, sight.reason)
        self.tell(place, sight)
        return reading

    # ------------------------------------------------------------------------------------------------ many files

    def files(self, asked: Arguments) -> Iterator[tuple[Place, Sight | None]]:
        """The files that a listing or a search goes through, each judged; what is kept back is noted.

        To a remote model nothing else tells of what is kept back, neither a number nor where a search ends.

        A directory stands for its free files alone, for a local model too: of a restricted one it learns when it
        names it, so that no search for a common word marks an answer.
        """
        start, sight = self.entry(asked.path)
        self.named = start.kind == "file" or sight is not None
        if start.kind == "file":
            yield start, sight
            return
        matching = GlobSet((asked.pattern,)) if asked.pattern else None
        for count, (place, own) in enumerate(self._below(start, matching)):
            if count >= self.caps.files or self.late:
                self.lines.append(f"[stopped after {count} files: name a smaller directory]")
                return
            yield place, own or sight

    def _shows_some(self, directory: Place) -> bool:
        """Whether a remote model sees any file below a directory, so that it may know that there is one."""
        return any(True for _ in self._below(directory, None))

    def _below(self, start: Place, matching: GlobSet | None) -> Iterator[tuple[Place, Sight | None]]:
        """The files below a directory that may be shown. What is kept back is not counted: its number tells of it."""
        listing = self.survey.listing(start)
        if listing.failure:
            raise Refused(f"the files there cannot be listed: {listing.failure}")
        for name in listing.files:
            if self.late:
                self.lines.append("[stopped after the time that it may take: name a smaller directory]")
                return
            place = inside(self.survey, start, name)
            names = (place.path,) if self.view.remote else place.forms
            if matching is not None and not any(map(matching.hits, names)):
                continue
            if place.kind == "missing" or any(part.casefold() == ".git" for part in place.parts):
                continue
            if self.survey.ignores.reason("/".join(place.parts)) is not None:
                continue
            own = self.sight(place) if place.kind == "file" else Sight(place.why or "not a regular file")
            if own is not None and (not self.may_show(own) or place.kind != "file"):
                self.keep(place.path, own.reason)
                continue
            yield place, own

    def may_show(self, sight: Sight | None) -> bool:
        """Whether what is not for a remote model may be shown here."""
        return sight is None or (self.named and not self.view.remote)

    def close(self, what: str) -> None:
        """Says that something may be kept back, to a remote model always and in the same words; else how much it is."""
        count = len(self.withheld)
        if self.view.remote:
            self.lines.append(UNCOUNTED)
        elif count:
            self.lines.append(f"[{count} {what} left out as restricted: name one by its path to look into it]")


def own_name(place: Place) -> str:
    """What exists, as the system names it: nothing of how a model spelled the way to it."""
    return "/".join(place.parts) + ("/" if place.kind == "directory" else "")


def inside(survey: Survey, directory: Place, name: str) -> Place:
    """A file of a directory, also under the names that the directory has through links."""
    place = survey.locate(name)
    rest = printable(name[len("/".join(directory.parts)) :].lstrip("/"))
    names = ["" if form == "./" else form for form in directory.forms]
    forms = dict.fromkeys((*(f"{form}{rest}" for form in names), *place.forms))
    return place._replace(path=f"{names[0]}{rest}", forms=tuple(forms))
