"""Policies for the checker, written one below the other in a text file, each with the findings that it must have.

A case begins with `#### NAME: FINDINGS`; a finding is its severity (E, W or I), its code and its line (`-` for none).
A line `## LAYER` or `## LAYER untrusted` begins the file of another layer; the first one is the user's. Every policy
gets a default route at its end, unless it has one or its name says `(bare)`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from smista_mcp.core.values import Layer
from smista_mcp.loading.layers import LayerFile, Reading, read_files

DEFAULT = '\n[routing.default]\nmodel = "ollama/default"\n'
_HEAD = re.compile(r"^#### (?P<name>.*?)(?:: (?P<found>[EWI] .*))?$", re.MULTILINE)
_LAYER = re.compile(r"^## (\w+)( untrusted)?\n", re.MULTILINE)


class Case(NamedTuple):
    """A policy, as (layer, trusted, text) from low to high, and its findings as (severity, code, line)."""

    name: str
    files: tuple[tuple[Layer, bool, str], ...]
    found: tuple[tuple[str, str, int | None], ...]

    def written(self, folder: Path) -> list[LayerFile]:
        """The files of the case, in a folder."""
        files: list[LayerFile] = []
        for number, (layer, trusted, text) in enumerate(self.files):
            path = folder / f"{number}-{layer}.toml"
            path.write_text(text, encoding="utf-8")
            files.append(LayerFile(layer, path, trusted=trusted, required=True))
        return files

    def reading(self, folder: Path) -> Reading:
        return read_files(self.written(folder))


def cases(file: Path) -> Iterator[Case]:
    """All cases of a file."""
    text = file.read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(text))
    for head, after in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() + 1 : after.start() if after else None].rstrip("\n") + "\n"
        first, *parts = _LAYER.split(body)
        files = [(Layer.USER, True, first)] if first.strip() else []
        for layer, untrusted, content in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            files.append((Layer(layer), not untrusted, content))
        if "(bare)" not in head["name"] and "[routing.default]" not in body:
            files[0] = (*files[0][:2], files[0][2] + DEFAULT)
        yield Case(head["name"], tuple(files), tuple(_findings(head["found"] or "")))


def _findings(text: str) -> Iterator[tuple[str, str, int | None]]:
    for one in filter(None, text.split(", ")):
        severity, code, line = one.split()
        yield severity, code, None if line == "-" else int(line)
