"""`init`: a first policy, shown, and written once a person agrees."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import confirmed, content, is_terminal, note, put, put_json
from smista_mcp.cli.proposal import Found, choose_preset, propose
from smista_mcp.core.modelref import BUILTIN_PROVIDERS
from smista_mcp.core.provider_specs import provider_specs
from smista_mcp.errors import InvalidTask, StateUnavailable
from smista_mcp.ledger import prepare_folder
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import check_organisation
from smista_mcp.providers.gguf_models import llamacpp_facts
from smista_mcp.providers.probe import ProbeTarget, probe_all


def init(options: Options) -> int:
    """Prints a policy that fits this machine; writes it after a yes on a terminal, or with --yes."""
    settings = opened(options).world.settings
    check_organisation(settings.environment)
    found = look_around(settings.environment)
    preset = options.preset or choose_preset(found)
    text = propose(found, preset)
    path = settings.user_file
    if options.json:
        written = _written(path, text, options) if options.yes else False
        put_json({"path": str(path), "written": written, "preset": preset, "found": _json(found), "text": text})
        return DONE
    put(f"found: {found.words}", f"proposed for {content(str(path))}:", "", content(text))
    if not options.yes:
        if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
            note("nothing was written; add --yes to write it")
            return DONE
        _refuse_existing(path, options)
        if not confirmed("Write it? [y/N]"):
            note("nothing was written")
            return NO
    _written(path, text, options)
    put(f"written; next: {_next(preset, found)}")
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


def _next(preset: str, found: Found) -> str:
    if preset == "embedded" and not found.embedded:
        return "smista-mcp local install"
    return 'smista-mcp route "review the auth middleware"'


def _refuse_existing(path: Path, options: Options) -> None:
    if os.path.lexists(path) and not options.force:
        raise InvalidTask(f"`{path}` is there already", fix="add --force to replace it; the old one is kept as .bak")


def _written(path: Path, text: str, options: Options) -> bool:
    """Puts the file (0600) in place as a whole, the old one beside it.

    Raises:
        InvalidTask: one is there, and nobody said to replace it.
        StateUnavailable: it cannot be written.
    """
    _refuse_existing(path, options)
    place = Path(os.path.realpath(path))  # a link to somebody's dotfiles stays one
    if not place.parent.exists():  # one that is there may be shared, and keeps its mode
        prepare_folder(place.parent)
    part = place.with_name(f".{place.name}.{os.urandom(8).hex()}.part")
    try:
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if options.force and place.exists():
                _keep_old(place)
                part.replace(place)
            else:
                os.link(part, place)  # unlike a rename, it never replaces what another process just wrote
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except FileExistsError:
        raise InvalidTask(f"`{path}` is there already", fix="run it again with --force to replace it") from None
    except OSError as error:
        raise StateUnavailable(
            f"`{path}` cannot be written: {error.strerror or type(error).__name__}",
            fix="make the folder writable, or set SMISTA_HOME to one that is",
        ) from None
    return True


def _keep_old(place: Path) -> None:
    kept = place.with_name(f"{place.name}.bak")
    kept.unlink(missing_ok=True)
    os.link(place, kept)


def _json(found: Found) -> dict[str, object]:
    return {"local_models": list(found.served), "keys": list(found.keys), "embedded_models": list(found.embedded)}
