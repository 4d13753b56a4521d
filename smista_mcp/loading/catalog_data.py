"""Reads the catalog's two data files, which ship with the package."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

DATA = Path(__file__).parent.parent / "data"


class _Providers(Mapping[str, object]):
    """The providers of catalog.json, each parsed when it is asked for: a policy names few of them.

    Args:
        lines: of the file, from the first provider on; each one is `"name":{...}` and a comma.
    """

    def __init__(self, lines: list[bytes]) -> None:
        self._unread = {line[1 : line.index(b'":')].decode(): line for line in lines}
        self._read: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        if name not in self._read:
            line = self._unread[name]
            self._read[name] = json.loads(line[line.index(b'":') + 2 :].rstrip(b","))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._unread)

    def __len__(self) -> int:
        return len(self._unread)


def read_extract() -> Mapping[str, object]:
    """catalog.json: names, windows and prices; its shape stands in scripts/extract_catalog.py."""
    head, *providers, end = (DATA / "catalog.json").read_bytes().splitlines()
    facts = cast("Mapping[str, object]", json.loads(head + end))
    return {**facts, "providers": _Providers(providers)}


def read_families() -> tuple[Mapping[str, object], ...]:
    """The rows of families.json: capabilities, output limits and token factors, each with its source and date."""
    document = cast("Mapping[str, list[Mapping[str, object]]]", json.loads((DATA / "families.json").read_bytes()))
    return tuple(document["rows"])
