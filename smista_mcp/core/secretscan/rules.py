"""What a row of the table of secrets is. A pattern is written so that it cannot work long at one place: see `Rule`."""

import re
from typing import NamedTuple


class Lazy:
    """A pattern that is compiled when it is first used: most texts need few of them, and a process starts sooner.

    Args:
        pattern: as for `re.compile`.
        flags: likewise.
    """

    __slots__ = ("_compiled", "_flags", "pattern")

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        self._flags = flags
        self._compiled: re.Pattern[str] | None = None

    def __call__(self) -> re.Pattern[str]:
        if self._compiled is None:
            self._compiled = re.compile(self.pattern, self._flags)
        return self._compiled


class Rule(NamedTuple):
    """A kind of secret that is known by letters that every one of them has.

    Attributes:
        kind: the stable name; findings say it, and it is part of a fingerprint.
        anchors: literals, one of which every such secret has; capitals count. The pattern is tried nowhere else.
        pattern: of the secret from its anchor on. Repeats are bounded, and none stands inside another.
        source: where the vendor describes the format.
        back: most key characters before the anchor that belong to the secret.
        plain: whether letters that are no secret have the same look, so that only random ones count.
        glued: whether a letter or a digit may stand right before the anchor.
        halves: whether a key is a run of up to 2,000 characters, a dot, and 12 more at least: where none of these
            follow a run, all anchors in it are passed over at once.
    """

    kind: str
    anchors: tuple[str, ...]
    pattern: str
    source: str
    back: int = 0
    plain: bool = False
    glued: bool = False
    halves: bool = False


class Nearby(NamedTuple):
    """A kind of secret whose own look says nothing: it counts behind a word that does.

    Attributes:
        words: in lower case; one of them stands before the secret, however capitalised.
        pattern: of the secret alone.
        reach: characters behind the word in which it is looked for.
    """

    kind: str
    words: tuple[str, ...]
    pattern: str
    source: str
    reach: int = 120


class Hit(NamedTuple):
    """A secret found in a text: its place, never its value.

    Attributes:
        kind: the `kind` of its rule.
        line: from 1.
        start: of the first character; `end` is behind the last.
    """

    kind: str
    line: int
    start: int
    end: int
