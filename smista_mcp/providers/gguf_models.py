"""Model files on disk: which are there, whether a file can be one, and what its header says."""

import importlib.util
import os
import re
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.values import Locality
from smista_mcp.errors import Code, ProviderError, UnknownModel
from smista_mcp.providers.wirejson import MAX_COUNT

SUFFIX = ".gguf"
INSTALL = "python3 -m pip install 'smista-mcp[local]'"
"""What brings llama.cpp."""
_LATER_SHARD = re.compile(r"-(?!00001)\d{5}-of-\d{5}$")
_HEADER_CAP = 256 * 1024
_MAX_PAIRS = 512
_STRING, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_UNSIGNED = {4: "<I", 10: "<Q"}


def models(folder: Path) -> dict[str, Path]:
    """Every model file that lies in the folder itself: `NAME.gguf` by NAME, in order of names.

    Names that differ only in case are one name too many: all of them are left out. A folder that is missing or
    cannot be read has none. Of a model in several files the first stands for all.
    """
    found: dict[str, list[Path]] = {}
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return {}
    for path in entries:
        if path.suffix.lower() == SUFFIX and not _LATER_SHARD.search(path.stem) and path.is_file():
            found.setdefault(path.stem.casefold(), []).append(path)
    return {paths[0].stem: paths[0] for paths in found.values() if len(paths) == 1}


def find_model(folder: Path, name: str) -> Path:
    """The file of a model. The name is compared, never joined to a path.

    Raises:
        UnknownModel: names up to three models that are there.
    """
    there = models(folder)
    for known, path in there.items():
        if known.casefold() == name.casefold():
            return path
    if there:
        fix = f"name one that is there: {', '.join(list(there)[:3])}"
    else:
        fix = "run `smista-mcp local install`, or put a GGUF file into that folder"
    raise UnknownModel(f"no file `{name}{SUFFIX}`, or several that differ only in case, in {folder}", fix=fix)


def llamacpp_facts(folder: Path) -> ProviderFacts:
    """What a decision may know of the embedded server: whether it can be started, its models, their windows."""
    if importlib.util.find_spec("xllamacpp") is None:
        return ProviderFacts(Locality.LOCAL, reachable=False, detail=f"llama.cpp is not installed: {INSTALL}")
    there = {name: LiveModel(name, context_window=context_length(path)) for name, path in models(folder).items()}
    detail = "" if there else f"no model in {folder}: run `smista-mcp local install`"
    return ProviderFacts(Locality.LOCAL, reachable=True, models=there, detail=detail)


def check_model(path: Path) -> os.stat_result:
    """Refuses what llama.cpp would refuse without a word; gives the size and date of the file.

    Raises:
        ProviderError: `provider_unavailable`: missing, no regular file, empty, cut short, or not GGUF 2 or 3.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _unusable(path, "is not a regular file")
        with path.open("rb") as file:
            begin = file.read(24)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror or type(error).__name__})") from None
    if not begin:
        raise _unusable(path, "is empty")
    if begin[:4] != b"GGUF":
        raise _unusable(path, "is not a GGUF file")
    if len(begin) < 24:
        raise _unusable(path, "is cut short")
    version = struct.unpack_from("<I", begin, 4)[0]
    if version not in (2, 3):
        raise _unusable(path, f"is of GGUF version {version}; 2 and 3 can be read")
    return status


def context_length(path: Path) -> int | None:
    """The window that the model was made for, from the header; None where that does not say so early enough."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_CAP)
        for key, value in _pairs(header):
            if key.endswith(b".context_length"):
                return value if value and value <= MAX_COUNT else None
    except (OSError, struct.error, IndexError, OverflowError):
        pass
    return None


def _pairs(header: bytes) -> Iterator[tuple[bytes, int | None]]:
    """Keys of the header, with the value where that is an unsigned number. Ends with an error at the cap."""
    if header[:4] != b"GGUF":
        return
    pairs = struct.unpack_from("<Q", header, 16)[0]
    at = 24
    for _ in range(min(pairs, _MAX_PAIRS)):
        key, at = _string(header, at)
        kind = struct.unpack_from("<I", header, at)[0]
        at += 4
        value = struct.unpack_from(_UNSIGNED[kind], header, at)[0] if kind in _UNSIGNED else None
        yield key, value
        at = _skip(header, at, kind)


def _skip(header: bytes, at: int, kind: int) -> int:
    if kind == _STRING:
        return _string(header, at)[1]
    if kind != _ARRAY:
        return _within(header, at + _size(kind))
    element, length = struct.unpack_from("<IQ", header, at)
    at += 12
    if element != _STRING:
        return _within(header, at + _size(element) * length)
    for _ in range(length):
        at = _string(header, at)[1]
    return at


def _within(header: bytes, at: int) -> int:
    if at > len(header):
        raise IndexError(at)
    return at


def _size(kind: int) -> int:
    if kind not in _SIZES:
        raise IndexError(kind)
    return _SIZES[kind]


def _string(header: bytes, at: int) -> tuple[bytes, int]:
    length = struct.unpack_from("<Q", header, at)[0]
    begin = at + 8
    if begin + length > len(header):
        raise IndexError(at)
    return header[begin : begin + length], begin + length


def _unusable(path: Path, why: str) -> ProviderError:
    return ProviderError(
        f"the model file {path} {why}",
        code=Code.PROVIDER_UNAVAILABLE,
        fix="fetch it again, or name another model",
    )
