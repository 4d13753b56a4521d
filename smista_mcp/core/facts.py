"""What the shell has found out and hands to the pure core: context by label, servers by fact. No content, no secret."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from smista_mcp.core.digests import keyed
from smista_mcp.core.headless import CliFacts
from smista_mcp.core.origins import Chain, told
from smista_mcp.core.secretscan import SecretFact
from smista_mcp.core.values import ContextKind, Label, Locality

ItemKind = Literal["file", "git_diff", "instructions", "attachment", "skill", "answer"]
PathSource = Literal["call", "attachment", "diff", "named", "inferred"]


class PathFact(NamedTuple):
    """A path of a phase, relative to the workspace root; a directory ends with `/`.

    Attributes:
        forms: every form that policy has to judge (as given, normalised, each link step, real, NFC), `path` included.
        evidence: the words that it was inferred from, else how it was named.
        required: false for a path that the words only mention in passing or forbid to touch.
    """

    path: str
    source: PathSource
    evidence: str = ""
    forms: tuple[str, ...] = ()
    required: bool = True


class ContextItem(NamedTuple):
    """A piece of context by label: what the Decision and every receipt name.

    Attributes:
        path: relative path, or a name such as `git diff`.
        forms: as in `PathFact`; for a diff, those of all names in it; for an earlier answer, those of all that it was
            made from.
        tokens: counted with factor 1.
        digest: SHA-256 of the content that was read, in hex; where only labels are left, a keyed hash of that.
        restricted: the pattern that restricts it; None where it is free.
        derived: the label of an earlier answer; None where it has none, and for everything else.
        origin: where that label comes from.
        secrets: what the scan found in content and name.
    """

    path: str
    kind: ItemKind
    tokens: int
    required: bool
    digest: str
    forms: tuple[str, ...] = ()
    restricted: str | None = None
    derived: Label | None = None
    secrets: tuple[SecretFact, ...] = ()
    origin: Chain = ()


class LeftOut(NamedTuple):
    """Something that was not read at all, and why: `restricted by .env`, `ignored by git`, `binary`, `too large`.

    Attributes:
        part: whether it belongs to what the phase is about; false for a restricted file that only lies beside it.
    """

    path: str
    kind: ItemKind
    reason: str
    tokens: int | None = None
    part: bool = True

    @property
    def restricted(self) -> bool:
        """Whether it is left out because a pattern restricts it."""
        return self.reason.startswith("restricted by ")


class Spoken(NamedTuple):
    """What a decision asks of the words of a phase, besides how many they are.

    Attributes:
        image: whether the host says in them that an image was pasted.
        subject: whether they say what the phase is about, or hold it.
        subject_looking: whether they do for a model that looks around by itself.
    """

    image: bool
    subject: bool
    subject_looking: bool


class PhaseContext(NamedTuple):
    """All that is known about one phase besides its words.

    Attributes:
        text_tokens: of its words, where nobody has the words any more; None where they are there to be counted.
        secrets: what the scan found in its words and in the names of what it works on.
        tools: of `skills.DELEGATE_TOOLS`, those that its skill leaves a delegate; None where it says nothing of tools.
        spoken: of its words, where nobody has them any more.
    """

    paths: tuple[PathFact, ...] = ()
    kinds: frozenset[ContextKind] = frozenset()
    items: tuple[ContextItem, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    text_tokens: int | None = None
    secrets: tuple[SecretFact, ...] = ()
    tools: frozenset[str] | None = None
    spoken: Spoken | None = None


_EMPTY = PhaseContext()


def canonical(context: PhaseContext) -> bytes:
    """The context as bytes to be hashed: the same for equal contexts, on every machine."""
    if context._replace(text_tokens=None, spoken=None) == _EMPTY:
        return b"[]"
    plain = [
        [(p.path, p.source, p.evidence, p.forms, p.required) for p in context.paths],
        sorted(context.kinds),
        [
            (
                i.path,
                i.kind,
                i.tokens,
                i.required,
                i.digest,
                i.forms,
                i.restricted,
                i.derived,
                told(i.origin),
                i.secrets,
            )
            for i in context.items
        ],
        [(g.path, g.kind, g.reason, g.tokens) for g in context.left_out],
        context.secrets,
        *(() if context.tools is None else (sorted(context.tools),)),
    ]
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=True).encode()


def sealed(context: PhaseContext, key: bytes) -> PhaseContext:
    """The context with keyed hashes alone, as one from a record has them: a SHA-256 gives a short text away."""
    if context.spoken is not None or not context.items:
        return context
    items = (item._replace(digest=keyed(key, item.digest.encode())) for item in context.items)
    return context._replace(items=tuple(items))


def turns_of(context: PhaseContext) -> PhaseContext | None:
    """The part of a context that earlier turns of a session are; None where there is none."""
    items = tuple(item for item in context.items if item.kind == "answer")
    left_out = tuple(gone for gone in context.left_out if gone.kind == "answer")
    return PhaseContext(items=items, left_out=left_out) if items or left_out else None


class LiveModel(NamedTuple):
    """A model as a local server describes it.

    Attributes:
        context_window: what the server says it will take; None where it does not say.
        capabilities: None where the server does not say.
        forwards: true where the server only passes the request on to another machine.
    """

    name: str
    context_window: int | None = None
    capabilities: frozenset[str] | None = None
    forwards: bool = False


class ProviderFacts(NamedTuple):
    """What is known of a provider right now.

    Attributes:
        reachable: None where nobody asked (remote providers are never asked by a decision).
        credentials: whether the key that it needs is present, or it needs none.
        models: what it has, by name; None where it has no list or was not asked.
        detail: why it is not reachable, or has no list, in plain words.
        assumed: true where nobody was asked and all is taken to be there: cases of a policy, never a call.
        cli: of a headless CLI, what is installed.
    """

    locality: Locality
    reachable: bool | None = None
    credentials: bool = True
    cooldown: bool = False
    models: Mapping[str, LiveModel] | None = None
    detail: str = ""
    assumed: bool = False
    cli: CliFacts | None = None


class BudgetLeft(NamedTuple):
    """A budget and what is left of it, in USD as decimal strings.

    Attributes:
        known: whether anybody can tell what is left; nothing counts as left where nobody can.
    """

    scope: str
    period: str
    limit: str
    left: str
    known: bool = True


class HostFacts(NamedTuple):
    """The host that calls, as far as a decision may know it."""

    name: str = "unknown"
    locality: Locality = Locality.REMOTE
    models: Mapping[str, str] = MappingProxyType({})
    switch_step: str | None = None
