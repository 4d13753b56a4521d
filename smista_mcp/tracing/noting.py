"""What may be noted of work that is under way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from smista_mcp.errors import SmistaError

Fact = str | int | float | bool | Sequence[str] | None
Facts = Mapping[str, Fact]
"""Attributes of a span or an event by name; those that are None are left out."""
Kind = Literal["internal", "client", "server"]
"""`client` where something leaves this process, `server` where something came in."""
Carrier = Mapping[str, object]
"""What may hold `traceparent` and `tracestate`, as W3C Trace Context writes them; nothing else of it is read."""


class Noting:
    """A span under way. This one is none: nobody listens, and nothing is worked out for it."""

    @property
    def listens(self) -> bool:
        """Whether what is noted goes anywhere."""
        return False

    @property
    def place(self) -> object | None:
        """Where it stands in its trace, for `follows`; None where nobody listens."""
        return None

    def note(self, facts: Callable[[], Facts]) -> None:
        """Adds attributes."""

    def happened(self, name: str, facts: Callable[[], Facts]) -> None:
        """Adds an event."""

    def failed(self, error_type: str) -> None:
        """Marks it as failed, by a code and without a word; the first that is said stands."""

    def follows(self, place: object | None) -> None:
        """Links it to the span that stands at `place`."""


NOTHING = Noting()


def error_type(error: BaseException) -> str:
    """What a failure is called in a span: our code or the kind of the exception, and none of its words."""
    if isinstance(error, SmistaError):
        return error.code.value
    return "cancelled" if type(error).__name__.startswith("Cancelled") else type(error).__name__
