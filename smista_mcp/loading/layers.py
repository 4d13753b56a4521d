"""Which policy files apply, and the policy that they make: read at once, joined, and refused where it is not usable."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.checking import check, faults, organisation_faults
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import WHATEVER_ELSE_HOLDS, Finding, FindingCode, Severity
from smista_mcp.core.layering import merge
from smista_mcp.core.locks import is_locked, locks_of, unlocked
from smista_mcp.core.sources import LayerDocument, by_precedence
from smista_mcp.core.values import Layer
from smista_mcp.errors import OrgPolicyInvalid, PolicyInvalid
from smista_mcp.loading.documents import parse
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.files import MAX_BYTES, MAX_FOREIGN_BYTES, Stamp, Unreadable, is_inside, read_file, stamps
from smista_mcp.loading.organisation import organisation_files, organisation_stamps
from smista_mcp.loading.presets import FIRST_RUN, read_preset
from smista_mcp.loading.trust import confirmed_files, record_file

WORKSPACE_FILE = Path(".smista/config.toml")
LOCAL_FILE = Path(".smista/local.toml")

_FIRST_RUN_NOTICE = (
    "no policy is set up: models of a local server are used where one answers, else the work goes back to the host;"
    " run `smista-mcp init` to set up your own"
)

Signature = tuple[Stamp, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides which files apply.

    Attributes:
        workspace: the root, or None where no workspace is known.
        enclosing: further folders whose files may have come with a repository: those around the root and around the
            working directory.
        trust_workspace: whether the files below `.smista/` count as confirmed though nobody has seen them.
        policy_file: a file in place of the user's own.
        preset: a name; without it the user's own file may name one.
        presets_folder: where presets stand; None for those that ship.
    """

    environment: Environment
    workspace: Path | None = None
    policy_file: Path | None = None
    preset: str | None = None
    presets_folder: Path | None = None
    enclosing: tuple[Path, ...] = ()
    trust_workspace: bool = False

    @property
    def user_file(self) -> Path:
        return self.policy_file or self.environment.config_file

    @property
    def state_came_along(self) -> bool:
        """Whether somebody else's repository could have put its own files into our state folder, or holds it."""
        return not self.environment.own_state and self.came_along(self.environment.state_folder)

    @property
    def user_file_came_along(self) -> bool:
        """Whether the user's own file may have come with a repository; where the account keeps it, it did not."""
        customary = self.policy_file is None and self.environment.own_config
        return not customary and self.came_along(self.user_file)

    def came_along(self, path: Path) -> bool:
        """Whether a path is or leads into a folder that somebody else's repository may have filled."""
        folders = (*([self.workspace] if self.workspace else []), *self.enclosing)
        return any(is_inside(path, folder) for folder in folders)


class LayerFile(NamedTuple):
    """A file that is one layer.

    Attributes:
        root: nothing outside this folder is opened for it.
        required: whether its absence is an error.
        confirmed: SHA-256 of the bytes that a person has confirmed; such a file is trusted for as long as it has them.
    """

    layer: Layer
    path: Path
    trusted: bool = True
    root: Path | None = None
    required: bool = False
    confirmed: str | None = None

    @property
    def shown(self) -> str:
        """As people know it: within the workspace by its place there."""
        return self.path.relative_to(self.root).as_posix() if self.root else str(self.path)


class Reading(NamedTuple):
    """Files as they were found. `documents` lacks those that `findings` has an error about.

    Attributes:
        notices: what a person should know of them before everything else.
        parts: what can be read of files that it lacks; to be checked, never applied.
    """

    documents: tuple[LayerDocument, ...]
    findings: tuple[Finding, ...]
    notices: tuple[str, ...] = ()
    parts: tuple[LayerDocument, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


class Loaded(NamedTuple):
    """A policy that can be used.

    Attributes:
        documents: what it was made of.
        signature: of the files as they were before they were read.
        findings: warnings about the files.
    """

    policy: Policy
    documents: tuple[LayerDocument, ...]
    signature: Signature
    findings: tuple[Finding, ...] = ()


def signature(settings: Settings) -> Signature:
    """What changes when a file that `load` reads changes, appears or goes; cheap enough for every call."""
    files = [file.path for file in layer_files(settings)]
    if settings.workspace is not None:
        files.append(record_file(settings.environment.state_folder, settings.workspace))
    return (*organisation_stamps(settings.environment), *stamps(files))


def load(settings: Settings) -> Loaded:
    """Reads and joins all layers.

    Raises:
        PolicyInvalid: with every problem of every file.
        OrgPolicyInvalid: an organisation's file is there and cannot be relied on, read, or applied.
    """
    return _load(settings, layer_files(settings))


def load_in_place(settings: Settings, layer: Layer, file: LayerFile | None) -> Loaded:
    """As `load`, with a file, or with nothing, in place of what a layer has; its signature is of the layer's own files.

    Raises:
        PolicyInvalid: with every problem of every file.
        OrgPolicyInvalid: as `load`.
    """
    others = (one for one in layer_files(settings) if one.layer is not layer)
    return _load(settings, (*others, *([] if file is None else [file])))


def _load(settings: Settings, files: Sequence[LayerFile]) -> Loaded:
    before = signature(settings)
    reading = _with_preset(settings, files)
    if reading.errors:
        _refuse([*reading.errors, *_of_organisation(reading)])
    policy = merge(reading.documents)
    _refuse([finding for finding in faults(reading.documents, policy) if finding.severity is Severity.ERROR])
    policy = policy._replace(notices=(*reading.notices, *policy.notices))
    return Loaded(policy, reading.documents, before, reading.findings)


def check_organisation(environment: Environment) -> None:
    """For what does its work without a policy, and still not against the organisation.

    Raises:
        OrgPolicyInvalid: an organisation's file is there and cannot be relied on, read, or applied.
    """
    reading = read_organisation(environment)
    _refuse([*reading.errors, *_of_organisation(reading)])


def _of_organisation(reading: Reading) -> list[Finding]:
    theirs = [document for document in reading.documents if document.layer is Layer.ORGANISATION]
    return [fault for document in theirs for fault in organisation_faults(document)]


def _refuse(errors: Sequence[Finding]) -> None:
    """Raises what is wrong; where it is the organisation's, that alone, for nothing can be decided without it."""
    theirs = [finding for finding in errors if finding.layer is Layer.ORGANISATION]
    if theirs:
        raise OrgPolicyInvalid.of(theirs)
    if errors:
        raise PolicyInvalid.of(errors)


def layer_files(settings: Settings) -> tuple[LayerFile, ...]:
    """The files of the user, workspace and local layers, from low to high, whether or not they exist."""
    path, workspace = settings.user_file, settings.workspace
    trusted = not settings.user_file_came_along
    files = [LayerFile(Layer.USER, path, trusted=trusted, required=settings.policy_file is not None)]
    if workspace is not None:
        places = ((Layer.WORKSPACE, WORKSPACE_FILE), (Layer.LOCAL, LOCAL_FILE))
        flag = settings.trust_workspace
        files += [LayerFile(layer, workspace / file, trusted=flag, root=workspace) for layer, file in places]
    return tuple(files)


def confirmed_digests(settings: Settings) -> Mapping[str, str]:
    """What a person has confirmed in this workspace: file as it is shown -> SHA-256 of its bytes."""
    state, root = settings.environment.state_folder, settings.workspace
    if root is None or not os.path.lexists(record_file(state, root)) or settings.state_came_along:
        return {}
    return confirmed_files(state, root)


def read_layers(settings: Settings) -> Reading:
    """All layers of these settings, preset included, with everything that is wrong in the files.

    Raises:
        OrgPolicyInvalid: an organisation's file is there and cannot be relied on or read.
    """
    return _with_preset(settings, layer_files(settings))


def _with_preset(settings: Settings, places: Sequence[LayerFile]) -> Reading:
    above, confirmed = read_organisation(settings.environment), confirmed_digests(settings)
    own = read_files([f._replace(confirmed=confirmed.get(f.shown)) if f.root else f for f in places])
    files = Reading((*above.documents, *own.documents), (*above.findings, *own.findings))
    preset = _preset(settings, files)
    return Reading(
        (*preset.documents, *files.documents),
        (*preset.findings, *files.findings),
        (*preset.notices, *above.notices, *_flagged(settings, own)),
        own.parts,
    )


def _flagged(settings: Settings, own: Reading) -> Iterator[str]:
    """That files count which nobody has seen."""
    names = [document.name for document in own.documents if document.layer in (Layer.WORKSPACE, Layer.LOCAL)]
    if settings.trust_workspace and names:
        yield f"--trust-workspace: {' and '.join(names)} counts as confirmed, and no person was shown it"


def read_organisation(environment: Environment) -> Reading:
    """The organisation's files, with everything that is wrong in what they say.

    Raises:
        OrgPolicyInvalid: one is there and cannot be relied on or read.
    """
    documents: list[LayerDocument] = []
    findings: list[Finding] = []
    notices: list[str] = []
    for file in organisation_files(environment):
        reading = _read(Layer.ORGANISATION, file.data, str(file.path), trusted=True)
        documents += (document._replace(bounded=file.added) for document in reading.documents)
        findings += reading.findings
        if file.own:
            notices.append(
                f"`{file.path}` is the organisation's policy and does not belong to root alone: whatever runs with"
                " your rights can change it, so it does not bind an agent"
            )
    return Reading(tuple(documents), tuple(findings), tuple(notices))


def read_files(files: Sequence[LayerFile]) -> Reading:
    """Reads each file once: what is hashed is what is parsed."""
    documents: list[LayerDocument] = []
    findings: list[Finding] = []
    parts: list[LayerDocument] = []
    for file in files:
        _, reading = read_found(file)
        documents += reading.documents
        findings += reading.findings
        parts += reading.parts
    return Reading(tuple(documents), tuple(findings), parts=tuple(parts))


def with_presets_named(reading: Reading) -> Reading:
    """The same files, with a finding for each that names a preset that there is none of. No preset is added."""
    unknown: list[Finding] = []
    for document in reading.documents:
        if document.document.preset is not None:
            try:
                read_preset(document.document.preset)
            except PolicyInvalid as error:
                unknown.append(_unknown_preset(error, document))
    return reading._replace(findings=(*reading.findings, *unknown))


def read_found(file: LayerFile) -> tuple[bytes, Reading]:
    """One file, with the bytes that were parsed; both are empty where it is not there and need not be."""
    data = read_file(file.path, file.root, most=MAX_FOREIGN_BYTES if file.root or not file.trusted else MAX_BYTES)
    if data is None and file.required:
        data = Unreadable("does not exist", "name a file that does")
    if data is None:
        return b"", Reading((), ())
    reading = _read(file.layer, data, file.shown, trusted=file.trusted)
    if file.confirmed is not None:
        known = (d._replace(trusted=file.trusted or d.digest == file.confirmed) for d in reading.documents)
        reading = reading._replace(documents=tuple(known))
    return b"" if isinstance(data, Unreadable) else data, reading


def examine(reading: Reading) -> tuple[Finding, ...]:
    """Everything that is wrong in these files, and in what they make together.

    Where one of them cannot be used, what can be read is checked all the same, for what the rest could not change.
    """
    documents = (*reading.documents, *reading.parts)
    if not documents:
        return reading.findings
    policy = merge(documents)
    found = check(documents, policy, _latest_catalog(policy))
    if reading.errors:
        found = tuple(finding for finding in found if finding.code in WHATEVER_ELSE_HOLDS)
    return (*reading.findings, *found)


def _latest_catalog(policy: Policy) -> Catalog:
    """Facts of models as they are last known: what is said of a policy does not change from day to day."""
    from smista_mcp.loading.catalog_data import read_extract, read_families  # noqa: PLC0415  for `policy check` alone

    extract = read_extract()
    return Catalog(extract, read_families(), policy.catalog, max(cast("Sequence[str]", extract["days"])))


def _read(layer: Layer, data: bytes | Unreadable, shown: str, *, trusted: bool) -> Reading:
    parsed = parse(data, layer, shown)
    stated = parsed.document or parsed.rest
    if stated is None:
        return Reading((), parsed.findings)
    document = LayerDocument(
        layer=layer,
        document=stated,
        file=shown,
        lines=parsed.lines,
        trusted=trusted,
        digest=parsed.digest,
        skipped=parsed.skipped,
    )
    if parsed.document is None:
        return Reading((), parsed.findings, parts=(document,))
    return Reading((document,), parsed.findings)


def _preset(settings: Settings, files: Reading) -> Reading:
    """The preset that is named; where nothing at all that can be believed says anything, the one for the first run."""
    source = _naming(settings, files.documents)
    name = (source.document.preset if source else None) or _called(settings, files.documents)
    notices: tuple[str, ...] = ()
    if settings.preset is not None and name != settings.preset:
        notices = (f"--preset {settings.preset} is not applied: the organisation says which preset holds",)
    if name is None:
        if files.errors or any(map(_sets_up, files.documents)):
            return Reading((), (), notices)
        name, notices = FIRST_RUN, (*notices, _FIRST_RUN_NOTICE)
    try:
        data = read_preset(name, settings.presets_folder)
    except PolicyInvalid as error:
        return Reading((), (_unknown_preset(error, source),), notices)
    return _read(Layer.PRESET, data, f"policies/{name}.toml", trusted=True)._replace(notices=notices)


def _naming(settings: Settings, documents: Sequence[LayerDocument]) -> LayerDocument | None:
    """The file whose preset holds: the organisation's, else the last one, unless the call names its own."""
    leading = [s for s in unlocked(by_precedence(documents)) if s.leads and s.document.preset is not None]
    last = leading[-1] if leading else None
    if last is None or last.layer is Layer.ORGANISATION:
        return last
    return None if _called(settings, documents) else last


def _called(settings: Settings, documents: Sequence[LayerDocument]) -> str | None:
    """The preset of the call, unless the organisation has locked that."""
    return None if is_locked(("preset",), locks_of(documents)) else settings.preset


def _sets_up(document: LayerDocument) -> bool:
    """Whether a file is a policy of its own; an organisation's may only restrict what others set up."""
    if document.layer is not Layer.ORGANISATION:
        return document.leads
    routing = document.document.routing
    return document.leads and bool(routing.rules or routing.default)


def _unknown_preset(error: PolicyInvalid, user: LayerDocument | None) -> Finding:
    return Finding(
        code=FindingCode.INVALID_ENUM,
        at="preset",
        layer=user.layer if user else None,
        file=user.file if user else None,
        line=user.lines.get("preset") if user else None,
        message=error.message,
        fix=error.fix,
    )
