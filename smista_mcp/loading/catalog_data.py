"""Reads the catalog's two data files, which ship with the package."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

DATA = Path(__file__).parent.parent / "data"


def read_extract() -> Mapping[str, object]:
    """catalog.json: names, windows and prices; its shape stands in scripts/extract_catalog.py."""
    return cast("Mapping[str, object]", json.loads((DATA / "catalog.json").read_bytes()))


def read_families() -> tuple[Mapping[str, object], ...]:
    """The rows of families.json: capabilities, output limits and token factors, each with its source and date."""
    document = cast("Mapping[str, list[Mapping[str, object]]]", json.loads((DATA / "families.json").read_bytes()))
    return tuple(document["rows"])
