"""How a host starts us: absolute, for a host with windows has no PATH of a shell, and lasting."""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from smista_mcp.errors import InvalidTask

SCRIPT: Final = "smista-mcp"
_UV_CACHE = re.compile(r"(?:archive|environments|builds)-v\d+")
"""Folders of uv's cache in which `uvx` and `uv run --with` keep what they run; a clean-up takes them away."""
_LASTING = "install smista-mcp to stay: `uv tool install smista-mcp` or `pipx install smista-mcp`"


def own_command(
    variables: Mapping[str, str],
    *,
    executable: str = sys.executable,
    prefix: str = sys.prefix,
    windows: bool = os.name == "nt",
) -> tuple[str, ...]:
    """The words that start smista-mcp, before its arguments.

    A script on the PATH that is ours (that of `pipx` and `uv tool`, which outlives an upgrade) comes first, then the
    one beside this Python, then this Python itself. What `uvx` or `pipx run` keep for a while is started by them.

    Args:
        variables: of the environment.
        executable: the Python that runs.
        prefix: of its environment.
        windows: whether scripts end with `.exe`.

    Raises:
        InvalidTask: we run from a place that does not last, and nothing else is known to start us.
    """
    search = variables.get("PATH", "")
    parts = Path(prefix).parts
    for held, runner, words in (
        (any(map(_UV_CACHE.fullmatch, parts)), "uvx", ()),
        ("pipx" in parts and ".cache" in parts, "pipx", ("run",)),
    ):
        if held:
            found = shutil.which(runner, path=search)
            if found is None:
                raise InvalidTask(f"this smista-mcp lies where `{runner}` keeps it for a while alone", fix=_LASTING)
            return (os.path.abspath(found), *words, SCRIPT)  # noqa: PTH100  its links stay
    beside = Path(os.path.abspath(executable)).with_name(f"{SCRIPT}.exe" if windows else SCRIPT)  # noqa: PTH100
    on_path = shutil.which(SCRIPT, path=search)
    if on_path is not None and _same(Path(on_path), beside):
        return (os.path.abspath(on_path),)  # noqa: PTH100
    if beside.is_file():
        return (str(beside),)
    if not executable:
        raise InvalidTask("it is not known which Python runs smista-mcp", fix=_LASTING)
    return (os.path.abspath(executable), "-m", "smista_mcp")  # noqa: PTH100


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
