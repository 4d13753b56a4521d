"""Who calls the product."""

from typing import NamedTuple


class Caller(NamedTuple):
    """Who calls, as far as it says so.

    Attributes:
        client_name: `clientInfo.name` of the host, where one is known.
        over_http: whether it came over HTTP, where anyone on this machine may give any name.
    """

    client_name: str | None = None
    over_http: bool = False

    @property
    def owner(self) -> str:
        """Whose the jobs are that it starts."""
        return f"{'http' if self.over_http else 'pipe'} {self.client_name or ''}"


NOBODY = Caller()
