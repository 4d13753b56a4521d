"""The opening of a conversation, answered from what the protocol library has answered before.

`handshake.json` holds the library's own answers, of every revision that it speaks; `scripts/take_handshake.py` takes
them, a test compares them. They count for exactly the versions that they were taken from.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple, TypedDict

from smista_mcp import __version__
from smista_mcp.server.shapes import INITIALIZED, Known, read

DATA = os.path.join(os.path.dirname(__file__), "handshake.json")  # noqa: PTH118, PTH120  `pathlib` takes 3 ms to import
_SHORTEST = (",", ":")


class _Answer(TypedDict):
    method: str
    versions: list[str]
    result: Mapping[str, object]


class _Taken(TypedDict):
    product: str
    packages: Mapping[str, str]
    answers: list[_Answer]


class Opening(NamedTuple):
    """How the library is brought to where the host believes it to be.

    Attributes:
        request: the request that opened the conversation.
        result: what it was answered.
        initialized: whether the host has said that it is ready.
    """

    request: Mapping[str, object]
    result: Mapping[str, object]
    initialized: bool

    def replayed(self, request_id: str) -> bytes:
        """The lines that do it; the request has another id."""
        lines: list[Mapping[str, object]] = [{**self.request, "id": request_id}]
        if self.initialized:
            lines.append({"jsonrpc": "2.0", "method": INITIALIZED})
        return b"".join(map(_line, lines))


class Handshake:
    """One conversation, for as long as it consists of usual messages.

    Args:
        answers: what is answered, by method and revision.
    """

    def __init__(self, answers: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        self._answers = answers
        self._version: str | None = None
        self._modern = False
        self._listed = False
        self.opening: Opening | None = None

    @property
    def has_listed(self) -> bool:
        """Whether the host knows the tools now, so that it may call one."""
        return self._listed

    def answer(self, line: bytes) -> bytes | None:
        """The answer to a line, empty for none; None where the protocol library has to give it."""
        known = read(line)
        if known is None:
            return None
        if known.method == INITIALIZED:
            return self._ready()
        version = self._version_for(known)
        result = self._answers.get((known.method, version)) if version else None
        if result is None:
            return None
        if self.opening is None:
            self._version, self._modern = version, known.method != "initialize"
            self.opening = Opening(known.message, result, initialized=False)
        self._listed = self._listed or known.method == "tools/list"
        return _line({"jsonrpc": "2.0", "id": known.id, "result": result})

    def _ready(self) -> bytes | None:
        if self.opening is None or self._modern or self.opening.initialized:
            return None
        self.opening = self.opening._replace(initialized=True)
        return b""

    def _version_for(self, known: Known) -> str | None:
        """The revision whose answer this request gets; None where the request does not belong there."""
        if self.opening is None:
            opens = known.method == "initialize" or ("server/discover", known.version) in self._answers
            return known.version if opens else None
        if self._modern:
            return self._version if known.version == self._version and known.method != "initialize" else None
        return self._version if known.version is None else None


def usual_handshake() -> Handshake | None:
    """A conversation that begins now; None where the answers were taken from other versions than those installed."""
    with open(DATA, encoding="utf-8") as file:  # noqa: PTH123  see `DATA`
        taken: _Taken = json.load(file)
    installed = all(_is_installed(name, version) for name, version in taken["packages"].items())
    if not installed or taken["product"] != __version__:
        return None
    return Handshake(
        {(answer["method"], version): answer["result"] for answer in taken["answers"] for version in answer["versions"]}
    )


def _is_installed(package: str, version: str) -> bool:
    """Whether exactly this version would be imported, told by the names of files, which takes no time."""
    try:
        for folder in sys.path:
            if os.path.isfile(os.path.join(folder, package, "__init__.py")):  # noqa: PTH113, PTH118  see `DATA`
                ours = [name for name in os.listdir(folder or ".") if name.startswith(f"{package}-")]  # noqa: PTH208
                return [name for name in ours if name.endswith("-info")] == [f"{package}-{version}.dist-info"]
    except OSError:
        pass
    return False


def _line(message: Mapping[str, object]) -> bytes:
    """A message as the protocol library writes it."""
    return json.dumps(message, ensure_ascii=False, separators=_SHORTEST).encode() + b"\n"
