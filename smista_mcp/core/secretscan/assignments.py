"""Values that are secret by their name: `DB_PASSWORD=...`, `"api_key": "..."`, `--token ...`, `Password=...;`."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from smista_mcp.core.secretscan.chosen import is_chosen
from smista_mcp.core.secretscan.findings import Found, Span
from smista_mcp.core.secretscan.placeholders import is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

NAMES = ("pass", "pw", "psk", "secret", "token", "key", "credential", "auth")
"""In lower case, one of them is in every name that makes a value a secret."""

_QUOTES = "\"'`"
_NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-$"
_AFTER = Lazy(
    r"(?P<tail>[A-Za-z0-9_.-]{0,40}+)"
    r"(?P<close>\\{0,3}+[\"'`]?\]?)"
    r"(?P<sep>:\s{0,20}+\{\s{0,20}+\\?\"[A-Za-z0-9.-]{3,60}+\\?\"[ \t]{0,4}+:[ \t]{0,4}+"
    r"|[ \t]{0,20}+(?::[ \t]{0,4}+(?:&(?:'static[ \t])?)?[A-Za-z]{2,10}[ \t]{0,4}+=|:=|=>|={1,3}+|::?|%3[Dd]|\()"
    r"[ \t]{0,20}+(?:\r?\n[ \t]{1,20}+(?=[\"']))?"
    r"|,?\s{1,60}+[\"']?[vV]alue[\"']?[ \t]{0,5}+[:=][ \t]{0,5}+"
    r"|[\"'`]?\]?[\"'`]?\)\.(?:fill|type|send_?keys|set_?value|press_?sequentially|(?:enter|type|replace)_?text)\("
    r"|</[A-Za-z]{1,10}+>\s{0,20}+<[A-Za-z]{1,10}+>|><[Vv]alue>"
    r"|[:*? ]{0,4}+\\?[\"'][)\s;,]{1,20}+(?:[a-z_]{1,20}+\.)?send(?:line)?[ \t(-]{1,5}+(?=[\"'])"
    r"|,[ \t]{0,5}+(?=\\{0,3}+[\"'`])|>|[ \t]{1,8}+(?:is|was|to(?=[ \t][\"']))[ \t:]{1,4}"
    r"|[ \t]{1,8}+(?:(?:ascii-text|[05-9])[ \t])?)"
)
_VALUE = Lazy(
    r"(?:(?P<pre>(?:(?:new )?(?:String|Secret|Buffer|std::string|b64decode)[A-Za-z:.]{0,30}+\()?"
    r"[a-zA-Z@$]{0,2}+\\{0,3}+)"
    r"(?P<quote>\"{3}|[\"'`]))?"
    r"(?P<value>(?(quote)[^\"'`\n\\]{1,300}+"
    r"|[^\s\"'`<>;&\\=]{1,300}+(?:={1,3}+[^\s\"'`<>;&\\=]{1,100}+)?={0,3}+))"
)
_MORE = Lazy(r"[^\s\"'`<>;\\]{1,200}+")
_WHOLE = Lazy(r"[,)}\]|?]")
_CLOSED = Lazy(r"\s{0,40}+(?:<|\Z)")
_REST = Lazy(r"[^\s\"'`<>;&\\]{0,8000}+")
"""What is judged of a value is its beginning."""
_SUFFIX = Lazy(
    r"(?:[_.-]?(?:[0-9]{1,3}|prod|production|prd|dev|staging|stage|stg|qa|live|value|b64|base64|plain|raw|pem|old|new|default|string|base))\Z"
)
_STRONG = Lazy(
    r"(?:password|passwd|passwort|passphrase|passcode|pwd|secret|secretkey|secretvalue|credentials?|authtok|masterauth|psk|sharedkey|(?:^|[a-z0-9_.-])pw)\Z|(?:^|[a-z0-9])(?:db|smtp|user|root|admin|mysql|pg|redis|ftp|mail|login|key|store|my|require|ssh|sudo|become|trust|wifi|wlan|ap|ldap|bind|imap|sasl|proxy|vnc|default)pass\Z|^pass\Z|[_.-]pass\Z"
)
_KEYED = Lazy(r"(?:token|apikey|authkey|authtoken|auth)\Z|key\Z")
_HARMLESS = Lazy(
    r"public|publishable|primary|foreign|cache|sort|partition|hash|idempot|(?<![bghlo])row|object|lookup|index|unique|i18n|translat|shard"
    r"|group|keyid|next(?!auth|cloud)|continu|cancel|page(?!r)|csrf|xsrf|sync|device|push|max(?!mind)|(?<!ad)min|num|(?<!ac)count|total|event(?!hub|grid)|field|column|dict|map(?!box|s)"
    r"|sitekey|pubkey|existing|applicationserver|hotkey|keypress|monkey|turkey|tokenizer|parser|lexer|bypass|compass|storagekey|localstorage|integrity|content"
)
_BARE = Lazy(r"^(?:key|auth|token)\Z")
_EXPRESSION = Lazy(
    r"[A-Za-z_$][\w$]{0,60}+(?:[(\[]|\.[A-Za-z_]|->|::)|[A-Za-z_][A-Za-z_]{0,60}+\Z|[A-Z][A-Za-z]{0,30}(?:[!?]?\Z|[\[|])"
)
_NAMED_HASH = Lazy(r"[A-Za-z](?>(?:[A-Za-z0-9_.]{0,30}+[-#]){1,12})[0-9a-f]{16,128}+\Z")
"""What a cache is known by."""
_FILE = Lazy(r"\.[a-z0-9]{1,5}\Z")
_APART = Lazy(r"\\{0,2}[\"'`«]?(?=[!-~]{5})[A-Za-z_.:/,;()=-]{0,60}+[^A-Za-z_.:/,;()=\s\"'`-]")
"""What is no word, behind a name and a blank."""
_CODE = frozenset("(){}[]<>=,;:")
_SLASHED = Lazy(r"/{1,2}[A-Za-z0-9+/]{23,120}+={0,2}\Z")
"""Base64 that looks like a path."""
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
    after, value_at, least = _AFTER().match, _VALUE().match, _LEAST["strong"]
    for word in NAMES:
        size = len(word)
        at = lowered.find(word)
        while at >= 0:
            done = at + size
            match = after(text, done)
            if match is not None:
                behind = match.end()
                value = value_at(text, behind)
                if value is not None and value.end() - value.start("value") >= least:
                    end = known.get(behind)  # a name of two such words is one name
                    if end is None:
                        span = _judged(text, lowered, at, match, value, found, kinds)
                        end = known[behind] = span[2] if span else 0
                        if span:
                            yield span
                    done = max(done, end)
            at = lowered.find(word, done)


def _judged(  # noqa: PLR0913, PLR0917 - a step of the loop above
    text: str,
    lowered: str,
    at: int,
    after: re.Match[str],
    match: re.Match[str],
    found: Found,
    kinds: dict[str, str | None],
) -> Span | None:
    if found.is_tired():
        return "assigned_password", *match.span("value")
    sep = after["sep"].strip()
    if not sep and _is_of_speech(text, lowered, at, after.end()):
        return None
    begin = _begin_of_name(text, at)
    name = lowered[begin : after.end("tail")]
    kind = kinds.get(name, "")
    if kind == "":
        kind = kinds[name] = _kind_of(name)
    if kind is None or match.end() - match.start("value") < _LEAST[kind]:
        return None
    edge = text[max(0, begin - 2) : begin]
    if _is_reference(edge, sep):
        return None
    if not (sep or text.startswith("-", begin, at) or _is_setting(lowered, at)):
        return _told(text, after, match, kind, found)
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


def _begin_of_name(text: str, at: int) -> int:
    """Where the name around a word begins."""
    if not at or text[at - 1] not in _NAME_CHARS:
        return at
    first = max(0, at - _LONGEST_NAME)
    return first + len(text[first:at].rstrip(_NAME_CHARS))


def _is_of_speech(text: str, lowered: str, at: int, behind: int) -> bool:
    """Whether a name is followed by a word, and stands neither in an option nor in a line of settings."""
    if _APART().match(text, behind):
        return False
    return text.rfind("-", max(0, at - _LONGEST_NAME), at) < 0 and not _is_setting(lowered, at)


def _is_reference(edge: str, sep: str) -> bool:
    """Whether a name is that of a variable with a default, or a part of a longer name."""
    return edge.endswith("${") or (edge.endswith(":") and (sep == "," or (sep == ":" and edge.strip() != ":")))


def _told(text: str, after: re.Match[str], match: re.Match[str], kind: str, found: Found) -> Span | None:
    """A value behind a name and a blank: that counts where it cannot be a word of a sentence."""
    if text[after.start("sep") - 1] == "." or not _APART().match(text, after.end()):
        return None  # another sentence, or nothing that could be one
    start, end = match.span("value")
    if match["quote"] is None:
        more = _MORE().match(text, end) if text.startswith("&", end) else None
        end = start + len(text[start : more.end() if more else end].rstrip(",.)}]:;&"))
    value = text[start:end]
    if not found.is_free(start, end):
        return None
    if found.is_worn_out(2 * len(value)):
        return "assigned_password", start, end
    if kind == "strong":
        return ("assigned_password", start, end) if is_chosen(value) else None
    plain = (
        len(value) >= 24
        and is_random(value, 24)
        and not _is_hash(value.removeprefix("0x"))
        and not is_placeholder(value)
    )
    return (
        ("assigned_key", start, end) if plain and not _NAMED_HASH().match(value) and _CODE.isdisjoint(value) else None
    )


def _end_of_value(text: str, match: re.Match[str], sep: str, name: str) -> int:
    """Where a value ends; where it begins, if it is none."""
    start, end = match.span("value")
    if match["quote"] is None:
        if text[start] in "([{*" or (sep == ">" and not _is_closed(text, start, end)):
            return start
        if sep == ":" and text[end : end + 1] == "&" and text[start - 1].isspace():
            more = _MORE().match(text, end)
            end = more.end() if more else end
        return start + len(_bare(text[start:end], text[start - 1 : start], name, sep))
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
        return edge[-1:] not in ("<", ":") and not (
            close and close in edge
        )  # an element of XML, or an attribute of one
    return quote is not None and edge[-1:] == quote and quote not in close  # the end of a quotation that holds the name


def _is_setting(lowered: str, at: int) -> bool:
    """Whether a line is one of those in which a blank stands between a name and its value."""
    first = max(0, at - _LONGEST_NAME)
    line = lowered.rfind("\n", first, at) + 1 or first
    while line < at and lowered[line] in " \t+-":
        line += 1
    return lowered.startswith(_SETTINGS, line)


def _kind_of(name: str) -> str | None:
    plain = _SUFFIX().sub("", name.strip("_.-$"))
    bare = plain.replace("_", "").replace("-", "").replace(".", "")
    if _STRONG().search(bare) or _STRONG().search(plain):
        return None if "public" in bare else "strong"
    if _KEYED().search(bare) and not _HARMLESS().search(bare):
        return "bare" if _BARE().search(bare) else "keyed"
    return None


def _is_closed(text: str, start: int, end: int) -> bool:
    """Whether a tag stands behind what is in an element."""
    return text[start] != "@" and _CLOSED().match(text, end) is not None


def _bare(value: str, before: str, name: str, sep: str) -> str:
    """An unquoted value without what ends a statement or a list around it."""
    if sep == ":" and before == ":":  # in code without blanks
        value = _WHOLE().split(value, 1)[0]
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
    plain = value.isascii() and "?" not in value and not _SPEECH().search(value) and "pass" not in value.lower()
    if value in ("keyboard cat", "correct horse battery staple"):
        return False
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
    if "://" in value or value.startswith(("./", "sha256", "sha512", "sha1")) or " " in value:
        return False
    if "/" in value and (_FILE().search(value) or (value[0] == "/" and not _SLASHED().match(value))):
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
