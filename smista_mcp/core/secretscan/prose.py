"""Secrets that people tell in sentences: "the password for root is ...", in the languages of the reader."""

import re
from collections.abc import Iterator

from smista_mcp.core.secretscan.placeholders import is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

_PASSWORD_WORDS = (
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
    r"[^\n:=.;,(){}\[\]<>\"'`]{0,40}?(?:[:=：]|\b(?:is|was|ist|lautet|est|es|è|é|jest|är|er)\b|は|是|은|는|—)"
    r"[ \t]{0,3}[\"'`«„“]?(?P<value>[!-~]{6,80}+)",
    re.IGNORECASE,
)


def told_in_words(text: str, lowered: str) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of each value that a sentence calls a password or a key."""
    for kind, words in (("told_password", _PASSWORD_WORDS), ("told_key", _KEY_WORDS)):
        for word in words if not text.isascii() else filter(str.isascii, words):
            at = lowered.find(word)
            while at >= 0:
                found = _SAID().match(text, at + len(word))
                value = found["value"].rstrip(".,;:!?)]}\"'`»”") if found else ""
                if found and _is_secret(kind, value):
                    yield kind, found.start("value"), found.start("value") + len(value)
                at = lowered.find(word, at + len(word))


def _is_secret(kind: str, value: str) -> bool:
    if is_placeholder(value) or "://" in value or value.startswith(("/", "./", "-", "$", "@", "#", "(", "[", "{", "<")):
        return False
    if kind == "told_key":
        return is_random(value, 20) and not any(mark in value for mark in "()[]{}<>\"'=;")
    digits, letters = sum(map(str.isdigit, value)), sum(map(str.isalpha, value))
    signs = sum(mark in "!#%&*+~^?$@" for mark in value)
    return (
        len(value) >= 7 and letters >= 2 and bool(digits) and (bool(signs) or is_random(value, 8)) and "(" not in value
    )
