"""What stands where a secret would: placeholders, references, examples of documentation, ordinary words."""

import hashlib
import math
import re
from collections import Counter
from itertools import pairwise

from smista_mcp.core.secretscan.rules import Lazy

_TELLING = Lazy(
    r"example|placeholder|change[-_ ]?me|change[-_]?this|replace[-_]?(?:me|this|with)|redacted|dummy|sample"
    r"|(?:^|[^a-z])fake"
    r"|(?:^|[^a-z])(?:your|my)[-_ ]|your[a-z]{0,10}(?:key|token|secret|password|pass)|insert[-_]|(?:^|[^a-z])todo"
    r"|not[-_]?a[-_]?(?:real|secret|valid)|x{5}|\*{3}|\.{3}|…|(?:^|[^a-z])(?:xxx|foo|bar|foobar)(?:[^a-z]|$)|goes[-_]?here|put[-_]",
    re.IGNORECASE | re.ASCII,
)
_LONG = 200
"""In a row of so many characters drawn by lot some short word is soon found."""
_REFERENCE = Lazy(
    r"\$[A-Za-z_{(]|%[A-Za-z_]{2,60}+%|%\(?[a-z]|[<{\[]|!(?:Ref|Sub|vault|secret|reference)|(?:ref\+|op|vault|awssm|ssm|file|env)://?"
    r"|(?:arn:|env[.:(]|os\.|process\.|System\.|getenv|secrets?[.:(\[]|config[.(\[]|settings\.|self\.|this\.|var\.|local\.|data\.)",
)
_DEFAULTS = frozenset(
    "admin administrator postgres postgresql mysql mariadb root guest user username test testing tests demo default"
    " redis rabbitmq mongo mongodb password passwd passw0rd pass pwd secret secrets token key apikey api_key auth"
    " string str none null nil undefined true false yes no on off empty required optional hidden public private basic"
    " changeit letmein qwerty abc123 abcdef 123456 12345678 123456789 1234567890 minio minioadmin sa dev"
    " development local localhost value text bearer login bytes bool int object any unknown mysecret mypassword"
    " password1 password123 test123 testpass testpassword secretkey test-key test-token test-secret test_secret"
    " test_token test_key dbpass dbpassword userpass credentials x-oauth-basic oauth2 x-access-token".split()
)
_DOCUMENTED = frozenset(
    # the first 16 digits of the SHA-256 of values that vendors and standards print as their examples
    (
        "2cafc0970149a84f f2d6ca16515033e5 7e8de44ea9ecf6d5 7f75367e78812551 c794fa6d20c64efb 8d4ef6536dc8895f"
        " 0011cc25eb432071 aa6547439583c3a2 bc3ae723f57c6b9e 82e74299544e0073 3543c50b0cb9cea8 cf4d418ed3de92d7"
        " eab7452d7d0fd9d1 e4da07ad200089ce bdfeaef44475711c 0e9d220616f08345 ad62d48d8b069026 b8e148545b13c78b"
        " 6c96130f130ab0d6 ad71fb4165536675 647f7143af147062 0b5dd075ccdd03c4 731fa294d036e54f 9e309cccd311ea64"
        " 6106be84167d0109 15cef4b629cc2d07"
    ).split()
)
_WORDS = Lazy(r"[A-Za-z]{1,30}")


def is_documented(value: str) -> bool:
    """Whether a vendor or a standard prints this very value as its example."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16] in _DOCUMENTED


def is_example(value: str) -> bool:
    """Whether a key in a known format is printed in documentation, or says of itself that it is none."""
    return is_documented(value) or (len(value) < _LONG and bool(_TELLING().search(value)))


def is_placeholder(value: str) -> bool:
    """Whether a value says of itself that it is none: a reference, an example, a row of equal or counted characters."""
    if (len(value) < _LONG and _TELLING().search(value)) or _REFERENCE().match(value):
        return True
    return is_counted(value) or value.lower() in _DEFAULTS or is_documented(value)


def is_counted(value: str) -> bool:
    """Whether most of the characters follow from the ones before: `aaaa`, `1234`, `abcd`, `abab`."""
    if len(value) < 4:
        return False
    codes = list(map(ord, value.lower()))
    steps = sum(-1 <= after - before <= 1 for before, after in pairwise(codes))
    return steps >= 0.7 * (len(codes) - 1) or len(set(codes)) <= max(2, len(codes) // 10)


def entropy(value: str) -> float:
    """Shannon's entropy of the characters, in bits a character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def is_random(value: str, least: int = 16) -> bool:
    """Whether a run of characters looks drawn by lot: long, mixed, no words in a row."""
    if len(value) < least or len(set(value)) < 8:
        return False
    digits = sum(map(str.isdigit, value))
    upper = sum(map(str.isupper, value))
    lower = sum(map(str.islower, value))
    if not digits and not (upper >= 4 and lower >= 4):
        return False
    if digits and not upper and not lower:
        return False
    if is_wordy(value):
        return False
    return entropy(value) >= min(3.0, math.log2(len(value)) - 1.2)


def is_wordy(value: str) -> bool:
    """Whether it is a chain of words, such as an identifier, a path or a sentence."""
    constant = value.isupper() and "_" in value and not any(map(str.isdigit, value))
    words = _WORDS().findall(value.lower() if constant else value)
    letters = sum(map(len, words))
    if not words or letters < 0.6 * len(value):
        return False
    natural = sum(len(word) for word in words if len(word) >= 3 and _is_natural(word))
    return natural >= 0.75 * letters


def _is_natural(word: str) -> bool:
    """At most one capital in front of each of its parts, and vowels between consonants as in speech."""
    parts = re.findall(r"[A-Z]?[a-z]{1,30}|[A-Z]", word)
    if any(len(part) < 3 for part in parts):
        return False
    vowels = sum(letter in "aeiouyAEIOUY" for letter in word)
    return 0.2 <= vowels / len(word) <= 0.65
