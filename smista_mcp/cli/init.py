"""`init`: a first policy, or the least change of the one that is there; shown, and written once a person agrees."""

import difflib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.hosttargets import is_here
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import PROG, Options
from smista_mcp.cli.printing import confirmed, content, is_terminal, note, put, put_json
from smista_mcp.cli.proposal import Found, choose_preset, edited, propose
from smista_mcp.core.modelref import BUILTIN_PROVIDERS
from smista_mcp.core.provider_specs import provider_specs
from smista_mcp.core.values import Layer
from smista_mcp.errors import InvalidTask, PolicyInvalid, StateUnavailable
from smista_mcp.hostfiles.places import HOST_FILES
from smista_mcp.ledger import prepare_folder
from smista_mcp.loading.documents import parse
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.files import Unreadable, read_file
from smista_mcp.loading.layers import check_organisation
from smista_mcp.loading.presets import SCHEMA_FILE, presets_folder
from smista_mcp.providers.gguf_models import llamacpp_facts
from smista_mcp.providers.probe import ProbeTarget, probe_all

_BOM = b"\xef\xbb\xbf"


class _Proposal(NamedTuple):
    """What would be written.

    Attributes:
        data: the whole file.
        old: the file that it takes the place of; None where there is none.
        change: what differs, as a unified diff; empty for a file that is new or is replaced.
    """

    path: Path
    preset: str
    data: bytes
    old: bytes | None
    change: str = ""

    @property
    def text(self) -> str:
        return self.data.decode()

    @property
    def needed(self) -> bool:
        return self.data != self.old


def init(options: Options) -> int:
    """Prints a policy that fits this machine, or a change; writes it after a yes on a terminal, or with --yes."""
    settings = opened(options).world.settings
    check_organisation(settings.environment)
    found = look_around(settings.environment)
    proposal = _proposal(settings.user_file, found, options)
    hosts = [row.host for row in HOST_FILES if is_here(row, settings.environment)]
    if options.json:
        put_json(_json(proposal, found, hosts, written=options.yes and _written(proposal)))
        return DONE
    put(f"found: {found.words}")
    put(*(f"found: {host}; smista gets there with: {_installing(host)}" for host in hosts))
    if not proposal.needed:
        put(f"nothing to change: {content(str(proposal.path))} has all that preset {proposal.preset} needs here")
        return DONE
    what = "proposed change of" if proposal.change else "proposed for"
    put(f"{what} {content(str(proposal.path))}:", "", content(proposal.change or proposal.text))
    if not options.yes:
        if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
            note("nothing was written; add --yes to write it")
            return DONE
        if not confirmed("Write it? [y/N]"):
            note("nothing was written")
            return NO
    _written(proposal)
    kept = ", the old one is kept as .bak" if proposal.old is not None else ""
    put(f"written{kept}; next: {_next(proposal.preset, found)}")
    return DONE


def look_around(environment: Environment) -> Found:
    """What this machine has, whatever a policy says: the built-in providers at their customary places."""
    specs = {name: stated.value for name, stated in provider_specs(()).items()}
    server = specs["ollama"]
    target = ProbeTarget(server.name, server.kind, server.base_url or "", server.locality)
    variables = [specs[name].key_variable for name in BUILTIN_PROVIDERS]
    embedded = llamacpp_facts(environment.state_folder / "models")
    return Found(
        server=probe_all([target])[server.name],
        keys=tuple(name for name in variables if name and environment.secret(name)),
        embedded=tuple(embedded.models or {}),
    )


def _installing(host: str) -> str:
    """What to type for a host that this machine has."""
    return f"{PROG} install {host}"


def _proposal(path: Path, found: Found, options: Options) -> _Proposal:
    """A new file where none is there, or it is to be replaced; else a change of the one that is.

    Raises:
        InvalidTask: the file names no preset, and neither does the call: it may be meant to stand alone. Or it cannot
            be replaced or edited.
        PolicyInvalid: the file is not in order, or there is no such preset.
    """
    if options.force or not os.path.lexists(path):
        preset = options.preset or choose_preset(found)
        old = read_file(path) if path.exists() else None
        if isinstance(old, Unreadable):
            raise InvalidTask(f"`{path}` {old.message}", fix=old.fix)
        return _Proposal(path, preset, propose(found, preset, _schema_address()).encode(), old)
    old = read_file(path) or b""
    parsed = parse(old, Layer.USER, str(path))
    if isinstance(old, Unreadable) or parsed.document is None:
        raise PolicyInvalid.of(parsed.findings)
    preset = options.preset or parsed.document.preset
    if preset is None:
        raise InvalidTask(
            f"`{path}` is there already, and names no preset",
            fix="add --preset NAME to put one below what it says, or --force to replace it",
        )
    before = old.removeprefix(_BOM).decode()
    after = edited(before, found, preset)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), lineterm="", n=2)
    data = (_BOM if old.startswith(_BOM) else b"") + after.encode()
    return _Proposal(path, preset, data, old, "\n".join(lines))


def _schema_address() -> str | None:
    """Where an editor finds the JSON Schema that came with this smista: its file, which later versions replace."""
    file = presets_folder() / SCHEMA_FILE
    return file.resolve().as_uri() if file.is_file() else None


def _next(preset: str, found: Found) -> str:
    if preset == "embedded" and not found.embedded:
        return "smista-mcp local install"
    return 'smista-mcp route "review the auth middleware"'


def _written(proposal: _Proposal) -> bool:
    """Puts the file (0600) in place as a whole, the old one beside it; whether there was anything to write.

    Raises:
        InvalidTask: somebody else wrote it meanwhile.
        StateUnavailable: it cannot be written.
    """
    if not proposal.needed:
        return False
    path = proposal.path
    place = Path(os.path.realpath(path))  # a link to somebody's dotfiles stays one
    if not place.parent.exists():  # one that is there may be shared, and keeps its mode
        prepare_folder(place.parent)
    part = place.with_name(f".{place.name}.{os.urandom(8).hex()}.part")
    try:
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(proposal.data)
                file.flush()
                os.fsync(file.fileno())
            if proposal.old is None:
                os.link(part, place)  # unlike a rename, it never replaces what another process just wrote
            else:
                _keep_old(place, proposal.old)
                part.replace(place)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except FileExistsError:
        raise InvalidTask(f"`{path}` is there already", fix="run it again to see what would change") from None
    except OSError as error:
        raise StateUnavailable(
            f"`{path}` cannot be written: {error.strerror or type(error).__name__}",
            fix="make the folder writable, or set SMISTA_HOME to one that is",
        ) from None
    return True


def _keep_old(place: Path, old: bytes) -> None:
    if place.read_bytes() != old:  # somebody changed it since it was shown
        raise FileExistsError
    kept = place.with_name(f"{place.name}.bak")
    kept.unlink(missing_ok=True)
    os.link(place, kept)


def _json(proposal: _Proposal, found: Found, hosts: Sequence[str], *, written: bool) -> dict[str, object]:
    return {
        "path": str(proposal.path),
        "written": written,
        "preset": proposal.preset,
        "found": {
            "local_models": list(found.served),
            "keys": list(found.keys),
            "embedded_models": list(found.embedded),
            "hosts": list(hosts),
        },
        "register": {host: _installing(host) for host in hosts},
        "change": proposal.change or None,
        "text": proposal.text,
    }
