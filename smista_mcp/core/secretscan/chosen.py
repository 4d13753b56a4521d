"""What a person chooses as a password, and not what else stands in a sentence or among arguments."""

from smista_mcp.core.secretscan.placeholders import counts, is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

_SIGNS = frozenset("!#%&*+~^?$@")
_CODE = (frozenset("(){}\"'`|\\"), frozenset("(){}[]<>\"'`=;|,\\"))
"""What stands in code; less of it counts where a sentence says that a value is a password."""
_NEVER_FIRST = ("/.@#$-<({[", "/.@#$-<({[%&=+*?!")
_MINIFIED = Lazy(r"![01](?:[,;]|\Z)")
_MEASURED = Lazy(r"[0-9]{1,20}+(?:[-.,:/x+][0-9]{1,20}+){0,6}[-_]?[a-z%+]{0,12}+\Z")
"""A number, a date, or so many of something."""
_TECHNICAL = Lazy(
    r"(?i:(?:sha|md|aes|rsa|des|ec|ed|base|utf|iso|rfc|cve|bcrypt|scrypt|argon|pbkdf|oauth|https?|jwt|[reh]s|ver|version"
    r"|min|max|port|ipv|tls|ssl|log|win|windows|python|node|java|php|ruby|step|phase)[-_ .]?v?[0-9]"
    r"|[xphvk]-?[0-9.]{1,20}\Z)"
)
_JOINED = Lazy(r"[A-Za-z]{3,40}+[!#%&*+~^$][A-Za-z]{3,40}+\Z")
"""Two words, or what is drawn by lot instead of one."""
_ADDRESS = Lazy(r"[A-Za-z0-9_.+-]{1,64}+@[A-Za-z0-9-]{1,60}+(?:\.[A-Za-z0-9-]{1,60}+){1,6}\Z")
_HOST = Lazy(r"[A-Za-z0-9_-]{1,60}+(?:\.[A-Za-z0-9_-]{1,60}+){1,8}(?::[0-9]{1,5})?\Z")
_LONGEST = 100


def is_chosen(value: str, *, said: bool = False) -> bool:
    """Whether a value is a password by its look alone.

    Args:
        value: without what stands around it.
        said: whether a sentence says that it is one, so that a word and a number are enough.
    """
    if not 6 <= len(value) <= _LONGEST or not value.isascii() or value[0] in _NEVER_FIRST[not said]:
        return False
    if not _CODE[not said].isdisjoint(value) or _MINIFIED().match(value):
        return False
    digits, upper, lower = counts(value)
    if not digits and not (upper >= (1 if said else 3) and lower >= 3 and _JOINED().match(value)):
        return False
    if upper + lower < 2 or "://" in value or not _is_mixed(value, digits, upper, lower, said=said):
        return False
    return not (
        _MEASURED().match(value) or _TECHNICAL().match(value) or _ADDRESS().match(value) or is_placeholder(value)
    )


def _is_mixed(value: str, digits: int, upper: int, lower: int, *, said: bool) -> bool:
    """Whether its characters are of so many kinds as no word's or name's are."""
    if not _SIGNS.isdisjoint(value[1:]) or is_random(value, 8):
        return "/" not in value or (":" not in value and is_random(value, 16))
    if "/" in value or ":" in value or _HOST().match(value):
        return False
    return (upper >= 1 and lower >= 2 and digits >= 2) or (said and digits >= 2 and lower >= 3 and len(value) >= 7)
