"""The function that `[plugins] select` names: found among the installed packages, judged by its place, then loaded.

Whatever a repository brings must not run here, so nothing is imported before its file is known to lie elsewhere, and
from then on this process imports nothing from the folders that a repository could have filled.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
import sysconfig
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from smista_mcp.core.plugin import Plain, Plugin, type_name
from smista_mcp.loading.files import Foreign

_PLAIN_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}\Z", re.ASCII)


def load_plugin(name: str, foreign: Foreign) -> Plugin:
    """The function with what is known of it. Never raises: what goes wrong is the plugin's `failure`.

    Args:
        name: `package.module:function`.
        foreign: where it must not come from.
    """
    module, _, function = name.partition(":")
    if module.partition(".")[0] == __name__.partition(".")[0]:
        return Plugin(name, failure="is a part of smista itself, which is no plugin")
    _forget_foreign_places(foreign)
    importlib.invalidate_caches()
    try:
        origin = _origin(module, foreign)
        source = hashlib.sha256(origin.read_bytes()).hexdigest()
        distribution, version = _distribution(origin)
        with _unheard():
            found = _function(module, function, origin)
    except _Unusable as unusable:
        return Plugin(name, failure=unusable.what)
    except OSError as error:
        return Plugin(name, failure=f"cannot be read ({type_name(error)})")
    if not callable(found):
        return Plugin(name, failure=_NOT_THERE)
    return Plugin(name, _quiet(found), distribution, version, source)


_PRINTING = threading.RLock()
"""Held while a plugin runs: standard output is one for the whole process."""


@contextmanager
def _unheard() -> Generator[None]:
    """Standard output belongs to our answers; what a plugin prints meanwhile goes to standard error."""
    with _PRINTING, redirect_stdout(sys.stderr):
        yield


def _quiet(function: Callable[..., object]) -> Callable[[dict[str, Plain]], object]:
    def asked(told: dict[str, Plain]) -> object:
        with _unheard():
            return function(told)

    return asked


_NOT_THERE = "is in its module no function"
_NOT_INSTALLED = "is in no installed package"
_FOREIGN = "lies in the workspace, its repository or the working directory, where no code is loaded from"


class _Unusable(Exception):
    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def _forget_foreign_places(foreign: Foreign) -> None:
    """Takes the places of a repository off the search path of this process, for what the plugin itself imports too.

    Those of this Python stay, also where its virtual environment lies in the workspace: smista itself runs from there.
    """
    own = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) in own or not _is_foreign(entry, foreign)]


def _is_foreign(entry: str, foreign: Foreign) -> bool:
    if not Path(entry).is_absolute():  # an empty one is the working directory
        return True
    here = foreign.cwd is not None and os.path.realpath(entry) == os.path.realpath(foreign.cwd)
    return here or foreign.holds(Path(entry))


def _origin(module: str, foreign: Foreign) -> Path:
    """The file of a module. Looks for it package by package and runs none of them."""
    origin: str | None = None
    for spec in _specs(module):
        origin = spec.origin if spec.has_location else None
        places = [*([origin] if origin else []), *(spec.submodule_search_locations or ())]
        if not places:
            raise _Unusable(_NOT_INSTALLED)
        if any(foreign.holds(Path(place)) for place in places):
            raise _Unusable(_FOREIGN)
    if origin is None or not Path(origin).is_file():
        raise _Unusable(_NOT_INSTALLED)
    return Path(origin)


def _specs(module: str) -> Iterator[ModuleSpec]:
    """The module and the packages around it, from the outermost on."""
    spec: ModuleSpec | None = None
    top, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(top)  # of a name without dots: imports nothing
    except (ImportError, ValueError):
        raise _Unusable(_NOT_INSTALLED) from None
    if spec is not None and spec.name != top:  # `__main__`, which goes by another name
        spec = None
    for part in (*inner, None):
        if spec is None:
            raise _Unusable(_NOT_INSTALLED)
        yield spec
        if part is not None:
            spec = PathFinder.find_spec(f"{spec.name}.{part}", list(spec.submodule_search_locations or ()))


def _function(module: str, function: str, origin: Path) -> object:
    """What a module has by that name; runs the module and the packages around it."""
    try:
        loaded = importlib.import_module(module)
        spec = loaded.__spec__
        found: object = getattr(loaded, function, None)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a module of somebody else's may raise anything, SystemExit too
        raise _Unusable(f"cannot be imported ({type_name(error)})") from None
    if spec is None or spec.origin is None or Path(spec.origin) != origin:
        raise _Unusable("has another module in its place")
    return found


def _distribution(origin: Path) -> tuple[str, str]:
    """Name and version of the distribution whose list of files has this one; empty where none has it."""
    for place in map(Path, sys.path):
        if not origin.is_relative_to(place):
            continue
        entry = f"\n{origin.relative_to(place).as_posix()},"
        for distribution in importlib.metadata.distributions(path=[str(place)]):
            if entry in f"\n{distribution.read_text('RECORD') or ''}":
                return _plain((distribution.metadata["Name"], distribution.version))
    return "", ""


def _plain(words: Sequence[str]) -> tuple[str, str]:
    name, version = words
    return (name, version) if _PLAIN_WORD.match(name) and _PLAIN_WORD.match(version) else ("", "")
