"""What a policy names of installed packages: found among them, judged by its place, then loaded.

A function for decisions (`[plugins] select`) by module and name, a wire protocol (`[providers."protocol:NAME"] type`)
by its entry point.

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
from contextlib import ExitStack, contextmanager, redirect_stdout
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

from smista_mcp.core.plugin import Plain, Plugin, type_name
from smista_mcp.loading.files import Foreign

_PLAIN_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}\Z", re.ASCII)


ENTRY_POINTS = "smista_mcp.protocols"
"""The group of entry points under which a distribution offers its wire protocols."""
_VALUE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z", re.ASCII)


class Loaded(NamedTuple):
    """An object of an installed package.

    Attributes:
        found: None where it cannot be used: `failure` says why, as what goes on after its name.
        distribution: name of the installed distribution that holds it; empty where none says so.
        version: of that distribution.
        source: SHA-256 of the file that its module was read from, in hex.
    """

    found: object = None
    distribution: str = ""
    version: str = ""
    source: str = ""
    failure: str = ""


def load_plugin(name: str, foreign: Foreign) -> Plugin:
    """The function with what is known of it. Never raises: what goes wrong is the plugin's `failure`.

    Args:
        name: `package.module:function`.
        foreign: where it must not come from.
    """
    loaded = _loaded(name, foreign)
    if loaded.failure:
        return Plugin(name, failure=loaded.failure)
    if not callable(loaded.found):
        return Plugin(name, failure=_NOT_THERE)
    return Plugin(name, _quiet(loaded.found), loaded.distribution, loaded.version, loaded.source)


def load_protocol(name: str, foreign: Foreign) -> Loaded:
    """What an installed distribution offers as a wire protocol of this name. Never raises, as above.

    Args:
        name: of an entry point in the group `smista_mcp.protocols`.
        foreign: where it must not come from.
    """
    _forget_foreign_places(foreign)
    importlib.invalidate_caches()
    try:
        with unheard():
            offered = _offers(name)
    except OSError as error:
        return Loaded(failure=f"cannot be looked for ({type_name(error)})")
    if not offered:
        return Loaded(failure=f"is offered by no installed package (entry points `{ENTRY_POINTS}`)")
    if len(offered) > 1:
        several = " and ".join(sorted(f"`{name}`" if _PLAIN_WORD.match(name) else "another" for name in offered))
        return Loaded(failure=f"is offered by several packages: {several}")
    (value,) = offered.values()
    if not _VALUE.match(value):
        return Loaded(failure="has an entry point that is no `package.module:NAME`")
    loaded = _loaded(value, foreign)
    if not loaded.failure and loaded.found is None:
        return Loaded(failure="is not in the module that its entry point names")
    return loaded


def _offers(name: str) -> dict[str, str]:
    """What each distribution offers under that name; of two states of one distribution the one that Python finds."""
    found: dict[str, str | None] = {}
    for distribution in importlib.metadata.distributions():
        try:
            known = re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()
            values = [e.value for e in distribution.entry_points if (e.group, e.name) == (ENTRY_POINTS, name)]
        except (OSError, ValueError, TypeError, KeyError):  # half of one that is being removed, say
            continue
        found.setdefault(known, next(iter(values), None))
    return {known: value for known, value in found.items() if value is not None}


def _loaded(name: str, foreign: Foreign) -> Loaded:
    """The object that `package.module:name` is."""
    module, _, inner = name.partition(":")
    if module.partition(".")[0] == __name__.partition(".")[0]:
        return Loaded(failure="is a part of smista itself, which is no plugin")
    _forget_foreign_places(foreign)
    importlib.invalidate_caches()
    try:
        origin = _origin(module, foreign)
        source = hashlib.sha256(origin.read_bytes()).hexdigest()
        distribution, version = _distribution(origin)
        with unheard():
            found = _member(module, inner, origin)
    except _Unusable as unusable:
        return Loaded(failure=unusable.what)
    except OSError as error:
        return Loaded(failure=f"cannot be read ({type_name(error)})")
    return Loaded(found, distribution, version, source)


class _Unheard:
    """How many plugins run: standard output is one for the whole process, and no plugin waits for another's end."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._running = 0
        self._back = ExitStack()

    def begin(self) -> None:
        with self._changing:
            if not self._running:
                self._back.enter_context(redirect_stdout(sys.stderr))
            self._running += 1

    def end(self) -> None:
        with self._changing:
            self._running -= 1
            if not self._running:
                self._back.close()


_UNHEARD = _Unheard()


@contextmanager
def unheard() -> Generator[None]:
    """Standard output belongs to our answers; what a plugin prints meanwhile goes to standard error."""
    _UNHEARD.begin()
    try:
        yield
    finally:
        _UNHEARD.end()


def _quiet(function: Callable[..., object]) -> Callable[[dict[str, Plain]], object]:
    def asked(told: dict[str, Plain]) -> object:
        with unheard():
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


def _member(module: str, name: str, origin: Path) -> object:
    """What a module has by that name; runs the module and the packages around it."""
    try:
        loaded = importlib.import_module(module)
        spec = loaded.__spec__
        found: object = getattr(loaded, name, None)
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
