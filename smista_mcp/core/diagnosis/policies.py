"""The policy in force: its layers, what is wrong in them, and what waits for a person's confirmation."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from smista_mcp.core import policy
from smista_mcp.core.diagnosis.marks import name, place, words
from smista_mcp.core.diagnosis.remarks import Remark, fine, note, wrong
from smista_mcp.core.findings import Finding, Severity
from smista_mcp.core.values import Value

_SHOWN = 5
_CHECK = "`smista-mcp policy check` shows everything"
_TRUST = "read them, then run `smista-mcp trust`"


_KEYS = frozenset(
    field.alias or key
    for model in vars(policy).values()
    if isinstance(model, type) and issubclass(model, Value)
    for key, field in model.model_fields.items()
)
"""Every key that a policy may have: none of these says anything of who wrote it."""
_OF_KEY = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z0-9_-]+')


class LayerSeen(NamedTuple):
    """One layer that says anything.

    Attributes:
        layer: `preset`, `user`, `workspace`, `local` or `organisation`.
        file: where it stands; for a preset its name.
        trusted: whether a person, or the place where it stands, vouches for it.
    """

    layer: str
    file: str
    trusted: bool = True


class PolicySeen(NamedTuple):
    """What was read.

    Attributes:
        refusal: why nothing can be decided at all, and what to do: an organisation's file that cannot be taken.
        findings: of the files and of what they make together.
        checked: false where there was no time to check what the files make together.
        rules: how many rules may win.
        unconfirmed: files and skills of the workspace that nobody has confirmed as they are.
    """

    layers: tuple[LayerSeen, ...] = ()
    refusal: tuple[str, str] | None = None
    findings: tuple[Finding, ...] = ()
    checked: bool = True
    rules: int = 0
    unconfirmed: tuple[str, ...] = ()


def judge_workspace(root: str | None) -> Remark:
    """Whether a workspace is known."""
    if root is not None:
        return fine("workspace", "root", f"the workspace is {place(root)}")
    fix = "start in a git repository, or name a folder with --workspace"
    return note("workspace", "root", "no workspace is known here, so no file is read", fix)


def judge_policy(seen: PolicySeen) -> Iterator[Remark]:
    """The policy and its layers."""
    if seen.refusal is not None:
        said, fix = seen.refusal
        yield wrong("policy", "organisation", f"every call is refused: {words(said)}", words(fix))
        return
    yield from _judge_layers(seen)
    errors = [one for one in seen.findings if one.severity is Severity.ERROR]
    warnings = [one for one in seen.findings if one.severity is Severity.WARNING]
    yield from map(_error, errors[:_SHOWN])
    if len(errors) > _SHOWN:
        yield wrong("policy", "errors", f"{len(errors) - _SHOWN} further errors", _CHECK)
    if warnings:
        codes = ", ".join(sorted({one.code.value for one in warnings}))
        count = "one warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
        yield note("policy", "warnings", f"{count}: {codes}", _CHECK)
    if not errors:
        rest = "" if seen.checked else "; there was no time to check what they make together"
        count = "one rule" if seen.rules == 1 else f"{seen.rules} rules"
        yield fine("policy", "rules", f"{count} and no error{rest}")


def _judge_layers(seen: PolicySeen) -> Iterator[Remark]:
    for one in seen.layers:
        if one.layer == "preset":
            yield fine("policy", "layer", f"preset {one.file}")
        else:
            yield fine("policy", "layer", f"{one.layer}: {place(one.file)}")
    if all(one.layer in ("preset", "organisation") for one in seen.layers) and not seen.findings:
        said = "no policy of your own is set up: only what cannot leave this machine is done"
        yield note("policy", "own_policy", said, "run `smista-mcp init`")
    if seen.unconfirmed:
        said = f"not confirmed, so they may only narrow: {', '.join(map(place, seen.unconfirmed))}"
        yield note("policy", "trust", said, _TRUST)


def _error(found: Finding) -> Remark:
    where = place(found.file) if found.file else "the policy"
    line = f":{found.line}" if found.line else ""
    at = _OF_KEY.sub(lambda part: part[0] if part[0] in _KEYS or part[0].isdigit() else name(part[0]), found.at)
    said = f"{where}{line} {found.code.value}{f' at {at}' if at else ''}: {words(found.message)}"
    return wrong("policy", "errors", said, f"{words(found.fix)}; {_CHECK}" if found.fix else _CHECK)
