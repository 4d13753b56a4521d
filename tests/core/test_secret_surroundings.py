"""Where secrets stand in repositories, and what stands there that is none: templates, filled by lot."""

import base64
import json
import random
import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from smista_mcp.core.secretscan import scan

SURROUNDINGS: dict[str, list[str]] = json.loads(
    (Path(__file__).parent / "secret_surroundings.json").read_text(encoding="utf-8")
)
_LETTERS = string.ascii_letters + string.digits
_NOUNS = "Sommer Kestrel Berenjena Otter Falke Runde Winter Tulpe Granit Nevada".split()
_WORDS = "correct harbor lantern granite willow copper meadow rocket amber violin".split()


def _drawn(lot: random.Random, size: int, letters: str = _LETTERS) -> str:
    return "".join(lot.choices(letters, k=size))


def _mixed(lot: random.Random, size: int) -> str:
    """Digits, small letters and capitals, two digits at least."""
    parts = _drawn(lot, size - 4) + _drawn(lot, 2, string.digits) + lot.choice("ABCXYZ") + lot.choice("abcxyz")
    return "".join(lot.sample(parts, len(parts)))


def _chosen(lot: random.Random) -> str:
    """As people choose a password."""
    noun = lot.choice(_NOUNS)
    return lot.choice(
        (f"{noun}!{lot.randint(1000, 9999)}", f"{noun}#{_mixed(lot, 6)}", f"{_mixed(lot, 5)}&{_mixed(lot, 6)}")
    )


def _base64(lot: random.Random, size: int) -> str:
    return base64.b64encode(lot.randbytes(size // 4 * 3))[:size].decode()


VALUES: dict[str, Callable[[random.Random], str]] = {
    "pw": lambda lot: _mixed(lot, lot.randint(10, 20)),
    "pw2": lambda lot: _mixed(lot, 12),
    "pw8": lambda lot: _mixed(lot, 8),
    "sym": _chosen,
    "words": lambda lot: " ".join(lot.sample(_WORDS, 5)),
    "words_": lambda lot: "-".join(lot.sample(_WORDS, 4)) + str(lot.randint(10, 99)),
    "djk": lambda lot: _drawn(lot, 50, string.ascii_lowercase + string.digits + "!@#^&*-_+"),
    "wpkey": lambda lot: _drawn(lot, 64, _LETTERS + "!@#^&*()-_[]~+,.:/?|"),
    "rclone": lambda lot: _mixed(lot, 32),
    "uuid": lambda lot: "-".join(_drawn(lot, size, "0123456789abcdef") for size in (8, 4, 4, 4, 12)),
    "apple": lambda lot: "-".join(_drawn(lot, 4, string.ascii_lowercase) for _ in range(4)),
    "base32": lambda lot: _drawn(lot, 32, string.ascii_uppercase + "234567"),
    "b64login": lambda lot: base64.b64encode(f"kim:{_mixed(lot, 14)}".encode()).decode(),
    "b64pem": lambda lot: base64.b64encode(f"-----BEGIN EC PRIVATE KEY-----\n{_base64(lot, 160)}".encode()).decode(),
    "md5crypt": lambda lot: f"$1${_mixed(lot, 6)}${_mixed(lot, 22)}",
    "apr": lambda lot: f"{_mixed(lot, 8)}${_mixed(lot, 22)}",
    "sha512crypt": lambda lot: f"{_mixed(lot, 8)}${_mixed(lot, 86)}",
}


def filled(template: str, seed: int) -> str:
    lot = random.Random(f"{seed}{template}")  # noqa: S311 - texts to test with are no keys

    def value(place: re.Match[str]) -> str:
        name = place[1]
        if name in VALUES:
            return VALUES[name](lot)
        size = int(re.sub(r"[^0-9]", "", name.removeprefix("b64_")) or 0)
        if name.startswith("hex"):
            return _drawn(lot, size, "0123456789abcdef")
        return _base64(lot, size) if name.startswith("b64_") else _mixed(lot, size)

    return re.sub("\u27e6([a-z0-9_]+)\u27e7", value, template)


@pytest.mark.parametrize("template", SURROUNDINGS["secret"])
def test_a_secret_is_found_wherever_it_stands(template: str) -> None:
    missed = [text for text in (filled(template, seed) for seed in range(3)) if not scan(text)]
    assert missed == []


@pytest.mark.parametrize("template", SURROUNDINGS["harmless"])
def test_what_only_stands_in_such_a_place_does_not_alarm(template: str) -> None:
    alarms = [text for text in (filled(template, seed) for seed in range(3)) if scan(text)]
    assert alarms == []
