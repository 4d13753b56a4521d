"""What one attempt put on the wire, by name and hash."""

from typing import Literal

from smista_mcp.core.values import Effort, Value


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
    """What one request put on the wire: one receipt for each that an attempt makes. Names and hashes; never contents.

    A hash is the SHA-256 of the bytes in hex. Where the request held anything that must stay on this machine, every
    hash is `keyed:` and an HMAC-SHA-256 of that hex text with the key of this installation (`key` in the state folder):
    short contents could be guessed from a plain hash. Those of the body, of the caller's words and attachments, of
    diffs, of answers and of what tools showed always are, for the same reason: plain are those of files and of our own
    text.

    The hash of the body covers every byte of it. What it consists of stands in `sent`, pieces of context, and in
    `written`: the words of the caller, and our own text. A request that was stopped at the last check has a receipt
    too, of what would have left; its attempt failed with `restricted_content` or `secret_detected`. So has
    one for which no connection came about.

    Attributes:
        body_bytes: size of the serialised request.
        body_sha256: its hash.
        method: of HTTP.
        path: below the address.
        address: where the request went, as the policy wrote it; empty in receipts of earlier versions.
        departed: false where not a byte of the request was written to a socket.
        effort: that its model was told; None where it was told none.
        unmediated: whether it went to a CLI whose own tools nothing kept from reading: what else left nobody knows.
        effort_ignored: that was asked for, where the model was told another or none.
        cache: whether the provider was asked to keep some of it in its cache, or not to; None where it was told
            nothing.
        cache_key: by which it may find that again: a keyed hash, which tells nothing.
        protocol: of an installed package, whose code made the bytes: name, version and hash; None where it was ours.
    """

    sent: tuple[SentItem, ...] = ()
    written: tuple[SentItem, ...] = ()
    withheld: tuple[WithheldItem, ...] = ()
    body_bytes: int
    body_sha256: str
    method: str = "POST"
    path: str = ""
    address: str = ""
    departed: bool = True
    effort: Effort | None = None
    effort_ignored: Effort | None = None
    unmediated: bool = False
    cache: Literal["asked", "declined"] | None = None
    cache_key: str | None = None
    protocol: str | None = None
