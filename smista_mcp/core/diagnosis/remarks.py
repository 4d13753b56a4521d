"""A remark: one thing that was looked at, how it is, and what to do about it."""

from enum import StrEnum
from typing import Literal

from smista_mcp.core.values import Value

Area = Literal["program", "start", "hosts", "workspace", "policy", "providers", "ledger"]
AREAS: tuple[Area, ...] = ("program", "start", "hosts", "workspace", "policy", "providers", "ledger")


class Level(StrEnum):
    """How it is: as it should be, worth a look, or wrong, so that something does not work or does not hold."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


class Remark(Value):
    """One thing.

    Attributes:
        check: what was looked at, as a stable word.
        text: how it is; what in it is of this machine or this user is marked (see `marks`).
        fix: what to do; empty for what is as it should be.
    """

    area: Area
    check: str
    level: Level
    text: str
    fix: str = ""


def fine(area: Area, check: str, text: str) -> Remark:
    """As it should be."""
    return Remark(area=area, check=check, level=Level.OK, text=text)


def note(area: Area, check: str, text: str, fix: str) -> Remark:
    """Works, and is worth a look."""
    return Remark(area=area, check=check, level=Level.NOTE, text=text, fix=fix)


def wrong(area: Area, check: str, text: str, fix: str) -> Remark:
    """Does not work, or does not hold."""
    return Remark(area=area, check=check, level=Level.WRONG, text=text, fix=fix)
