"""Secrets that people tell in sentences: "the password for root is ...", in the languages of the reader."""

from collections.abc import Iterator

from smista_mcp.core.secretscan.chosen import is_chosen
from smista_mcp.core.secretscan.findings import Found, Span
from smista_mcp.core.secretscan.placeholders import is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

PASSWORD_WORDS = (
    *("password", "passwort", "passphrase", "kennwort", "mot de passe", "mdp", "contrase", "clave", "senha"),
    *("palavra-passe", "wachtwoord", "parola", "passord", "adgangskode", "salasana", "heslo", "heslem", "jelsz"),
    *(
        "lozinka",
        "kata sandi",
        "contraseñ",
        "hasł",
        "lösenord",
        "парол",
        "гасло",
        "パスワード",
        "パスフレーズ",
        "合言葉",
    ),
    *("暗証", "密码", "密碼", "口令", "비밀번호", "암호", "şifre", "mật khẩu", "รหัสผ่าน", "كلمة المرور", "كلمة السر"),
    *("סיסמ", "पासवर्ड", "κωδικ", "wlan-schlüssel", "netzwerkschlüssel", "salasana on", "parola d'ordine"),
)
"""Such words, or how they begin where endings follow."""
_KEY_WORDS = (
    *("token", "api key", "api-key", "access key", "secret key", "clave", "chiave", "chave", "sleutel", "llave"),
    *(
        "klucz",
        "anahtar",
        "schlüssel",
        "clé",
        "ключ",
        "密钥",
        "秘钥",
        "令牌",
        "アクセスキー",
        "トークン",
        "토큰",
        "токен",
    ),
)
_SIGN = Lazy(
    r"[:=：「『は是为為은는—→iwtelj\u00e0\u00e8\u00e9\u00e4ao\u0647ह](?:(?<=[:=：「『は是为為은는—→])|(?<=\bi)st?\b|(?<=\bw)a[sr]\b"
    r"|(?<=\bt)o\b|(?<=\bl)(?:autet|à)\b|(?<=\be)(?:s|r|st|ra|ste)?\b|(?<=\b[èé])\b|(?<=\bj)e(?:st)?\b|(?<=\bä)r\b"
    r"|(?<=\bo)lan\b|(?<=\ba)dalah\b|(?<=\u0647)[يو]|(?<=ह)ै)[ \t]{0,3}[\"'`«„“”「『]{0,2}(?P<value>[!-~]{6,80}+)"
)
"""A sign or a word that says what something is, in lower case, and a value behind it."""
_STOP = frozenset("\n:=.;,(){}[]<>\"'`")
"""No such character stands between a word and such a sign."""
_NEXT = Lazy(
    r"(?:[a-zñ]{0,4}+[ \t]{1,3}|[^\x00-\x7f]{0,6}+[ \t]{0,3}(?<![!-~]))[\"'`«„“”「『]{0,2}"
    r"(?=[A-Za-z]{0,80}+[!-@\[-`{-~])(?P<value>[!-~]{6,80}+)"
)
"""A value right behind such a word and its ending."""
_OTHER = Lazy(
    r"@|[ _-]?(?:ids?|url|uri|name|type|file|path|header|endpoint|hash|count|ttl|expir|issuer|regex|pattern|policy)"
    r"|[^\n]{0,40}(?:\bsha-?(?:1|256|512)\b|\bmd5\b|\blike\b|\bsuch as\b|\bexample\b)"
)
"""Between such a word and a value: what says that it is none of these."""
_LONGEST_GAP = 40
_LONGEST_SAYING = 80
"""More characters than can stand between such a word and the value."""
_BEHIND = ".,;:!?)]}\"'`»”"
_PAIRED = (
    *("cred", "login", "log in", "logging", "zugang", "anmeld", "identifiant", "user", "usuario", "usuário", "utente"),
    *("account", "wlan", "wi-fi", "wifi", "ssid", "логин", "账号", "帳號", "ログイン"),
)
_PAIR = Lazy(r" [/|] [\"'`]?(?=[A-Za-z_.-]{0,80}+[^A-Za-z_.\s-])(?P<value>[!-~]{6,80}+)")
_NEAR = 60


def told_in_words(text: str, lowered: str, found: Found) -> Iterator[Span]:
    """Kind, start and end of each value that a sentence calls a password or a key."""
    last = len(text)
    for kind, words in (("told_password", PASSWORD_WORDS), ("told_key", _KEY_WORDS)):
        for word in words if not text.isascii() else filter(str.isascii, words):
            size, sign = len(word), None
            at = lowered.find(word)
            while at >= 0:
                done = at + size
                if (sign is None or sign.start() < done) and done < last:
                    sign = _SIGN().search(lowered, done)
                    last = last if sign else done
                said = (
                    sign is not None
                    and 0 <= sign.start() - done <= _LONGEST_GAP
                    and _is_clear(lowered, done, sign.start())
                )
                match = sign if said else _NEXT().match(lowered, done)
                if match is not None:
                    start = match.start("value")
                    end = start + len(match["value"].rstrip(_BEHIND))
                    if found.is_free(start, end) and (
                        found.is_worn_out((1 if said else 2) * (end - start))
                        or _is_secret(kind, text[start:end], said=said)
                    ):
                        yield kind, start, end
                        done = max(done, end - _LONGEST_SAYING)
                at = lowered.find(word, done)
    yield from _paired(text, lowered, found)


def _is_clear(lowered: str, start: int, end: int) -> bool:
    gap = lowered[start:end]
    return _STOP.isdisjoint(gap) and not _OTHER().match(gap)


def _paired(text: str, lowered: str, found: Found) -> Iterator[Span]:
    """Passwords behind a user and a stroke: `login: admin / ...`."""
    if not any(map(lowered.__contains__, _PAIRED)):
        return
    for sign in (" / ", " | "):
        at = text.find(sign)
        while at >= 0:
            match = _PAIR().match(text, at)
            if match and any(map(lowered[max(0, at - _NEAR) : at].rpartition("\n")[2].__contains__, _PAIRED)):
                value = match["value"].rstrip(_BEHIND)
                if found.is_worn_out(len(value)) or is_chosen(value, said=True):
                    yield "told_password", match.start("value"), match.start("value") + len(value)
            at = text.find(sign, at + 3)


def _is_secret(kind: str, value: str, *, said: bool) -> bool:
    if "://" in value or value.startswith(("/", "./", "-", "$", "@", "#", "(", "[", "{", "<")):
        return False
    if kind == "told_key":
        return (
            len(value) >= 20
            and not any(mark in value for mark in "()[]{}<>\"'=;")
            and not is_placeholder(value)
            and is_random(value, 20)
        )
    return is_chosen(value, said=said)
