"""What stands where a secret would: placeholders, references, examples of documentation, ordinary words."""

import hashlib
import math
import re
from collections import Counter
from functools import lru_cache
from operator import sub

from smista_mcp.core.secretscan.dummies import says_it_is_none
from smista_mcp.core.secretscan.rules import Lazy

_TELLING = Lazy(
    r"example|p(?:laceholder|ut[-_])|change(?:[-_ ]?me|[-_]?this)|re(?:place[-_]?(?:me|this|with)|dacted)|dummy|sample"
    r"|(?:fake|todo)(?<![a-z]....)|your(?:[-_ ](?<![a-z].....)|[a-z]{0,10}(?:key|token|secret|pass))"
    r"|my[-_ ](?<![a-z]...)|insert[-_]|not[-_]?a[-_]?(?:real|secret|valid)|goes[-_]?here"
    r"|x(?:x{4}|xx(?<![a-z]...)(?![a-z]))|\*{3}|\.{3}|…"
    r"|foo(?:bar(?<![a-z]......)|(?<![a-z]...))(?![a-z])|bar(?<![a-z]...)(?![a-z])",
    re.DOTALL,
)
"""Of a value in lower case. Each branch begins with a letter, so that the places where none does cost nothing."""
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_SHORT = 20
_LONG = 200
"""In a row of so many characters drawn by lot some short word is soon found."""
_REFERENCE = Lazy(
    r"ENC\[|vault:[a-z]{2,30}/|\([a-z ]{3,20}\)\Z|"
    r"(?:[A-Za-z0-9_.-]{1,60}+:)?(?:/[a-z0-9_.-]{1,60}+){2,20}\Z|Ag[A-D][A-Za-z0-9+/_-]{76}|"
    r"\${1,2}[A-Za-z_{(]|%[A-Za-z_]{2,60}+%|%\(?[a-z]|[<{\[]|!(?:Ref|Sub|vault|secret|reference|GetAtt|ImportValue|env)"
    r"|[a-z]{3,20}-secret!|@(?:Microsoft\.KeyVault|secret|env|param)|aws:secretsmanager|projects/[a-z0-9-]{4,40}/secrets/"
    r"|(?:ref\+|op|vault|awssm|awsps|gcpsm|azkv|akv|sm|doppler|bws|ssm|file|env)://?"
    r"|(?:arn:|env[.:(]|os\.|process\.|System\.|getenv|secrets?[.:(\[]|config[.(\[]|settings\.|self\."
    r"|this\.|var\.|local\.|data\.)",
)
"""`AgA` to `AgD` is how all that Sealed Secrets encrypts begins; before it stands the path of a file."""
_DEFAULTS = frozenset(
    "admin administrator postgres postgresql mysql mariadb root guest user username test testing tests demo default"
    " redis rabbitmq mongo mongodb password passwd passw0rd pass pwd secret secrets token key apikey api_key auth"
    " string str none null nil undefined true false yes no on off empty required optional hidden public private basic"
    " changeit letmein qwerty abc123 abcdef 123456 12345678 123456789 1234567890 minio minioadmin sa dev"
    " development local localhost value text bearer login bytes bool int object any unknown mysecret mypassword"
    " hunter2 p@ssw0rd p@ssword p@$$w0rd passw0rd! p@ssw0rd! p@ssw0rd1 p@ssw0rd123 p@ssword1 password1! password123!"
    " password1234 s3cr3t s3cret sup3rs3cr3t test1234 test123! test1234! test@123 qwerty123 abc123!@# letmein1"
    " yourstrong(!)password correct-horse-battery-staple shhhh shhhhh password1 password123 test123 testpass"
    " testpassword secretkey test-key test-token test-secret test_secret"
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
        " f5e95c9954635b65 0c030bb13665363b ed967197261c16a9 eaa6a9190faf5587 ac9265e56c79b234 8be5d113c0871ce1"
        " d3873980f248ddeb e9974c507d2a8021 00cf4c781dc37003 53f5da0aaa93d64c 7d7e962a3cadf6d1 ed8462e1cfbe0f3a"
        " fb8f35129df87662 1e3e58656012d861 841b4f5b0b34e19a 96ad2ccd81462a76 cb87c87e4a138d9a 649e1f5c769e718b"
        " 00b3dc640c9c99fc 16f1e631dca247bf 549c9390539efcfa"
    ).split()
)
_WORDS = Lazy(r"[A-Za-z]{1,30}")
_NATURAL = Lazy(r"(?:[a-z]{3,30}+|[A-Z][a-z]{2,30}+)(?:[A-Z][a-z]{2,30}+){0,9}\Z")
_VOWELS = b"aeiouyAEIOUY"
_CLASSES = bytes(
    ord("0") if chr(code).isdigit() else ord("A") if chr(code).isupper() else ord("a") if chr(code).islower() else 0
    for code in range(128)
).ljust(256, b"\0")
"""An ASCII character's kind: `0` a digit, `A` or `a` a letter, 0 another."""


def is_documented(value: str) -> bool:
    """Whether a vendor or a standard prints this very value as its example."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16] in _DOCUMENTED


def is_example(value: str) -> bool:
    """Whether a key in a known format is printed in documentation, or says of itself that it is none."""
    return is_documented(value) or _is_telling(value)


def _is_telling(value: str) -> bool:
    if len(value) >= _LONG:
        return False
    low = value.lower() if value.isascii() else value.translate(_LOWER)
    return (len(low) < _SHORT or _may_tell(low)) and _TELLING().search(low) is not None


def _may_tell(low: str) -> bool:
    """Whether a part of a word is there without which nothing tells: looked for as a whole it is found sooner."""
    return (
        ("xample" in low or "change" in low or "replace" in low or "your" in low or "my" in low or "..." in low)
        or ("dummy" in low or "sampl" in low or "fake" in low or "todo" in low or "insert" in low or "xxx" in low)
        or ("foo" in low or "bar" in low or "not" in low or "redacted" in low or "goes" in low or "put" in low)
        or ("placeh" in low or "***" in low or "…" in low)
    )


def is_placeholder(value: str) -> bool:
    """Whether a value says of itself that it is none: a reference, an example, a row of equal or counted characters."""
    if _is_telling(value) or _REFERENCE().match(value):
        return True
    return is_counted(value) or value.lower() in _DEFAULTS or says_it_is_none(value) or is_documented(value)


def is_counted(value: str) -> bool:
    """Whether most of the characters follow from the ones before: `aaaa`, `1234`, `abcd`, `abab`."""
    if len(value) < 4:
        return False
    low = value.lower()
    codes = low.encode("ascii") if low.isascii() else [ord(char) for char in low]
    steps = list(map(sub, codes[1:], codes))
    near = steps.count(0) + steps.count(1) + steps.count(-1)
    return near >= 0.7 * len(steps) or len(set(codes)) <= max(2, min(len(codes) // 10, 8))


def entropy(value: str) -> float:
    """Shannon's entropy of the characters, in bits a character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


@lru_cache(2048)
def _least_entropy(size: int, distinct: int) -> float:
    """The entropy of so many characters, so many of them distinct, that has the least: all others are equal."""
    rest = size - distinct + 1
    return math.log2(size) - rest / size * math.log2(rest) - 1e-9


def is_random(value: str, least: int = 16) -> bool:
    """Whether a run of characters looks drawn by lot: long, mixed, no words in a row."""
    if len(value) < least or (distinct := len(set(value))) < 8:
        return False
    digits, upper, lower = counts(value)
    if not digits and not (upper >= 4 and lower >= 4):
        return False
    if digits and not upper and not lower:
        return False
    if is_wordy(value):
        return False
    enough = min(3.0, math.log2(len(value)) - 1.2)
    return _least_entropy(len(value), distinct) >= enough or entropy(value) >= enough


def counts(value: str) -> tuple[int, int, int]:
    """Digits, capitals and small letters."""
    if value.isascii():
        classes = value.encode("ascii").translate(_CLASSES)
        return classes.count(b"0"), classes.count(b"A"), classes.count(b"a")
    return sum(map(str.isdigit, value)), sum(map(str.isupper, value)), sum(map(str.islower, value))


def is_wordy(value: str) -> bool:
    """Whether it is a chain of words, such as an identifier, a path or a sentence."""
    constant = "_" in value and value.isupper() and not any(map(str.isdigit, value))
    words = _WORDS().findall(value.lower() if constant else value)
    letters = sum(map(len, words))
    if not words or letters < 0.6 * len(value):
        return False
    least = 0.75 * letters
    words = [word for word in words if len(word) >= 3]
    return sum(map(len, words)) >= least and sum(len(word) for word in words if _is_natural(word)) >= least


def _is_natural(word: str) -> bool:
    """At most one capital in front of each of its parts, and vowels between consonants as in speech."""
    if not _NATURAL().match(word):
        return False
    vowels = len(word) - len(word.encode().translate(None, _VOWELS))
    return 0.2 <= vowels / len(word) <= 0.65
