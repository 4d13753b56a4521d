"""Values that are secret by their name: `DB_PASSWORD=...`, `"api_key": "..."`, `--token ...`, `Password=...;`."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from smista_mcp.core.secretscan.findings import Found, Span
from smista_mcp.core.secretscan.placeholders import is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

NAMES = ("pass", "pwd", "psk", "secret", "token", "key", "credential", "auth")
"""In lower case, one of them is in every name that makes a value a secret."""

_QUOTES = "\"'`"
_NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-$"
_AFTER = Lazy(
    r"(?P<tail>[A-Za-z0-9_.-]{0,40}+)"
    r"(?P<close>\\{0,3}+[\"'`]?\]?)"
    r"(?P<sep>[ \t]{0,20}+(?::[ \t]{0,4}+(?:&(?:'static[ \t])?)?[A-Za-z]{2,10}[ \t]{0,4}+=|:=|=>|={1,3}+|::?|%3[Dd]|\()"
    r"[ \t]{0,20}+(?:\r?\n[ \t]{1,20}+(?=[\"']))?"
    r"|,?\s{1,60}+[\"']?[vV]alue[\"']?[ \t]{0,5}+[:=][ \t]{0,5}+"
    r"|,[ \t]{0,5}+(?=\\{0,3}+[\"'`])|>|[ \t]{1,8}+(?:is|was)[ \t:]{1,4}|[ \t]{1,8}+)"
)
_VALUE = Lazy(
    r"(?:(?P<pre>(?:(?:new )?(?:String|Secret|Buffer|std::string|b64decode)[A-Za-z:.]{0,30}+\()?"
    r"[a-zA-Z@$]{0,2}+\\{0,3}+)"
    r"(?P<quote>\"{3}|[\"'`]))?"
    r"(?P<value>(?(quote)[^\"'`\n\\]{1,300}+"
    r"|[^\s\"'`<>;&\\=]{1,300}+(?:={1,3}+[^\s\"'`<>;&\\=]{1,100}+)?={0,3}+))"
)
_QUOTE = Lazy(r"[\"'`]")
_REST = Lazy(r"[^\s\"'`<>;&\\]{0,8000}+")
"""What is judged of a value is its beginning."""
_SUFFIX = Lazy(
    r"(?:[_.-]?(?:[0-9]{1,3}|prod|production|prd|dev|staging|stage|stg|qa|live|value|b64|base64|plain|raw|old|new|default|string|base))\Z"
)
_STRONG = Lazy(
    r"(?:password|passwd|passwort|passphrase|passcode|pwd|secret|secretkey|secretvalue|credentials?|authtok|psk)\Z|(?:^|[a-z0-9])(?:db|smtp|user|root|admin|mysql|pg|redis|ftp|mail|login|key|store|my)pass\Z|^pass\Z|[_.-]pass\Z"
)
_KEYED = Lazy(r"(?:token|apikey|authkey|authtoken|auth)\Z|key\Z")
_HARMLESS = Lazy(
    r"public|publishable|primary|foreign|cache|sort|partition|hash|idempot|row|object|lookup|index|unique|i18n|translat|shard"
    r"|group|keyid|next|continu|cancel|page|csrf|xsrf|sync|device|push|max|min|num|count|total|event|field|column|dict|map"
    r"|sitekey|applicationserver|hotkey|keypress|monkey|turkey|tokenizer|parser|lexer|bypass|compass|storagekey|localstorage|integrity|content"
)
_BARE = Lazy(r"^(?:key|auth|token)\Z")
_EXPRESSION = Lazy(
    r"[A-Za-z_$][\w$]{0,60}+(?:[(\[]|\.[A-Za-z_]|->|::)|[A-Za-z_][A-Za-z_]{0,60}+\Z|[A-Z][A-Za-z]{0,30}(?:[!?]?\Z|[\[|])"
)
_NAMED_HASH = Lazy(r"(?:[A-Za-z]{1,20}+-){1,6}[0-9a-f]{32,64}+\Z")
"""What a cache is known by."""
_CODE_NAME = Lazy(r"[a-z_][a-z0-9_]{0,60}\Z")
_WITHOUT_JOINTS = str.maketrans("", "", "_-.")
_SETTERS = ("set", "with", "put", "add", "use", "pass", "pwd", "secret", "token", "api", "key", "auth", "access", "_")
"""How a function's name begins that takes a secret."""
_LONGEST_NAME = 160
_LEAST = {"strong": 5, "keyed": 16, "bare": 24}
"""Characters of a value, by how much its name says."""
_SETTINGS = (
    "machine ",
    "login ",
    "env ",
    "setx ",
    "set ",
    "arg ",
    "requirepass",
    "masterauth",
    "password ",
    "create role ",
    "create user ",
    "alter role ",
    "alter user ",
)
_SPEECH = Lazy(
    r"\b(?:is|are|must|should|your|the|enter|invalid|required|please|cannot|not|for|with|new|at|to|or|and|incorrect|wrong|forgot|of|in)\b",
    re.IGNORECASE,
)


class _Form(NamedTuple):
    """How a value is written: behind which sign, in quotation marks or not, without blanks around the sign or with."""

    sep: str
    quoted: bool
    tight: bool


def assigned(text: str, lowered: str, found: Found) -> Iterator[Span]:
    """Kind, start and end of each value that is a secret by its name.

    Args:
        text: to be searched.
        lowered: the same in lower case, of the same length.
        found: so far.
    """
    known: dict[int, int] = {}
    kinds: dict[str, str | None] = {}
    for word in NAMES:
        after = _AFTER().match
        size = len(word)
        at = lowered.find(word)
        while at >= 0:
            done = at + size
            match = after(text, done)
            if match is not None:
                end = known.get(match.end())  # a name of two such words is one name
                if end is None:
                    span = _judged(text, lowered, at, match, found, kinds)
                    end = known[match.end()] = span[2] if span else 0
                    if span:
                        yield span
                done = max(done, end)
            at = lowered.find(word, done)


def _judged(
    text: str, lowered: str, at: int, after: re.Match[str], found: Found, kinds: dict[str, str | None]
) -> Span | None:
    sep = after["sep"].strip()
    if sep in ("(", ",") and not _QUOTE().search(text, after.end(), after.end() + 80):
        return None
    begin = _begin_of_name(text, lowered, at, sep)
    if begin is None:
        return None
    edge = _edge(text, begin, at)
    if edge.endswith("${") or (edge.endswith(":") and sep in (":", ",")):
        return None  # a reference with a default; a part of a longer name
    name = lowered[begin : after.end("tail")]
    if name not in kinds:
        kinds[name] = _kind_of(name)
    kind = kinds[name]
    match = _VALUE().match(text, after.end()) if kind else None
    if kind is None or match is None or match.end("value") - match.start("value") < _LEAST[kind]:
        return None
    if _is_apart(sep, name, edge, match["quote"], after["close"]):
        return None
    start, end = match.start("value"), _end_of_value(text, match, sep, text[begin : after.end("tail")])
    value = text[start:end]
    if len(value) < _LEAST[kind]:
        return None
    form = _Form(sep, match["quote"] is not None, after["sep"] == sep)
    if not found.is_worn_out(len(value)) and (not _is_secret(kind, value, form) or is_placeholder(value)):
        return None
    rest = _REST().match(text, end) if end - start >= 300 else None
    return ("assigned_password" if kind == "strong" else "assigned_key"), start, rest.end() if rest else end


def _begin_of_name(text: str, lowered: str, at: int, sep: str) -> int | None:
    """Where the name around a word begins; None where only a blank stands behind it that means nothing."""
    first = max(0, at - _LONGEST_NAME)
    if not sep and text.rfind("-", first, at) < 0 and not _is_setting(lowered, first, at):
        return None
    begin = at
    if at and text[at - 1] in _NAME_CHARS:
        begin = first + len(text[first:at].rstrip(_NAME_CHARS))
    if not sep and not text.startswith("-", begin, at) and not _is_setting(lowered, first, at):
        return None
    return begin


def _edge(text: str, begin: int, at: int) -> str:
    """The two characters before a name."""
    first = max(0, at - _LONGEST_NAME)
    if begin - first >= 2:
        return text[begin - 2 : begin]
    return "" if begin < at else text[first:begin]


def _end_of_value(text: str, match: re.Match[str], sep: str, name: str) -> int:
    """Where a value ends; where it begins, if it is none."""
    start, end = match.span("value")
    if match["quote"] is None:
        return start if text[start] in "([{*" else start + len(_bare(text[start:end], text[start - 1 : start], name))
    if end == len(text) or (sep == "," and name.lower().strip("_.-$") == "pass"):
        return start  # nothing closes the quotation; a statement of Python
    return end


def _is_apart(sep: str, name: str, edge: str, quote: str | None, close: str) -> bool:
    """Whether the sign behind a name is no sign that a value follows."""
    if sep in ("(", ","):
        return (
            quote is None
            or (sep == "(" and not name.rpartition(".")[2].startswith(_SETTERS))
            or name.endswith(("_pass", "getpass"))
        )
    if sep == ">":
        return edge[-1:] not in ("<", ":")  # an element of XML, its name space included
    return quote is not None and edge[-1:] == quote and quote not in close  # the end of a quotation that holds the name


def _is_setting(lowered: str, first: int, at: int) -> bool:
    """Whether a line is one of those in which a blank stands between a name and its value."""
    line = lowered.rfind("\n", first, at)
    return lowered[line + 1 if line >= 0 else first : at].lstrip().startswith(_SETTINGS)


def _kind_of(name: str) -> str | None:
    plain = _SUFFIX().sub("", name.strip("_.-$"))
    bare = plain.replace("_", "").replace("-", "").replace(".", "")
    if _STRONG().search(bare) or _STRONG().search(plain):
        return None if "public" in bare else "strong"
    if _KEYED().search(bare) and not _HARMLESS().search(bare):
        return "bare" if _BARE().search(bare) else "keyed"
    return None


def _bare(value: str, before: str, name: str) -> str:
    """An unquoted value without what ends a statement or a list around it."""
    if name.upper() != name:
        value = value.partition(",")[0] if "," in value and not before.isspace() else value
    return value.rstrip(",.)}]:")


def _is_secret(kind: str, value: str, form: _Form) -> bool:
    if kind != "strong":
        return _is_key(kind, value, quoted=form.quoted)
    if " " in value:
        return form.quoted and _is_phrase(value)
    if len(value) < 5 or "://" in value:
        return False
    if value.translate(_WITHOUT_JOINTS).isalpha():
        return _is_telling_word(value, form)
    if value.lower().strip("_-0123456789") in ("password", "passwd", "secret", "pwd"):
        return False
    if form.quoted:
        return not value.startswith(("/", "./", "#", "."))
    if form.sep in (":", ">", "is", "was", "is:", "was:"):
        return len(value) >= 6 and not _EXPRESSION().match(value)
    if not form.tight and _CODE_NAME().match(value):
        return is_random(value, 12)
    return not _EXPRESSION().match(value) and not value.startswith(("/", "-", "./"))


def _is_phrase(value: str) -> bool:
    """Whether a value of several words is a passphrase, and no sentence about one."""
    plain = value.isascii() and "?" not in value and not _SPEECH().search(value)
    return plain and len(value) >= 12 and value.count(" ") <= 8


def _is_telling_word(value: str, form: _Form) -> bool:
    """A value of letters alone: an ordinary word or a name is none; mixed or long ones are."""
    upper = sum(map(str.isupper, value[1:]))
    mixed = upper >= 3 and upper < len(value) - 2
    if not value.isalpha():
        return value.count("-") >= 3 or (mixed and is_random(value, 16))
    if mixed and is_random(value, 10):
        return True
    least = 9 if form.tight and form.sep == "=" and not form.quoted else 16  # a line of an environment file is no prose
    return value.islower() and least <= len(value) <= 40


def _is_key(kind: str, value: str, *, quoted: bool) -> bool:
    if "://" in value or value.startswith(("/", "./", "sha256", "sha512", "sha1")) or " " in value:
        return False
    if _EXPRESSION().match(value) and not quoted:
        return False
    if kind == "bare":
        if _NAMED_HASH().match(value):
            return False
        return is_random(value, 24) and (_is_login(value) or not _is_hash(value))
    return is_random(value) or (_is_hash(value) and not value.isdigit())


def _is_hash(value: str) -> bool:
    return len(value) >= 16 and all(char in "0123456789abcdefABCDEF-" for char in value)


def _is_login(value: str) -> bool:
    """Whether it is a user and a password in base64, as HTTP's basic authentication writes them."""
    return login_of(value) is not None


def login_of(value: str) -> str | None:
    """The password of `user:password` in base64; None where it is none."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    user, colon, password = plain.partition(":")
    return password if colon and user and password and plain.isprintable() else None
