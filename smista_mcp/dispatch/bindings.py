"""What binds a phase because of the answers that it builds on: they were made from paths that rules bind."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.effective import Policy
from smista_mcp.core.floor import ANY_SIZE, Guard, bound_by
from smista_mcp.core.foreseen import not_one_of
from smista_mcp.core.pieces import Piece
from smista_mcp.core.redaction import shown
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.core.values import Locality
from smista_mcp.errors import Code, ProviderError

Serves = Callable[[Candidate, Sequence[tuple[str, ...]]], str | None]
"""Why a candidate is none of these lists of targets; None where it is of each."""


class Bound(NamedTuple):
    """Rules that bind a phase by what earlier answers were made from.

    Attributes:
        local: names of local_only rules.
        only: lists of which the model must be, each of them.
    """

    local: tuple[str, ...] = ()
    only: tuple[tuple[str, ...], ...] = ()


UNBOUND = Bound()


def bound_by_answers(guard: Guard, routed: Routed, answers: Sequence[Piece]) -> Bound:
    """What binds a phase by the paths that the answers before it were made from, as the turns of a session do."""
    forms = tuple(dict.fromkeys(form for answer in answers for form in answer.forms))
    return Bound(*bound_by(guard, routed.phase, forms, ANY_SIZE))


def serving(policy: Policy, catalog: Catalog) -> Serves:
    """The check for one policy."""
    return lambda candidate, lists: not_one_of(policy, catalog, candidate, lists)


def check_bound(bound: Bound, candidate: Candidate, serves: Serves) -> None:
    """Refuses a candidate that may not build on the answers.

    Raises:
        ProviderError: `restricted_content` or `model_not_allowed`; nothing was sent.
    """
    if bound.local and candidate.locality is not Locality.LOCAL:
        why = f"it builds on what rule `{shown(bound.local[0])}` keeps on this machine"
        raise ProviderError(why, code=Code.RESTRICTED_CONTENT)
    why = serves(candidate, bound.only) if bound.only else None
    if why:
        raise ProviderError(f"{why}, and it builds on what that rule is about", code=Code.MODEL_NOT_ALLOWED)


def serves_none(candidate: Candidate, lists: Sequence[tuple[str, ...]]) -> str | None:
    """Where no policy is known, nobody is of any list."""
    del candidate
    return "a binding rule allows only certain models" if lists else None
