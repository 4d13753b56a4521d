"""Which policy files apply, and the policy that they make: read at once, joined, and refused where it is not usable."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.checking import check, faults
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding, FindingCode, Severity
from smista_mcp.core.layering import merge
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer
from smista_mcp.errors import OrgPolicyInvalid, PolicyInvalid
from smista_mcp.loading.documents import parse
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.files import MAX_BYTES, MAX_FOREIGN_BYTES, Stamp, Unreadable, is_inside, read_file, stamps
from smista_mcp.loading.presets import FIRST_RUN, read_preset

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

    @property
    def user_file(self) -> Path:
        return self.policy_file or self.environment.config_file

    @property
    def state_came_along(self) -> bool:
        """Whether somebody else's repository could have put its own files into our state folder, or holds it."""
        return not self.environment.own_state and self._came_along(self.environment.state_folder)

    @property
    def user_file_came_along(self) -> bool:
        """Whether the user's own file may have come with a repository; where the account keeps it, it did not."""
        customary = self.policy_file is None and self.environment.own_config
        return not customary and self._came_along(self.user_file)

    def _came_along(self, path: Path) -> bool:
        folders = (*([self.workspace] if self.workspace else []), *self.enclosing)
        return any(is_inside(path, folder) for folder in folders)


class LayerFile(NamedTuple):
    """A file that is one layer.

    Attributes:
        root: nothing outside this folder is opened for it.
        required: whether its absence is an error.
    """

    layer: Layer
    path: Path
    trusted: bool = True
    root: Path | None = None
    required: bool = False

    @property
    def shown(self) -> str:
        """As people know it: within the workspace by its place there."""
        return self.path.relative_to(self.root).as_posix() if self.root else str(self.path)


class Reading(NamedTuple):
    """Files as they were found. `documents` lacks those that `findings` has an error about."""

    documents: tuple[LayerDocument, ...]
    findings: tuple[Finding, ...]

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
    environment = settings.environment
    added = environment.added_organisation_file
    files = [environment.organisation_file, *([added] if added else []), *(f.path for f in layer_files(settings))]
    return stamps(files)


def load(settings: Settings) -> Loaded:
    """Reads and joins all layers.

    Raises:
        PolicyInvalid: with every problem of every file.
        OrgPolicyInvalid: an organisation's file is there, which this version cannot apply.
    """
    before = signature(settings)
    refuse_organisation(settings.environment)
    reading = read_layers(settings)
    if reading.errors:
        raise PolicyInvalid.of(reading.errors)
    policy = merge(reading.documents)
    wrong = faults(reading.documents, policy)
    errors = [finding for finding in wrong if finding.severity is Severity.ERROR]
    if errors:
        raise PolicyInvalid.of(errors)
    if is_first_run(settings, reading):
        policy = policy._replace(notices=(_FIRST_RUN_NOTICE, *policy.notices))
    return Loaded(policy, reading.documents, before, reading.findings)


def is_first_run(settings: Settings, reading: Reading) -> bool:
    """Whether nobody has set up a policy: no preset is named, and no file that can be believed is there."""
    return settings.preset is None and not any(document.owner for document in reading.documents)


def refuse_organisation(environment: Environment) -> None:
    """Fails closed where an organisation has a policy.

    Raises:
        OrgPolicyInvalid: it has one, or may have one that cannot be seen.
    """
    added, fixed = environment.added_organisation_file, environment.organisation_file
    if added is not None:
        raise OrgPolicyInvalid(
            "SMISTA_ORG_POLICY names an organisation's policy, which this version cannot apply",
            fix="use a version that can; nothing is decided without it",
        )
    if stamps([fixed])[0][1] != "absent":
        raise OrgPolicyInvalid(
            f"`{fixed}` is an organisation's policy, which this version cannot apply",
            fix="use a version that can; nothing is decided without it",
        )


def layer_files(settings: Settings) -> tuple[LayerFile, ...]:
    """The files of the user, workspace and local layers, from low to high, whether or not they exist."""
    path, workspace = settings.user_file, settings.workspace
    trusted = not settings.user_file_came_along
    files = [LayerFile(Layer.USER, path, trusted=trusted, required=settings.policy_file is not None)]
    if workspace is not None:
        places = ((Layer.WORKSPACE, WORKSPACE_FILE), (Layer.LOCAL, LOCAL_FILE))
        files += [LayerFile(layer, workspace / file, trusted=False, root=workspace) for layer, file in places]
    return tuple(files)


def read_layers(settings: Settings) -> Reading:
    """All layers of these settings, preset included, with everything that is wrong in the files."""
    files = read_files(layer_files(settings))
    preset = _preset(settings, files)
    return Reading((*preset.documents, *files.documents), (*preset.findings, *files.findings))


def read_files(files: Sequence[LayerFile]) -> Reading:
    """Reads each file once: what is hashed is what is parsed."""
    documents: list[LayerDocument] = []
    findings: list[Finding] = []
    for file in files:
        data = read_file(file.path, file.root, most=MAX_BYTES if file.trusted else MAX_FOREIGN_BYTES)
        if data is None and file.required:
            data = Unreadable("does not exist", "name a file that does")
        if data is not None:
            reading = _read(file.layer, data, file.shown, trusted=file.trusted)
            documents += reading.documents
            findings += reading.findings
    return Reading(tuple(documents), tuple(findings))


def examine(reading: Reading) -> tuple[Finding, ...]:
    """Everything that is wrong in these files. What needs them joined is looked at once each of them can be read."""
    if reading.errors:
        return reading.findings
    policy = merge(reading.documents)
    return (*reading.findings, *check(reading.documents, policy, _latest_catalog(policy)))


def _latest_catalog(policy: Policy) -> Catalog:
    """Facts of models as they are last known: what is said of a policy does not change from day to day."""
    from smista_mcp.loading.catalog_data import read_extract, read_families  # noqa: PLC0415  for `policy check` alone

    extract = read_extract()
    return Catalog(extract, read_families(), policy.catalog, max(cast("Sequence[str]", extract["days"])))


def _read(layer: Layer, data: bytes | Unreadable, shown: str, *, trusted: bool) -> Reading:
    parsed = parse(data, layer, shown)
    if parsed.document is None:
        return Reading((), parsed.findings)
    document = LayerDocument(
        layer=layer,
        document=parsed.document,
        file=shown,
        lines=parsed.lines,
        trusted=trusted,
        digest=parsed.digest,
        skipped=parsed.skipped,
    )
    return Reading((document,), parsed.findings)


def _preset(settings: Settings, files: Reading) -> Reading:
    """The preset that is named; where nothing at all that can be believed says anything, the one for the first run."""
    user = next((document for document in files.documents if document.owner), None)
    name = settings.preset or (user.document.preset if user else None)
    if name is None and (user is not None or files.errors):
        return Reading((), ())
    name = name or FIRST_RUN
    try:
        data = read_preset(name, settings.presets_folder)
    except PolicyInvalid as error:
        return Reading((), (_unknown_preset(error, None if settings.preset else user),))
    return _read(Layer.PRESET, data, f"policies/{name}.toml", trusted=True)


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
