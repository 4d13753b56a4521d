"""Who calls the product."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, NamedTuple

from smista_mcp.errors import ScopeNotAllowed

if TYPE_CHECKING:
    from smista_mcp.ledger.access import AccessScope

_ISSUED: Final = "token "
"""How the owner of what came with a token begins; that of a host begins otherwise."""


class Badge(NamedTuple):
    """The token that a call came with. The token itself is nowhere behind the door.

    Attributes:
        token_id: of this very token: what is begun with it belongs to it alone.
        name: by which calls are attributed and budgets are kept.
    """

    token_id: str
    name: str
    scope: "AccessScope"


class Caller(NamedTuple):
    """Who calls, as far as it says so.

    Attributes:
        client_name: `clientInfo.name` of the host, where one is known.
        over_http: whether it came over HTTP, where anyone on this machine may give any name.
        badge: the token that it came with, where the door asks for one.
    """

    client_name: str | None = None
    over_http: bool = False
    badge: Badge | None = None

    @property
    def owner(self) -> str:
        """Whose the jobs, sessions, decisions and approvals are that it starts: a token's, else a host's."""
        if self.badge is not None:
            return f"{_ISSUED}{self.badge.token_id}"
        return f"{'http' if self.over_http else 'pipe'} {self.client_name or ''}"

    @property
    def token(self) -> str | None:
        """The name that the ledger and budgets know it by."""
        return None if self.badge is None else self.badge.name

    def counts_for(self, scope: str) -> bool:
        """Whether a budget of that scope can count what this caller does; one of a token counts that token alone."""
        kind, _, name = scope.partition(":")
        return kind != "token" or name == self.token

    def check_dispatch(self) -> None:
        """Refuses whoever may only ask.

        Raises:
            ScopeNotAllowed: its token opens no dispatch.
        """
        if self.badge is not None and self.badge.scope != "dispatch":
            raise ScopeNotAllowed(
                f"the token `{self.badge.name}` is for classify, route and explain",
                fix="do the work yourself, or ask whoever runs this server for a token of scope `dispatch`",
            )


NOBODY = Caller()


def is_of_token_but(active: Collection[str], owner: str) -> bool:
    """Whether an owner is a token, and none of these ids."""
    return owner.startswith(_ISSUED) and owner.removeprefix(_ISSUED) not in active
