"""Why a file of a host cannot be changed as a text."""


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
