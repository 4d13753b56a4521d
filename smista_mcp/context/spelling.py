"""How a path may be written: as it is, as `@path`, as a `file://` address, with a range of lines at its end."""

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

# patterns that few calls need are compiled by the first that does: `re` keeps them
_RANGE = (
    r"(?::(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9})|:[0-9]{1,9})?"
    r"|#L(?P<from>[0-9]{1,9})(?:C[0-9]{1,9})?(?:-L?(?P<to>[0-9]{1,9})(?:C[0-9]{1,9})?)?)\Z"
)
_SURROGATE = "[\ud800-\udfff]"
_UNSEEN = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""What nobody sees (Default_Ignorable_Code_Point); HFS+ opens a file also under its name with some of it inside."""
_TRAILED = r"(?<=[^/. ])[. ]+(?=/|\Z)"
"""What Windows leaves off the end of a name."""
_PLAIN_FILE = (
    r"(?:authors|brewfile|build|changelog|containerfile|copying|dockerfile|gemfile|jenkinsfile|justfile|license"
    r"|makefile|notice|owners|pipfile|procfile|rakefile|readme|vagrantfile|version|workspace)\Z"
)


class Lines(NamedTuple):
    """A range of lines, both ends counted, from 1."""

    first: int
    last: int

    def cut(self, text: str) -> str:
        """These lines of a text; empty where it has none of them."""
        lines = text.split("\n")
        return "\n".join(lines[self.first - 1 : self.last]) + ("\n" if self.last < len(lines) else "")


class Spelling(NamedTuple):
    """One way to understand what was written.

    Attributes:
        foreign: the address of a file on another machine.
    """

    text: str
    lines: Lines | None = None
    foreign: bool = False


def spellings(written: str) -> tuple[Spelling, ...]:
    """All ways to understand a written path, the most literal first, so that a file that is really called so wins."""
    found = [Spelling(written)]
    text = written
    lines: Lines | None = None
    if text[:7].casefold() == "file://":
        text, lines = _without_range(text[7:])
        host, slash, rest = text.partition("/")
        found.append(Spelling(slash + unquote(rest), lines, foreign=host.casefold() not in ("", "localhost")))
        return tuple(found)
    if text.startswith("@") and len(text) > 1:
        text = text[1:]
        found.append(Spelling(text))
    text, lines = _without_range(text)
    if lines is not None:
        found.append(Spelling(text, lines))
    return tuple(found)


def _without_range(text: str) -> tuple[str, Lines | None]:
    match = re.search(_RANGE, text)
    if not match or not match.start():
        return text, None
    first = int(match["first"] or match["from"])
    last = int(match["last"] or match["to"] or first)
    first, last = min(first, last), max(first, last)
    return text[: match.start()], Lines(max(first, 1), max(last, 1))


def printable(name: str) -> str:
    """A name of the file system as text that any channel takes: a byte that is no UTF-8 becomes U+FFFD, one for one."""
    return name if name.isascii() else re.sub(_SURROGATE, "\ufffd", name)


def composed(name: str) -> str:
    """The NFC form: one name may be stored in several ways that look and mean the same."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def alike(name: str) -> tuple[str, ...]:
    """A name, and every other text that a system, a program or a reader takes for the same name."""
    if name.isascii() and "\\" not in name and not re.search(_TRAILED, name):
        return (name,)
    found = [printable(name)]
    found.append(re.sub(_SURROGATE, lambda octet: chr(ord(octet[0]) & 0xFF), name))  # as Latin-1 has it
    found += [re.sub(_UNSEEN, "", text) for text in found]
    found += [composed(text) for text in found]
    found += [text.replace("\\", "/") for text in found]
    found += [re.sub(_TRAILED, "", text) for text in found]
    return tuple(dict.fromkeys(found))


def looks_like_a_directory(path: str) -> bool:
    """Whether a path that does not exist is taken for a directory: one that ends with `/` or has no extension."""
    if path.endswith("/"):
        return True
    name = path.rpartition("/")[2]
    return bool(name) and "." not in name and not re.match(_PLAIN_FILE, name, re.IGNORECASE)
