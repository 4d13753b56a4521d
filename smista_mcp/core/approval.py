"""A person's yes, as decisions and attempts know it. What was asked stands in `asked`."""

from decimal import Decimal
from typing import Literal, NamedTuple

Need = Literal["remote", "cost", "unconfirmed"]
"""Why a person has to say yes: the policy asks before anything leaves, the cost is over the rule's limit, or a file of
the workspace that nobody has confirmed is why a remote model comes first."""
HOST_DESTINATION = "host"
"""As a destination of a release: the host that called."""
VALID_S = 24 * 3600
"""Seconds for which a request is kept, and a yes holds."""


class Approved(NamedTuple):
    """A person's yes, as a decision sees it.

    Attributes:
        key: of the call that it is for.
        marks: for the rest of a session, the providers (by name and address) to which what needs no other yes may go;
            empty where the yes is for one call.
    """

    approval_id: str
    key: str
    marks: tuple[str, ...] = ()


class Permit(NamedTuple):
    """What a yes covers in one phase.

    Attributes:
        models: resolved names of the models that may be asked because of it.
        ceiling: USD that the phase may cost in place of its rule's limit; None where the limit holds.
    """

    approval_id: str
    models: frozenset[str]
    ceiling: Decimal | None
