"""What the secret scan says of contents and names; each content is searched once in a call."""

from collections.abc import Iterable

from smista_mcp.core.secretscan import SecretFact, secrets_in
from smista_mcp.core.secretscan.memory import Scans


class SecretLabels:
    """Searches texts.

    Args:
        scans: what was searched in this call.
    """

    def __init__(self, scans: Scans) -> None:
        self._scans = scans
        self._allowed = scans.allowed

    def of_content(self, text: str, digest: str, first_line: int = 1) -> tuple[SecretFact, ...]:
        """The secrets of a content.

        Args:
            text: the content.
            digest: its hash.
            first_line: the line of its file that it begins with.
        """
        found = self._scans.of(text, digest)
        if first_line == 1:
            return found
        return tuple(fact._replace(line=fact.line + first_line - 1) for fact in found)

    def of_part(self, text: str) -> tuple[SecretFact, ...]:
        """The secrets of a part of a diff."""
        return secrets_in(text, self._allowed)

    def of_names(self, names: Iterable[str]) -> tuple[SecretFact, ...]:
        """The secrets in names; none of them has a line."""
        found = secrets_in("\n".join(names), self._allowed)
        return tuple(dict.fromkeys(fact._replace(line=0) for fact in found))
