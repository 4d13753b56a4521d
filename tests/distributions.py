"""Distributions as an installer leaves them: modules, and beside them what `importlib.metadata` reads."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path


def install(
    site: Path, files: Mapping[str, str], *, name: str, version: str = "1.0", protocols: Mapping[str, str] | None = None
) -> Path:
    """Puts a distribution with these files into a folder of packages, in place of another version of it.

    Args:
        site: the folder.
        files: path -> text.
        name: of the distribution.
        version: of it.
        protocols: name -> object of each wire protocol that it offers.
    """
    for old in site.glob(f"{name}-*.dist-info"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    info = f"{name}-{version}.dist-info"
    whole = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if protocols is not None:
        offers = "".join(f"{one} = {value}\n" for one, value in protocols.items())
        whole[f"{info}/entry_points.txt"] = f"[smista_mcp.protocols]\n{offers}"
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in whole.items())
    for path, text in {**whole, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
        file = site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return site


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
