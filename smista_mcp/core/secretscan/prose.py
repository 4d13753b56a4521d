"""Secrets that people tell in sentences: "the password for root is ...", in the languages of the reader."""

import re
from collections.abc import Iterator

from smista_mcp.core.secretscan.findings import Found, Span
from smista_mcp.core.secretscan.placeholders import is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

PASSWORD_WORDS = (
    *(
        "password",
        "passwort",
        "passphrase",
        "kennwort",
        "mot de passe",
        "contraseña",
        "senha",
        "palavra-passe",
        "wachtwoord",
    ),
    *(
        "hasło",
        "lösenord",
        "adgangskode",
        "parola",
        "пароль",
        "пароля",
        "パスワード",
        "密码",
        "密碼",
        "비밀번호",
        "şifre",
    ),
)
_KEY_WORDS = (
    *(
        "token",
        "api key",
        "api-key",
        "access key",
        "secret key",
        "schlüssel",
        "clé",
        "clave",
        "chiave",
        "chave",
        "ключ",
        "密钥",
    ),
    *("トークン", "토큰", "токен"),
)
_SAID = Lazy(
    r"(?!@)[^\n:=.;,(){}\[\]<>\"'`]{0,40}?(?:[:=：]|\b(?:is|was|ist|lautet|est|es|è|é|jest|är|er)\b|は|是|은|는|—)"
    r"[ \t]{0,3}[\"'`«„“]?(?P<value>[!-~]{6,80}+)",
    re.IGNORECASE,
)


_SIGN = Lazy(
    r"[:=：は是은는—iwleèéjä](?:(?<=[:=：は是은는—])|(?<=\bi)st?\b|(?<=\bw)as\b|(?<=\bl)autet\b|(?<=\be)(?:s|st|r)?\b"
    r"|(?<=\b[èé])\b|(?<=\bj)est\b|(?<=\bä)r\b)[ \t]{0,3}[\"'`«„“]?[!-~]{6}"
)
"""The second half of `_SAID` in lower case: where that is not, the whole need not be tried."""
_LONGEST_GAP = 40
_LONGEST_SAYING = 80
"""More characters than can stand between such a word and the value."""


def told_in_words(text: str, lowered: str, found: Found) -> Iterator[Span]:
    """Kind, start and end of each value that a sentence calls a password or a key."""
    last = len(text)
    for kind, words in (("told_password", PASSWORD_WORDS), ("told_key", _KEY_WORDS)):
        for word in words if not text.isascii() else filter(str.isascii, words):
            size, sign = len(word), -1
            at = lowered.find(word)
            while at >= 0:
                done = at + size
                if sign < done:
                    next_sign = _SIGN().search(lowered, done) if done < last else None
                    sign = next_sign.start() if next_sign else len(text) + _LONGEST_SAYING
                    last = last if next_sign else min(last, done)
                match = _SAID().match(text, done) if sign - done <= _LONGEST_GAP else None
                value = match["value"].rstrip(".,;:!?)]}\"'`»”") if match else ""
                if match and value:
                    start, end = match.start("value"), match.start("value") + len(value)
                    if found.is_free(start, end) and (found.is_worn_out(len(value)) or _is_secret(kind, value)):
                        yield kind, start, end
                        done = max(done, end - _LONGEST_SAYING)
                at = lowered.find(word, done)


def _is_secret(kind: str, value: str) -> bool:
    if "://" in value or value.startswith(("/", "./", "-", "$", "@", "#", "(", "[", "{", "<")):
        return False
    if kind == "told_key":
        return (
            len(value) >= 20
            and not any(mark in value for mark in "()[]{}<>\"'=;")
            and not is_placeholder(value)
            and is_random(value, 20)
        )
    digits, letters = sum(map(str.isdigit, value)), sum(map(str.isalpha, value))
    if len(value) < 7 or letters < 2 or not digits or "(" in value:
        return False
    signs = any(mark in value for mark in "!#%&*+~^?$@")
    return not is_placeholder(value) and (signs or is_random(value, 8))
