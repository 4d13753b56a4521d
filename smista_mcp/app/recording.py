"""What the ledger keeps of a call, so that its decisions can be made again: labels, sizes and keyed hashes, no text."""

from collections.abc import Callable, Iterator, Sequence

from smista_mcp.app.world import World
from smista_mcp.context.spelling import printable
from smista_mcp.core.capabilities import shows_image
from smista_mcp.core.digests import keyed
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.inputs import approval_body, policy_body
from smista_mcp.core.routing import Routed, matched_paths, required_tokens
from smista_mcp.core.secretscan import SecretFact
from smista_mcp.core.snapshot import Snapshot, hashed, plain_text
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.subject import says_what
from smista_mcp.core.task import Task
from smista_mcp.core.tokens import count_tokens
from smista_mcp.ledger import ItemLabel, Kept, LeftLabel, PathLabel, PhaseFacts, SecretLabel


def kept_inputs(world: World, snapshot: Snapshot, routed: Sequence[Routed]) -> tuple[Kept, ...]:
    """The inputs of a call that are kept once for all calls that have them."""
    return tuple(_kept(world, snapshot, routed))


def _kept(world: World, snapshot: Snapshot, routed: Sequence[Routed]) -> Iterator[Kept]:
    digests = snapshot.digests
    yield from (Kept(digests[name], name, body) for name, body in snapshot.bodies.items())
    documents = world.documents(snapshot.rulebook.policy.revision)
    if documents is not None:
        yield Kept(digests["policy"], "policy", _written(documents))
    yield Kept(digests["catalog"], "catalog", plain_text(snapshot.market.catalog.identity))
    used = {one.decision.inputs.get("approvals") for one in routed}
    for approved in snapshot.approvals:
        body = plain_text(approval_body(approved))
        if hashed(body) in used:
            yield Kept(hashed(body), "approvals", body)


def _written(documents: Sequence[LayerDocument]) -> Callable[[], str]:
    return lambda: policy_body(documents)


def phase_facts(one: Routed, context: PhaseContext, task: Task, key: bytes) -> PhaseFacts:
    """What a phase brought to its decision."""
    words = count_tokens(one.phase.text)
    spared = {path.path for path in context.paths if not path.required}
    return PhaseFacts.model_construct(
        skill=one.phase.skill,
        binding=one.phase.binding,
        paths=tuple(printable(path) for path in matched_paths(context)),
        tokens=words + required_tokens(context),
        text_tokens=words,
        model=task.model,
        effort=task.effort,
        named=tuple(
            PathLabel.model_construct(
                path=printable(p.path),
                required=p.required,
                forms=_forms(p.path, p.forms),
                formless=not p.forms,
                source=p.source,
                evidence=printable(p.evidence),
            )
            for p in context.paths
        ),
        items=tuple(
            ItemLabel.model_construct(
                path=printable(i.path),
                kind=i.kind,
                tokens=i.tokens,
                required=i.required,
                forms=_forms(i.path, i.forms),
                restricted=i.restricted,
                derived=i.derived,
                secrets=_secrets(i.secrets),
                origin=i.origin,
                formless=not i.forms,
                digest=keyed(key, i.digest.encode()),
            )
            for i in context.items
        ),
        withheld=tuple(printable(g.path) for g in context.left_out if g.part and g.restricted and g.path not in spared),
        secrets=_secrets(context.secrets),
        spoken=_spoken(one.phase.text, context),
        kinds=tuple(sorted(context.kinds)),
        left_out=tuple(
            LeftLabel.model_construct(
                path=printable(g.path), kind=g.kind, reason=printable(g.reason), tokens=g.tokens, part=g.part
            )
            for g in context.left_out
        ),
        tools=None if context.tools is None else tuple(sorted(context.tools)),
        hashed_by=key_mark(key) if _is_printable(context) else None,
    )


def key_mark(key: bytes) -> str:
    """Tells the key of this installation from others, and nothing of it."""
    return keyed(key, b"hashes of contexts")[:8]


def _is_printable(context: PhaseContext) -> bool:
    """Whether all names in it are kept as they are."""
    names = [text for path in context.paths for text in (path.path, path.evidence, *path.forms)]
    names += [text for item in context.items for text in (item.path, *item.forms)]
    names += [text for gone in context.left_out for text in (gone.path, gone.reason)]
    return all(printable(name) == name for name in names)


def _spoken(words: str, context: PhaseContext) -> tuple[bool, bool, bool]:
    """What a decision asks of the words; whether they say what it is about, only where what has changed is left out."""
    image = shows_image(words)
    if not any(gone.kind == "git_diff" for gone in context.left_out):
        return image, True, True
    return image, says_what(words, looks=False), says_what(words, looks=True)


def _secrets(found: Sequence[SecretFact]) -> tuple[SecretLabel, ...]:
    return tuple(
        SecretLabel.model_construct(kind=s.kind, line=s.line, fingerprint=s.fingerprint, file=s.file) for s in found
    )


def _forms(path: str, forms: Sequence[str]) -> tuple[str, ...]:
    """The forms that a row holds: none where they are the path alone."""
    return () if tuple(forms) == (path,) else tuple(map(printable, forms))
