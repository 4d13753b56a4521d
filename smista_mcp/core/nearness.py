"""What a misspelt word may have meant."""

from collections.abc import Iterable


def closest(word: str, known: Iterable[str], *, cutoff: float) -> str | None:
    """The known word that looks most like this one; None where none is as near as `cutoff`.

    Args:
        word: as it was written.
        known: what it may have meant.
        cutoff: from 0 (anything) to 1 (the same), as `difflib.get_close_matches` measures it.
    """
    from difflib import get_close_matches  # noqa: PLC0415  mistakes are rare, and every start would pay for them

    return next(iter(get_close_matches(word, list(known), 1, cutoff)), None)
