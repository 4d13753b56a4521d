"""Which parts of a text are secrets: keys of well-known formats, key blocks, passwords, by a table of rules."""

from smista_mcp.core.secretscan.facts import (
    FINGERPRINT,
    SecretFact,
    placed_secrets,
    secrets_in,
    secrets_of_phases,
    told,
)
from smista_mcp.core.secretscan.rules import Hit
from smista_mcp.core.secretscan.scanner import rules_digest, scan

__all__ = [
    "FINGERPRINT",
    "Hit",
    "SecretFact",
    "placed_secrets",
    "rules_digest",
    "scan",
    "secrets_in",
    "secrets_of_phases",
    "told",
]
