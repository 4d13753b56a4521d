"""The words that policy files are made of: each checked by itself, with our own words for what is wrong.

Errors of our own carry the code of a finding (`invalid_glob`, `invalid_priority`, ...) as pydantic's error type.
"""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from smista_mcp.core.globs import refusal
from smista_mcp.core.masking import Mask
from smista_mcp.core.modelref import HOST, ClassRef, parse_target
from smista_mcp.core.secretscan import FINGERPRINT
from smista_mcp.core.values import Intent

MAX_PRIORITY = 1_000_000
MAX_SECONDS = 86_400
MAX_ENTRIES = 10_000
"""Rules, patterns of paths, words, cases of one file or list."""
MAX_MODELS = 1_000
"""Models, or patterns on their names, of one list."""
MAX_BUDGETS = 100
"""Each one is a question to the ledger, for every decision."""
HOST_NAMES = (
    *("claude-code", "codex", "gemini-cli", "opencode", "copilot-cli"),
    *("cursor", "vscode", "windsurf", "zed", "unknown"),
)
"""What the products that call are called in `[hosts.NAME]` and in decisions."""
_MONEY = r"[0-9]{1,12}(\.[0-9]{1,12})?\Z"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z", re.ASCII)
_FUNCTION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z", re.ASCII)
_ODD = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters, line breaks, and what turns the direction of a text around."""
_ONE_LINE = rf"^[^{_ODD}]*[^\s{_ODD}][^{_ODD}]*$"
_ODD_CHARACTER = rf"[{_ODD}]"


def _many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _priority(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_PRIORITY:
        raise PydanticCustomError(
            "invalid_priority", "is not a whole number from 0 to 1000000; lower wins, for example `priority = 30`"
        )
    return value


def _money(value: object) -> Decimal:
    if isinstance(value, str) and re.match(_MONEY, value):
        return Decimal(value)
    raise PydanticCustomError(
        "invalid_cost_limit", 'is not an amount in USD; write a decimal string of at least 0, for example "0.50"'
    )


def _seconds(value: object) -> float:
    if type(value) in (int, float) and isinstance(value, int | float) and 0 < value <= MAX_SECONDS:
        return float(value)
    raise PydanticCustomError("invalid_type", "is not a time in seconds above 0 and up to 86400; write for example 60")


def _glob(value: str) -> str:
    if re.search(_ODD_CHARACTER, value):
        raise PydanticCustomError("invalid_glob", "holds a line break or a control character; write it on one line")
    wrong = refusal(value)
    if wrong:
        raise PydanticCustomError("invalid_glob", "{wrong}", {"wrong": wrong})
    return value


def _target(value: str) -> str:
    try:
        parse_target(value)
    except ValueError as error:
        raise PydanticCustomError("invalid_model_ref", "{wrong}", {"wrong": str(error)}) from None
    return value


def _model(value: str) -> str:
    target = parse_target(_target(value))
    if isinstance(target, ClassRef) or target.provider == HOST:
        raise PydanticCustomError("invalid_model_ref", "is not the model of a provider; write `provider/model`")
    return value


def _said(value: str) -> str:
    if value.isspace():
        raise PydanticCustomError("invalid_type", "is blank; say in words what is to be done")
    return value


def _scope(value: str) -> str:
    kind, colon, name = value.partition(":")
    if kind == "intent" and colon and name not in set(Intent):
        raise PydanticCustomError("unknown_intent", "names no intent; write for example `intent:edit`")
    named = bool(colon and name.strip()) and kind in ("intent", "model", "token")
    if not named and value not in ("all", "project"):
        raise PydanticCustomError(
            "invalid_enum", "is not a scope; write `all`, `project`, `intent:NAME`, `model:GLOB` or `token:NAME`"
        )
    return value


def _fingerprint(value: str) -> str:
    if re.match(FINGERPRINT, value):
        return value
    raise PydanticCustomError(
        "invalid_type", "is not a fingerprint; copy it from the finding, for example `github_token-0123456789abcdef`"
    )


def _class_name(value: str) -> str:
    if not _NAME.match(value):
        raise PydanticCustomError("invalid_model_ref", "is not a name; use letters, digits, `_`, `-` and `.`")
    return value


def _function(value: str) -> str:
    if not _FUNCTION.match(value):
        raise PydanticCustomError("invalid_type", "names no function; write `package.module:function`")
    return value


def _mask(value: str) -> str:
    try:
        Mask.of(value)
    except ValueError as error:
        raise PydanticCustomError("invalid_type", "{wrong}", {"wrong": str(error)}) from None
    return value


Priority = Annotated[int, BeforeValidator(_priority)]
Money = Annotated[Decimal, BeforeValidator(_money)]
Glob = Annotated[StrictStr, Field(min_length=1, max_length=4096), AfterValidator(_glob)]
Target = Annotated[StrictStr, Field(min_length=1, max_length=400), AfterValidator(_target)]
"""`provider/model`, `class:NAME` or `host/MODEL`."""
Model = Annotated[StrictStr, Field(min_length=1, max_length=400), AfterValidator(_model)]
"""`provider/model` alone."""
Function = Annotated[StrictStr, Field(min_length=1, max_length=400), AfterValidator(_function)]
"""`package.module:function`."""
EffortWord = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
EffortTokens = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
"""How a model is told an effort: a word of its protocol, or tokens to think."""
Text = Annotated[StrictStr, Field(min_length=1, max_length=400, pattern=_ONE_LINE)]
"""One line that says something."""
Prose = Annotated[StrictStr, Field(min_length=1, max_length=20_000), AfterValidator(_said)]
"""Any number of lines that say something."""
Patterns = Annotated[tuple[Text, ...], Field(max_length=MAX_MODELS)]
Targets = Annotated[tuple[Target, ...], Field(max_length=MAX_MODELS)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
Count = Annotated[StrictInt, Field(ge=0, le=100_000_000)]
Globs = Annotated[tuple[Glob, ...], Field(max_length=MAX_ENTRIES)]
Intents = Annotated[tuple[Intent, ...], BeforeValidator(_many), Field(min_length=1, max_length=100)]
Names = Annotated[tuple[Text, ...], BeforeValidator(_many), Field(min_length=1, max_length=MAX_ENTRIES)]
Scope = Annotated[Text, AfterValidator(_scope)]
Fingerprint = Annotated[StrictStr, AfterValidator(_fingerprint)]
ClassName = Annotated[str, AfterValidator(_class_name)]
Words = Annotated[tuple[Text, ...], BeforeValidator(_many), Field(max_length=MAX_ENTRIES)]
"""One text, or a list of them, which may be empty."""
MaskRules = Annotated[
    tuple[Annotated[StrictStr, Field(max_length=400), AfterValidator(_mask)], ...], Field(max_length=100)
]
