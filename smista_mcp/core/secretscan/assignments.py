"""Values that are secret by their name: `DB_PASSWORD=...`, `"api_key": "..."`, `--token ...`, `Password=...;`."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from smista_mcp.core.secretscan.placeholders import is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

NAMES = ("pass", "pwd", "secret", "token", "key", "credential", "auth")
"""In lower case, one of them is in every name that makes a value a secret."""

_QUOTES = "\"'`"
_NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-$"
_AFTER = Lazy(
    r"(?P<tail>[A-Za-z0-9_.-]{0,40}+)"
    r"(?P<close>\\{0,3}+[\"'`]?\]?)"
    r"(?P<sep>[ \t]{0,20}+(?::[ \t]{0,4}+[A-Za-z]{2,10}[ \t]{0,4}+=|:=|=>|={1,3}+|::?|%3[Dd]|\()"
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
_REST = Lazy(r"[^\s\"'`<>;&\\]{0,8000}+")
"""What is judged of a value is its beginning."""
_SUFFIX = Lazy(
    r"(?:[_.-]?(?:[0-9]{1,3}|prod|production|prd|dev|staging|stage|stg|qa|live|value|b64|base64|plain|raw|old|new|default|string|base))\Z"
)
_STRONG = Lazy(
    r"(?:password|passwd|passwort|passphrase|passcode|pwd|secret|secretkey|secretvalue|credentials?)\Z|(?:^|[a-z0-9])(?:db|smtp|user|root|admin|mysql|pg|redis|ftp|mail|login|key|store|my)pass\Z|^pass\Z|[_.-]pass\Z"
)
_KEYED = Lazy(r"(?:token|apikey|authkey|authtoken|auth)\Z|key\Z")
_HARMLESS = Lazy(
    r"public|publishable|primary|foreign|cache|sort|partition|hash|idempot|row|object|lookup|index|unique|i18n|translat|shard"
    r"|group|keyid|next|continu|cancel|page|csrf|xsrf|sync|device|push|max|min|num|count|total|event|field|column|dict|map"
    r"|sitekey|hotkey|keypress|monkey|turkey|tokenizer|parser|lexer|bypass|compass|storagekey|localstorage|integrity|content"
)
_BARE = Lazy(r"^(?:key|auth|token)\Z")
_EXPRESSION = Lazy(
    r"[A-Za-z_$][\w$]{0,60}+(?:[(\[]|\.[A-Za-z_]|->|::)|[A-Za-z_][A-Za-z_]{0,60}+\Z|[A-Z][A-Za-z]{0,30}(?:[!?]?\Z|[\[|])"
)
_CODE_NAME = Lazy(r"[a-z_][a-z0-9_]{0,60}\Z")
_WITHOUT_JOINTS = str.maketrans("", "", "_-.")
_SETTERS = ("set", "with", "put", "add", "use", "pass", "pwd", "secret", "token", "api", "key", "auth", "access", "_")
"""How a function's name begins that takes a secret."""
_LEAST = {"strong": 5, "keyed": 16, "bare": 24}
"""Characters of a value, by how much its name says."""
_SETTINGS = ("machine ", "login ", "env ", "setx ", "set ", "arg ", "requirepass", "masterauth", "password ")
_SPEECH = Lazy(
    r"\b(?:is|are|must|should|your|the|enter|invalid|required|please|cannot|not|for|with|new|at|to|or|and|incorrect|wrong|forgot|of|in)\b",
    re.IGNORECASE,
)


class _Form(NamedTuple):
    """How a value is written: behind which sign, in quotation marks or not, without blanks around the sign or with."""

    sep: str
    quoted: bool
    tight: bool


def assigned(text: str, lowered: str) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of each value that is a secret by its name.

    Args:
        text: to be searched.
        lowered: the same in lower case, of the same length.
    """
    for word in NAMES:
        at = lowered.find(word)
        while at >= 0:
            after = _AFTER().match(text, at + len(word))
            done = at + len(word)
            for span in _judged(text, lowered, at, after) if after else ():
                yield span
                done = max(done, span[2])
            at = lowered.find(word, done)


def _judged(text: str, lowered: str, at: int, after: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    before = text[max(0, at - 160) : at]
    head = before[len(before.rstrip(_NAME_CHARS)) :]
    sep = after["sep"].strip()
    if not sep and not head.startswith("-") and not _is_setting(before):
        return
    edge = before[len(before) - len(head) - 2 : len(before) - len(head)]
    if edge.endswith("${") or (edge.endswith(":") and sep in (":", ",")):
        return  # a reference with a default; a part of a longer name
    name = head.lower() + lowered[at : after.end("tail")]
    kind = _kind_of(name)
    found = _VALUE().match(text, after.end()) if kind else None
    if kind is None or found is None:
        return
    quoted = found["quote"] is not None
    if _is_apart(sep, name, edge, found["quote"], after["close"]):
        return
    start, end = found.span("value")
    if not quoted:
        if text[start] in "([{*":
            return
        end = start + len(_bare(text[start:end], text[start - 1 : start], text[at - len(head) : after.end("tail")]))
    elif end == len(text) or (name.strip("_.-$") == "pass" and sep == ","):
        return  # nothing closes the quotation; a statement of Python
    value = text[start:end]
    if len(value) < _LEAST[kind]:
        return
    if not is_placeholder(value) and _is_secret(kind, value, _Form(sep, quoted, after["sep"] == sep)):
        rest = _REST().match(text, end) if end - start >= 300 else None
        yield ("assigned_password" if kind == "strong" else "assigned_key"), start, rest.end() if rest else end


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


def _is_setting(before: str) -> bool:
    """Whether a line is one of those in which a blank stands between a name and its value."""
    return before.rpartition("\n")[2].lstrip().lower().startswith(_SETTINGS)


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
