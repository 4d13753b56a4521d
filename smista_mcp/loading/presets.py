"""The presets that ship with the package: in a wheel inside it, in the source tree beside it."""

from pathlib import Path

from smista_mcp.core.nearness import closest
from smista_mcp.errors import PolicyInvalid

FIRST_RUN = "first-run"
"""What applies where there is no policy at all; not one of the names to choose from."""

SCHEMA_FILE = "policy.schema.json"
"""The JSON Schema of a policy, beside the presets."""

_PACKAGE = Path(__file__).parents[1]


def presets_folder() -> Path:
    """Where the shipped presets stand.

    Raises:
        PolicyInvalid: the installation lacks them.
    """
    shipped, tree = _PACKAGE / "policies", _PACKAGE.parent
    if shipped.is_dir():
        return shipped
    if (tree / "pyproject.toml").is_file() and (tree / "policies").is_dir():
        return tree / "policies"
    raise PolicyInvalid("the shipped presets are missing from this installation", fix="install smista-mcp again")


def preset_names(folder: Path | None = None) -> tuple[str, ...]:
    """The names to choose from, sorted."""
    files = (folder or presets_folder()).glob("*.toml")
    return tuple(sorted(file.stem for file in files if file.stem != FIRST_RUN))


def read_preset(name: str, folder: Path | None = None) -> bytes:
    """The bytes of a preset.

    Raises:
        PolicyInvalid: there is no preset of that name; the error lists those that there are.
    """
    folder = folder or presets_folder()
    names = preset_names(folder)
    file = folder / f"{name}.toml"
    if name not in (*names, FIRST_RUN) or not file.is_file():
        shown = name if name.isprintable() and len(name) <= 80 else "this name"
        close = closest(name.lower(), names, cutoff=0.6)
        meant = f"did you mean `{close}`? N" if close else "n"
        raise PolicyInvalid(f"there is no preset `{shown}`", fix=f"{meant}ame one of {', '.join(names)}")
    return file.read_bytes()
