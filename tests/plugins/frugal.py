"""Small work is tried first on whatever costs least; large work stays in the order of the policy."""

from decimal import Decimal
from typing import Any


def select(asked: dict[str, Any]) -> list[str]:
    dearest = {c["model"]: Decimal(c["cost"]["max"] if c["cost"] else "Infinity") for c in asked["candidates"]}
    return sorted(dearest, key=dearest.__getitem__) if asked["phase"]["tokens"] < 2000 else list(dearest)
