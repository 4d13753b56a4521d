"""The inputs of a decision as the ledger keeps them, and back. Each is kept under the hash that the decision names.

What depends on nothing but the call (servers, budgets, host) is kept as the very text that was hashed. A policy is kept
as what its files say, by layer, without comments, lines and tests: joined again, it has the same revision. No secret is
among it, because a policy that holds one is not loaded.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from smista_mcp.core.approval import Approved
from smista_mcp.core.evidence import Evidence
from smista_mcp.core.facts import BudgetLeft, HostFacts, ProviderFacts
from smista_mcp.core.policy import PolicyDocument
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer

T = TypeVar("T")


class UnreadableInput(ValueError):
    """It was kept by a version whose inputs this one cannot read."""


def policy_body(documents: Sequence[LayerDocument]) -> str:
    """A policy as it is kept."""
    said = [
        {
            "layer": one.layer.value,
            "file": one.file,
            "trusted": one.trusted,
            "bounded": one.bounded,
            "digest": one.digest,
            "document": one.document.model_dump(mode="json", exclude_unset=True, exclude={"test"}),
        }
        for one in documents
    ]
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def policy_documents(body: str) -> tuple[LayerDocument, ...]:
    """The files of a kept policy.

    Raises:
        UnreadableInput: another version kept it.
    """
    try:
        said = cast("list[dict[str, Any]]", json.loads(body))
        return tuple(
            LayerDocument(
                layer=Layer(one["layer"]),
                document=PolicyDocument.model_validate(one["document"]),
                file=one["file"],
                trusted=one["trusted"],
                bounded=one["bounded"],
                digest=one["digest"],
            )
            for one in said
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableInput("the policy is kept in another form") from error


def providers_of(body: str) -> Mapping[str, ProviderFacts]:
    """What was known of the providers.

    Raises:
        UnreadableInput: another version kept it; and so for those below.
    """
    return _read(dict[str, ProviderFacts], body)


def budgets_of(body: str) -> tuple[BudgetLeft, ...]:
    """What was left of the budgets."""
    return _read(tuple[BudgetLeft, ...], body)


def host_of(body: str) -> HostFacts:
    """The host that called."""
    return _read(HostFacts, body)


def approval_body(one: Approved) -> list[object]:
    """What of a person's yes enters a decision."""
    return [one.key, one.marks]


def approved_of(body: str) -> Approved:
    """The yes of a person; under which id it was given is no input."""
    try:
        key, marks = cast("tuple[str, list[str]]", json.loads(body))
        return Approved("", key, tuple(marks))
    except (ValueError, TypeError) as error:
        raise UnreadableInput("the approval is kept in another form") from error


def evidence_of(body: str) -> Evidence:
    """What was counted of models."""
    try:
        return Evidence.read(body)
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableInput("the evidence is kept in another form") from error


def catalog_day(body: str) -> str:
    """The day whose prices counted; which data they come from, the package says."""
    try:
        _, day = cast("tuple[str, str]", json.loads(body))
    except (ValueError, TypeError) as error:
        raise UnreadableInput("the catalog is kept in another form") from error
    return day


def _read(kind: type[T], body: str) -> T:
    try:
        return _adapter(kind).validate_json(body)
    except ValidationError as error:
        raise UnreadableInput("it is kept in another form") from error


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Made when it is first asked for: what records reads nothing back."""
    return TypeAdapter(kind)
