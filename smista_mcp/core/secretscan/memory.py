"""What was searched is not searched again in the same call: the scan's answers by the hash of what it read."""

from smista_mcp.core.secretscan.facts import SecretFact, secrets_in


class Scans:
    """The secrets of texts, each text searched once.

    Args:
        allowed: fingerprints of what the policy says is no secret.
    """

    def __init__(self, allowed: frozenset[str] = frozenset()) -> None:
        self.allowed = allowed
        self._known: dict[str, tuple[SecretFact, ...]] = {}

    def of(self, text: str, sha256: str) -> tuple[SecretFact, ...]:
        """The secrets of a text.

        Args:
            text: what to search.
            sha256: of exactly this text, in hex; whoever asks has to be sure of it.
        """
        found = self._known.get(sha256)
        if found is None:
            found = self._known[sha256] = secrets_in(text, self.allowed)
        return found

    def note(self, sha256: str, found: tuple[SecretFact, ...]) -> None:
        """Remembers what was found in a text that somebody has searched."""
        self._known.setdefault(sha256, found)
