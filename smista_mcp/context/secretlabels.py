"""What the secret scan says of contents and names; each content is searched once in a call."""

from collections.abc import Iterable, Sequence

from smista_mcp.context.reading import Reading
from smista_mcp.core.digests import digest_of
from smista_mcp.core.secretscan import SecretFact, placed_secrets, secrets_in
from smista_mcp.core.secretscan.memory import Scans


class SecretLabels:
    """Searches texts.

    Args:
        scans: what was searched in this call.
    """

    def __init__(self, scans: Scans) -> None:
        self._scans = scans
        self._allowed = scans.allowed
        self._placed: dict[str, tuple[tuple[SecretFact, int, int], ...]] = {}

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

    def of_range(self, text: str, digest: str, first_line: int, whole: Reading) -> tuple[SecretFact, ...]:
        """The secrets of some lines of a file: any of the whole file, for a part of one looks like nothing.

        Args:
            text: the lines.
            digest: their hash.
            first_line: the line of the file that they begin with.
            whole: the file.
        """
        found = self.of_content(whole.text, whole.digest)
        if not found:
            return self.of_content(text, digest, first_line)
        self._scans.note(digest, found)
        return found

    def of_cut(self, text: str, digest: str, told: Sequence[SecretFact]) -> tuple[SecretFact, ...]:
        """The secrets of a content, and those of which it may show a part, as what it was cut from tells."""
        if not told:
            return self.of_content(text, digest)
        found = tuple(dict.fromkeys((*secrets_in(text, self._allowed), *told)))
        self._scans.note(digest, found)
        return found

    def of_diff(self, parts: Sequence[tuple[str, str]], told: Sequence[SecretFact]) -> None:
        """Notes the secrets of a difference under its own hash, each with its file and the line of that.

        Args:
            parts: name and text of each part.
            told: those of which it may show a part, as what it was cut from tells.
        """
        from smista_mcp.context.difflines import in_files  # noqa: PLC0415  most calls see no diff

        text = "".join(part for _, part in parts)
        found = in_files(parts, placed_secrets(text, self._allowed))
        self._scans.note(digest_of(text), tuple(dict.fromkeys((*found, *told))))

    def of_whole(self, text: str) -> tuple[tuple[SecretFact, int, int], ...]:
        """The secrets of a text, placed as by `of_part`; each text is searched once."""
        digest = digest_of(text)
        if not self._scans.of(text, digest):
            return ()
        if digest not in self._placed:
            self._placed[digest] = placed_secrets(text, self._allowed)
        return self._placed[digest]

    def of_part(self, text: str) -> tuple[tuple[SecretFact, int, int], ...]:
        """The secrets of a part of a diff, each with where it begins and the place behind its end."""
        return placed_secrets(text, self._allowed)

    def of_names(self, names: Iterable[str]) -> tuple[SecretFact, ...]:
        """The secrets in names; none of them has a line."""
        found = secrets_in("\n".join(names), self._allowed)
        return tuple(dict.fromkeys(fact._replace(line=0) for fact in found))
