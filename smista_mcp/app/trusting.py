"""The files of a workspace before a person: what they ask for, confirmed or no longer."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from smista_mcp.app.world import World
from smista_mcp.context.reading import Unread
from smista_mcp.context.skillfiles import read_skill_file, skill_places, taken
from smista_mcp.core.findings import Severity
from smista_mcp.core.sources import LayerDocument
from smista_mcp.errors import InvalidTask, PolicyInvalid, StateUnavailable
from smista_mcp.ledger import prepare_folder
from smista_mcp.loading.files import MAX_FOREIGN_BYTES
from smista_mcp.loading.layers import confirmed_digests, layer_files, load, read_found
from smista_mcp.loading.trust import record_file, record_text


@dataclass(frozen=True, slots=True)
class WorkspaceFile:
    """A policy file that came with the workspace.

    Attributes:
        name: its place in the workspace.
        text: what it says, as it was hashed.
        trusted: whether a person has confirmed exactly that.
    """

    name: str
    text: str
    document: LayerDocument
    trusted: bool


@dataclass(frozen=True, slots=True)
class WorkspaceSkill:
    """A skill that came with the workspace.

    Attributes:
        shown: its file in the workspace.
        text: of that file, as it was hashed; empty where it cannot be read.
        digest: SHA-256 of its bytes.
        refusal: why it cannot be confirmed; empty where it can.
        trusted: whether a person has confirmed exactly that.
    """

    name: str
    shown: str
    text: str
    digest: str
    refusal: str
    trusted: bool


def workspace_root(world: World) -> Path:
    """The workspace.

    Raises:
        InvalidTask: none is known.
    """
    root = world.settings.workspace
    if root is None:
        raise InvalidTask("no workspace is known here", fix="go into one, or name it with --workspace")
    return root


def workspace_files(world: World) -> tuple[WorkspaceFile, ...]:
    """The policy files of the workspace, read once.

    Raises:
        InvalidTask: no workspace is known.
        PolicyInvalid: one of them cannot be read as a policy.
    """
    workspace_root(world)
    confirmed = confirmed_digests(world.settings)
    found: list[WorkspaceFile] = []
    for file in layer_files(world.settings):
        if file.root is None:
            continue
        data, reading = read_found(file)
        if reading.errors:
            raise PolicyInvalid.of([finding for finding in reading.findings if finding.severity is Severity.ERROR])
        for document in reading.documents:
            trusted = confirmed.get(file.shown) == document.digest
            found.append(WorkspaceFile(file.shown, data.decode("utf-8-sig"), document, trusted))
    return tuple(found)


def workspace_skills(world: World) -> tuple[WorkspaceSkill, ...]:
    """The skills of the workspace, read once.

    Raises:
        InvalidTask: no workspace is known.
    """
    places = skill_places(workspace_root(world))
    confirmed: Mapping[str, str] = confirmed_digests(world.settings) if places else {}
    found: list[WorkspaceSkill] = []
    for place in places:
        file = read_skill_file(place, MAX_FOREIGN_BYTES)
        if isinstance(file.reading, Unread):
            found.append(WorkspaceSkill(place.name, place.shown, "", "", file.reading.reason, trusted=False))
            continue
        refusal, reading = taken(place.name, file).refusal, file.reading
        trusted = confirmed.get(place.shown) == reading.digest
        found.append(WorkspaceSkill(place.name, place.shown, reading.text, reading.digest, refusal, trusted))
    return tuple(found)


def try_out(world: World) -> None:
    """Joins the policy as it would be with all files of the workspace confirmed.

    Raises:
        PolicyInvalid: it could not be used, so that every call would be refused.
    """
    load(replace(world.settings, trust_workspace=True))


def confirm(world: World, files: Sequence[WorkspaceFile], skills: Sequence[WorkspaceSkill] = ()) -> None:
    """Keeps that a person has confirmed these files as they are here: these, and no others of the workspace.

    A skill that cannot be read as one stays unconfirmed.

    Raises:
        StateUnavailable: it cannot be kept.
    """
    root = workspace_root(world)
    record = record_file(world.own_state(), root)
    prepare_folder(world.own_state())
    prepare_folder(record.parent)
    part = record.with_name(f".{record.name}.{os.urandom(8).hex()}.part")
    digests = {file.name: file.document.digest for file in files}
    digests |= {skill.shown: skill.digest for skill in skills if not skill.refusal}
    text = record_text(root, digests)
    try:
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(record)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(record, error) from None


def revoke(world: World) -> bool:
    """Forgets what was confirmed in this workspace; whether there was anything.

    Raises:
        StateUnavailable: it cannot be forgotten.
    """
    record = record_file(world.own_state(), workspace_root(world))
    try:
        record.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unwritable(record, error) from None
    return True


def _unwritable(record: Path, error: OSError) -> StateUnavailable:
    reason = error.strerror or type(error).__name__
    return StateUnavailable(f"`{record}` cannot be changed: {reason}", fix="make the state folder writable")
