"""What one attempt put on the wire, by name and hash."""

from smista_mcp.core.values import Value


class SentItem(Value):
    """Something that left, or was about to leave, in the body of a request. `sha256` is as in `Receipt`."""

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

    A hash is the SHA-256 of the bytes in hex. Where the request held anything that must stay on this machine, every
    hash is `keyed:` and an HMAC-SHA-256 of that hex text with the key of this installation (`key` in the state folder):
    short contents could be guessed from a plain hash.

    Attributes:
        body_bytes: size of the serialised request.
        body_sha256: its hash.
    """

    sent: tuple[SentItem, ...] = ()
    withheld: tuple[WithheldItem, ...] = ()
    body_bytes: int
    body_sha256: str
