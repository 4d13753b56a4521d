"""Hashes of texts."""

import hashlib
import hmac


def digest_of(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def keyed(key: bytes, data: bytes) -> str:
    """128 bits of an HMAC-SHA256 in hex, as they stand in `inputs`: it reveals nothing to whoever lacks the key."""
    return hmac.digest(key or b"\0", data, "sha256").hex()[:32]
