"""Which headless CLIs are installed, in which version, and whether a plan pays: found out without the network."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.facts import ProviderFacts
from smista_mcp.core.headless import CliFacts, headless_of, version_in
from smista_mcp.core.values import Locality
from smista_mcp.providers import wirejson
from smista_mcp.providers.cli_specs import Place

_MOST = 1024 * 1024
_ASKED_S = 3.0
"""Seconds that a CLI has to say its version, where nothing beside it does."""
_PACKAGES = 4
"""Folders above a program in which its package may be."""
_OWN_NAME = re.compile(r"claude|codex|gemini|opencode|copilot", re.IGNORECASE)


class Installed(NamedTuple):
    """A CLI that is there."""

    path: Path
    version: str | None


def find_cli(spec: ProviderSpec, variables: Mapping[str, str]) -> Installed | str:
    """The program of a CLI, or why there is none."""
    row = headless_of(spec.name)
    if row is None:
        return f"`{spec.name}` is no CLI that is known"
    if sys.platform == "win32":
        return "CLIs cannot be run on Windows yet"
    found = spec.command or shutil.which(row.command, path=variables.get("PATH", os.defpath))
    if found is None:
        return f"`{row.command}` is not on the search path; install it, or write its `command`"
    try:
        real = Path(found).resolve(strict=True)
        stat = real.stat()
    except (OSError, RuntimeError):
        return f"`{found}` is not there"
    if not real.is_file() or not os.access(real, os.X_OK):
        return f"`{found}` is no program"
    return Installed(Path(found), _version(real, stat.st_mtime_ns, stat.st_size, variables.get("PATH", os.defpath)))


def cli_facts(spec: ProviderSpec, variables: Mapping[str, str]) -> ProviderFacts:
    """What a decision may know of a CLI. Whether its login still holds, only a request shows."""
    found = find_cli(spec, variables)
    if isinstance(found, str):
        return ProviderFacts(Locality.REMOTE, reachable=False, detail=found)
    plan = not spec.variables and plan_pays(spec.name, variables)
    return ProviderFacts(Locality.REMOTE, reachable=True, cli=CliFacts(found.version, plan))


def folder_of(place: Place, variables: Mapping[str, str]) -> Path:
    """A folder of the user's."""
    named = variables.get(place.variable)
    base = Path(named) if named else Path(variables.get("HOME") or "/") / place.customary
    return base / place.below


def plan_pays(name: str, variables: Mapping[str, str]) -> bool:
    """Whether the login of a CLI is known to be that of a subscription: its files say so, no secret of them is kept.

    A key in place of a login pays by use, and what cannot be known, as with a login in a keychain, counts as unknown.
    """
    match name:
        case "cli:claude":
            if variables.get("CLAUDE_CODE_OAUTH_TOKEN"):
                return True
            said = _json(folder_of(Place("CLAUDE_CONFIG_DIR", ".claude"), variables) / ".credentials.json")
            return bool(wirejson.text(wirejson.member(said.get("claudeAiOauth"), "subscriptionType")))
        case "cli:codex":
            said = _json(folder_of(Place("CODEX_HOME", ".codex"), variables) / "auth.json")
            return said.get("auth_mode") == "chatgpt" and not said.get("OPENAI_API_KEY")
        case "cli:gemini":
            said = _json(folder_of(Place("GEMINI_CLI_HOME", "", ".gemini"), variables) / "settings.json")
            auth = wirejson.member(wirejson.member(said.get("security"), "auth"), "selectedType")
            return auth == "oauth-personal"
        case "cli:copilot":
            return (
                True  # its requests are those of a GitHub plan; a provider of one's own needs variables that it lacks
            )
        case _:
            return False


def _json(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            return wirejson.parse_object(file.read(_MOST))
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=32)
def _version(real: Path, mtime_ns: int, size: int, path: str) -> str | None:
    """By its package beside it, else by a folder named for it, else by its own word."""
    del mtime_ns, size
    for folder in list(real.parents)[:_PACKAGES]:
        said = _json(folder / "package.json")
        name, version = said.get("name"), wirejson.text(said.get("version"))
        if isinstance(name, str) and _OWN_NAME.search(name) and version:
            return version_in(version)
    return version_in(real.name) or _asked(real, path)


def _asked(real: Path, path: str) -> str | None:
    try:
        done = subprocess.run(
            [str(real), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASKED_S,
            env={"PATH": path, "HOME": os.devnull, "DISABLE_AUTOUPDATER": "1"},
            cwd="/",
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return version_in(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else None


def read_settings(path: Path, form: str) -> Mapping[str, object]:
    """A file of settings; nothing where it is not there or cannot be read."""
    if form == "json":
        try:
            with path.open("rb") as file:
                return wirejson.parse_object(_plain_json(file.read(_MOST).decode("utf-8")).encode())
        except (OSError, ValueError):
            return {}
    import tomllib  # noqa: PLC0415  only who asks such a CLI needs it

    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError):
        return {}


_JSON_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*[\s\S]*?\*/|,(?=\s*[}\]])')


def _plain_json(text: str) -> str:
    """JSON without the comments and the last commas that settings of editors may have."""
    return _JSON_PARTS.sub(lambda part: part[0] if part[0].startswith('"') else " ", text)


def kept(settings: Mapping[str, object], keys: tuple[str, ...]) -> dict[str, object]:
    """Of settings, what the dotted keys name; no two of them begin alike."""
    found: dict[str, object] = {}
    for key in keys:
        first, *below = key.split(".")
        value: object = settings
        for name in (first, *below):
            value = wirejson.member(value, name)
        if value is None:
            continue
        for name in reversed(below):
            value = {name: value}
        found[first] = value
    return found


def written(settings: Mapping[str, object], form: str) -> str:
    """Settings as text."""
    if form == "json":
        return json.dumps(settings)
    import tomlkit  # noqa: PLC0415  only who asks such a CLI needs it

    return tomlkit.dumps(settings)
