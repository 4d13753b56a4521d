"""What one attempt put on the wire, by name and hash."""

from smista_mcp.core.values import Value


class SentItem(Value):
    """Something that left, or was about to leave, in the body of a request. `sha256` is of its bytes, in hex."""

    path: str
    sha256: str
    tokens: int
    reason: str


class WithheldItem(Value):
    """Something that stayed, and why."""

    path: str
    reason: str


class Receipt(Value):
    """What one attempt put on the wire. Names and hashes; never contents.

    Attributes:
        body_bytes: size of the serialised request.
        body_sha256: its hash, in hex.
    """

    sent: tuple[SentItem, ...] = ()
    withheld: tuple[WithheldItem, ...] = ()
    body_bytes: int
    body_sha256: str
