"""What a policy may write of where a provider is and how it is reached, with the words for what it may not."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StrictStr
from pydantic_core import PydanticCustomError

from smista_mcp.core.addresses import HiddenCredential, parse_address

_REFERENCE = r"\$\{secret:[A-Za-z_][A-Za-z0-9_]{0,199}\}\Z"
_VARIABLE = r"(?s:\$.*)|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\Z"
_ABSOLUTE = re.compile(r"(?:/|[A-Za-z]:[\\/])[^\x00-\x1f]+\Z")
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}\Z", re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9._-]{0,63}\Z", re.ASCII)
_OURS = ("SMISTA_", "LD_", "DYLD_")
"""Beginnings of variables that are never handed on: our own, and those that load code into a program."""


def _secret(value: str) -> str:
    if re.match(_REFERENCE, value):
        return value
    if re.match(_VARIABLE, value):
        raise PydanticCustomError(
            "invalid_secret_ref", "is not a reference to a secret; write `${secret:NAME}` with the variable's name"
        )
    raise PydanticCustomError(
        "inline_secret", "is the key itself; put it into a variable NAME and write `${secret:NAME}`"
    )


def _address(value: str) -> str:
    try:
        parse_address(value)
    except HiddenCredential as error:
        raise PydanticCustomError("inline_secret", "{wrong}", {"wrong": str(error)}) from None
    except ValueError as error:
        raise PydanticCustomError("invalid_type", "{wrong}", {"wrong": str(error)}) from None
    return value.rstrip("/")


def _command(value: str) -> str:
    if not _ABSOLUTE.match(value):
        raise PydanticCustomError("invalid_type", "is no absolute path; write for example `/usr/local/bin/codex`")
    return value


def _variable(value: str) -> str:
    if not _SHELL_NAME.match(value) or value.startswith(_OURS):
        raise PydanticCustomError("invalid_type", "is not the name of a variable; write for example `HTTPS_PROXY`")
    return value


def _type(value: str) -> str:
    if not _TYPE.match(value):
        raise PydanticCustomError(
            "invalid_enum", "is no type; write `cli`, or the name of a protocol that an installed package offers"
        )
    return value


SecretRef = Annotated[StrictStr, AfterValidator(_secret)]
Address = Annotated[StrictStr, Field(max_length=2000), AfterValidator(_address)]
CommandPath = Annotated[StrictStr, Field(max_length=4096), AfterValidator(_command)]
ProviderType = Annotated[StrictStr, AfterValidator(_type)]
"""`cli`, or the name of an entry point."""
VariableNames = Annotated[tuple[Annotated[StrictStr, AfterValidator(_variable)], ...], Field(max_length=100)]
