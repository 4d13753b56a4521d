"""Headless host CLIs as providers: which there are, and what keeps each from looking around by itself.

A CLI is an agent with tools of its own. It may be asked only where what it could read is what it was given: where all
of its tools are off. Whether they are, depends on its version: each row says for which versions it was seen, when and
how. What is not seen counts as open.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

CLI_KIND = "cli"
DEFAULT_MODEL = "default"
"""`cli:NAME/default` stands for the model that the CLI is set to."""
DELEGATE_MARK = "SMISTA_DELEGATE"
"""A variable that every CLI gets, and with it the servers that it starts: ours does not serve where it is set."""
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){1,3}")
_EFFORTS: Mapping[str, str] = MappingProxyType({"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"})
_UNTOLD: Mapping[str, str] = MappingProxyType({})
_SEEN = "driven offline against a model that asks for a file with every tool offered, and with its usual ones unoffered"


class Headless(NamedTuple):
    """A CLI.

    Attributes:
        command: its name on the search path.
        confinement: what keeps it from reading by itself, from `since` on in that major version.
        since: the first version for which that was seen.
        efforts: how it is told to work hard, by effort; nothing where it cannot, or is silent if it does not.
        source: where `confinement` is known from.
        checked: ISO date of that.
    """

    name: str
    command: str
    confinement: Literal["tools_off", "none"]
    since: str
    efforts: Mapping[str, str]
    source: str
    checked: str


HEADLESS: Final[Mapping[str, Headless]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Headless(
                name="claude",
                command="claude",
                confinement="tools_off",
                since="2.1.328",
                efforts=_EFFORTS,
                source=f"Claude Code 2.1.328, {_SEEN}: offered none, ran none; without CLAUDE_CODE_DISABLE_ATTACHMENTS"
                " it read a file that the prompt named with @ although its tools were off",
                checked="2026-11-20",
            ),
            Headless(
                name="codex",
                command="codex",
                confinement="tools_off",
                since="0.169.0",
                efforts=_EFFORTS,
                source=f"Codex 0.169.0, {_SEEN}: offered `request_user_input` alone, which reads nothing",
                checked="2026-11-20",
            ),
            Headless(
                name="gemini",
                command="gemini",
                confinement="tools_off",
                since="0.61.0",
                efforts=_UNTOLD,
                source=f"Gemini CLI 0.61.0, {_SEEN}: a policy of the administrator's tier that denies `*` left none",
                checked="2026-11-20",
            ),
            Headless(
                name="opencode",
                command="opencode",
                confinement="tools_off",
                since="1.18.33",
                efforts=_UNTOLD,
                source=f"opencode 1.18.33, {_SEEN}: an agent without tools was offered none and ran none",
                checked="2026-11-20",
            ),
            Headless(
                name="copilot",
                command="copilot",
                confinement="tools_off",
                since="1.0.102",
                efforts=_EFFORTS,
                source=f"Copilot CLI 1.0.102, {_SEEN}: offered none, ran none",
                checked="2026-11-20",
            ),
        )
    }
)


class CliFacts(NamedTuple):
    """What is known of an installed CLI.

    Attributes:
        version: as it says itself; None where nobody knows.
        plan: whether its login is one that a subscription pays for.
    """

    version: str | None = None
    plan: bool = False


def headless_of(provider: str) -> Headless | None:
    """The CLI that `cli:NAME` stands for."""
    kind, _, name = provider.partition(":")
    return HEADLESS.get(name) if kind == CLI_KIND else None


def version_in(text: str) -> str | None:
    """The first version number in a text; None where there is none."""
    found = _VERSION.search(text[:10_000])
    return found[0] if found else None


def why_open(row: Headless, version: str | None) -> str | None:
    """Why a CLI of that version may look around by itself; None where its tools are known to be off."""
    if row.confinement == "none":
        return f"the tools of `{row.command}` cannot be turned off"
    if version is None:
        return f"nobody knows the version of `{row.command}`, and with it whether its tools can be turned off"
    given, since = _figures(version), _figures(row.since)
    if given < since or given[0] != since[0]:
        return f"the tools of `{row.command}` {version} are not known to be off; they are from {row.since} on"
    return None


def _figures(version: str) -> tuple[int, ...]:
    return tuple(int(part[:9]) for part in version.split("."))
