"""Words that belong to this machine or its user, marked in a text so that they can be shown or masked.

Whatever is not a word of ours, a version or a figure is marked: so nothing has to be found again in a finished text.
As a second net, the names that are known (account, home folder, machine, workspace) are replaced wherever they stand.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.core.addresses import parse_address
from smista_mcp.core.redaction import redacted
from smista_mcp.core.vendors import VENDORS, vendor_hosts

_OPEN, _SPLIT, _CLOSE = "\ue000", "\ue001", "\ue002"  # of the private use area: `_plain` takes them out of values
_MARKED = re.compile(f"{_OPEN}([a-z]+){_SPLIT}([^{_CLOSE}]*){_CLOSE}")
_OWN = str.maketrans("", "", _OPEN + _SPLIT + _CLOSE)
_SHORTEST = 3
"""Letters of a name that is looked for in a whole text: a shorter one would be found in half of all words."""
_VARIABLE = r"\b(?:SMISTA|XDG|CODEX|CLAUDE|COPILOT|GEMINI|SSL)_[A-Z_]+\b"
"""Variables that our own words name: no name is looked for in them."""
_COMMON = frozenset(
    """
    home user users host hosts model models policy server servers workspace local root project code codex claude cursor
    gemini copilot opencode ollama smista file files folder key keys name entry command program provider providers
    machine network ledger clock python git test remote default layer preset
    """.split()
)
"""Words of ours that are also given as names: they say nothing of anybody, and a report without them says nothing."""
_PUBLIC_HOSTS = vendor_hosts() | {"api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com"}
_CUSTOMARY_VARIABLES = frozenset(
    {"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", *(row.key_variable for row in VENDORS.values())}
)
_KNOWN_PARTS = frozenset(
    """
    / ~ . .. usr bin sbin lib lib64 local opt etc var tmp share state config Library Application Support Programs
    AppData Roaming Local Code User site-packages venv .venv env shims mise asdf pyenv uv tools pipx homebrew Cellar
    .config .local .codex .claude .claude.json .gemini .copilot .cursor .vscode .codeium .smista .mcp.json .github .zed
    .agents .opencode windsurf zed opencode smista
    config.toml local.toml policy.toml settings.json mcp.json mcp_config.json mcp-config.json opencode.json
    opencode.jsonc skills SKILL.md ledger.db key models trust running answers servers.json
    smista-mcp smista-mcp.exe uvx uv python python3 python.exe node npx claude codex gemini copilot cursor code git
    git.exe serve-stdio -m -P smista_mcp PROJECT
    """.split()
)
_PYTHON = re.compile(r"python3?(?:\.\d+)*|\d+(?:\.\d+)*")
_PLACE = re.compile(r"(?<![\w.~/<])(?:/[^\s`'\"/:;,]+){2,}|[A-Za-z]:\\[^\s`'\"]+")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s`'\"]+", re.IGNORECASE)


def place(path: str) -> str:
    """A path, marked."""
    return _marked("place", path)


def name(text: str) -> str:
    """A name that somebody chose, marked."""
    return _marked("name", text)


def variable(text: str) -> str:
    """The name of a variable, marked unless it is a customary one."""
    return text if text in _CUSTOMARY_VARIABLES else name(text)


def address(url: str) -> str:
    """An address, marked."""
    return _marked("address", url)


def words(text: str) -> str:
    """What another program or a file says, marked; masked as a whole."""
    return _marked("words", text)


def _marked(kind: str, text: str) -> str:
    return f"{_OPEN}{kind}{_SPLIT}{_plain(text)}{_CLOSE}"


def _plain(text: str) -> str:
    return text.translate(_OWN)


def shown(text: str, home: str = "") -> str:
    """The text as it is, for who owns the machine: without marks, and without the password of an address.

    Args:
        text: with its marks.
        home: the home folder, for which `~` is written.
    """
    return redacted(_MARKED.sub(lambda found: _below(home, _without_password(found[2])), text))


def _below(home: str, path: str) -> str:
    inner = path.removeprefix(home) if len(home) > 1 else path
    return f"~{inner}" if inner != path and inner[:1] in ("", "/", "\\") else path


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


class Mask(NamedTuple):
    """What may not be seen by others.

    Attributes:
        home: the home folder; empty where there is none.
        workspace: the root of the workspace; empty where none is known.
        names: further names: of the account, of the machine, of the project.
    """

    home: str = ""
    workspace: str = ""
    names: Sequence[str] = ()

    def masked(self, texts: Sequence[str]) -> tuple[str, ...]:
        """The texts, safe to be shown to anybody; the same name has the same stand-in in all of them."""
        chosen: dict[str, str] = {}
        return tuple(self._masked(text, chosen) for text in texts)

    def _masked(self, text: str, chosen: dict[str, str]) -> str:
        text = redacted(_MARKED.sub(lambda found: self._stand_in(found[1], found[2], chosen), text))
        text = _ADDRESS.sub(lambda found: _masked_address(found[0]), text)
        for folder, said in ((self.workspace, "PROJECT"), (self.home, "~")):
            if len(folder) > 1:
                text = text.replace(folder, said)
        text = _PLACE.sub(lambda found: self._masked_place(found[0]), text)
        for one in sorted(
            {n for n in self.names if len(n) >= _SHORTEST and n.casefold() not in _COMMON}, key=len, reverse=True
        ):
            named = rf"{_VARIABLE}|(?<![A-Za-z0-9])(?P<name>(?i:{re.escape(one)}))(?![A-Za-z0-9])"
            text = re.sub(named, lambda found: "NAME" if found["name"] else found[0], text)
        return text

    def _stand_in(self, kind: str, value: str, chosen: dict[str, str]) -> str:
        match kind:
            case "place":
                return self._masked_place(value)
            case "address":
                return _masked_address(value)
            case "name":
                return _masked_name(value, chosen)
            case _:
                return "(left out)"

    def _masked_place(self, path: str) -> str:
        for folder, said in ((self.workspace, "PROJECT"), (self.home, "~")):
            inner = path.removeprefix(folder.rstrip("/\\"))
            if len(folder) > 1 and inner != path and (not inner or inner[0] in "/\\"):
                return said + _masked_parts(inner)
        return _masked_parts(path)


def _masked_parts(path: str) -> str:
    """A path of which every folder that is not customary is a star."""
    pieces = re.split(r"([/\\ ])", path)
    return "".join(p if p in ("", "/", "\\", " ") or p in _KNOWN_PARTS or _PYTHON.fullmatch(p) else "*" for p in pieces)


def _masked_name(value: str, chosen: dict[str, str]) -> str:
    return chosen.setdefault(value, f"NAME{len(chosen) + 1}")


def _masked_address(url: str) -> str:
    try:
        known = parse_address(_without_password(url))
    except ValueError:
        return "ADDRESS"
    host = f"[{known.host}]" if ":" in known.host else known.host
    if known.loopback or known.host in _PUBLIC_HOSTS:
        return f"{known.scheme}://{host}:{known.port}"
    return f"{known.scheme}://HOST:{known.port}"
