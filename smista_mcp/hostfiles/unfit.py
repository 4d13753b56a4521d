"""Why a file of a host cannot be changed as a text."""

from pathlib import Path

from smista_mcp.errors import InvalidTask


class Unfit(ValueError):
    """The text is not what its format allows, or not a shape that is changed safely.

    Attributes:
        message: what is wrong, without the file's name.
        line: where, counted from 1; None for the whole file.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line

    def refusal(self, path: Path, fix: str) -> InvalidTask:
        """The same as an error that names the file.

        Args:
            path: the file.
            fix: what to do.
        """
        place = f"`{path}`" if self.line is None else f"`{path}` line {self.line}"
        return InvalidTask(f"{place} {self.message}", fix=fix)
