import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.tokens import count_tokens

ROOT = Path(__file__).parents[2]
STDLIB = Path(sysconfig.get_paths()["stdlib"])
PACKAGES = Path(sysconfig.get_paths()["purelib"])
KINDS = (".py", ".txt", ".md", ".json", ".html", ".css", ".js", ".toml", ".yaml", ".xml", ".rst", ".c", ".h")
PER_KIND = 25


def texts_of(folder: Path, suffix: str) -> Iterator[str]:
    """An even spread of at most 25 files of a kind, none so small that one token decides."""
    files = sorted(file for file in folder.rglob(f"*{suffix}") if 2_000 < file.stat().st_size < 80_000)
    for file in files[:: max(1, len(files) // PER_KIND)]:
        try:
            yield file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def generated() -> Iterator[str]:
    """Kinds that no checkout is sure to hold."""
    rows = [{"id": n, "name": f"item_{n:03}", "price": n * 1.25, "tags": ["new", "sale"][: n % 3]} for n in range(200)]
    yield json.dumps(rows)
    yield json.dumps(rows, indent=2)
    yield json.dumps([n / 7 for n in range(400)])
    yield "\n".join(f"{n},item_{n:03},{n * 1.25:.2f},2026-11-{n % 28 + 1:02}" for n in range(200))
    yield "\n".join(f"- name: {row['name']}\n  price: {row['price']}\n  enabled: true" for row in rows)
    yield "".join(
        f'<li class="item" id="i{row["id"]}"><a href="/item/{row["id"]}">{row["name"]}</a></li>' for row in rows
    )
    own = (ROOT / "smista_mcp" / "core" / "globs" / "dialect.py").read_text(encoding="utf-8").splitlines()
    yield "\n".join("+" + line if at % 7 == 0 else " " + line for at, line in enumerate(own))


def test_the_estimate_is_within_a_quarter_of_a_real_tokenizer_on_96_files_of_100() -> None:
    o200k = pytest.importorskip("rs_bpe.bpe", reason="no wheel of rs-bpe for this Python").openai.o200k_base()
    texts = list(generated())
    for suffix in KINDS:
        for folder in (
            ROOT / "smista_mcp",
            ROOT / "tests",
            STDLIB / "email",
            STDLIB / "json",
            STDLIB / "idlelib",
            PACKAGES,
        ):
            texts += texts_of(folder, suffix)
    ratios = sorted(count_tokens(text) / o200k.count(text) for text in texts)
    assert len(ratios) > 100
    assert sum(0.75 <= ratio <= 1.25 for ratio in ratios) >= 0.96 * len(ratios)
    assert 0.9 <= ratios[len(ratios) // 2] <= 1.1
    assert ratios[len(ratios) // 20] >= 0.75


LOWER, UPPER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
NO_LANGUAGE = (
    LOWER, UPPER, LOWER + UPPER, LOWER + UPPER + DIGITS + "+/", "0123456789abcdef", DIGITS,
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "\x00\x01\x02", "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "αβγδεζηθικλμνξοπρστυφχψω", "àáâãäåæçèéêëìíîï",
    "".join(map(chr, range(0x1F300, 0x1F5FF))), " ", "\n",
)  # fmt: skip


@pytest.mark.parametrize("letters", NO_LANGUAGE, ids=range(len(NO_LANGUAGE)))
def test_what_no_vocabulary_knows_is_not_taken_for_words(letters: str) -> None:
    o200k = pytest.importorskip("rs_bpe.bpe", reason="no wheel of rs-bpe for this Python").openai.o200k_base()
    drawn = Random(1)  # noqa: S311  nothing secret is drawn
    text = "".join(drawn.choice(letters) for _ in range(20_000))
    assert 0.6 <= count_tokens(text) / o200k.count(text) <= 1.4


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("fix the bug", 3),
        (
            "Plan the new login flow, implement it in src/login.rs with tests, review src/auth, then the changelog",
            22,
        ),
        ("Bitte überarbeite die Prüfung der Schlüssel", 8),
        ("Écris les tests du module d'authentification et vérifie la clé", 16),
        ("修复登录错误", 4),
        ("const userName = getCurrentUser(HTTPServer);", 9),
    ],
)
def test_a_short_prompt_is_estimated_within_a_few_tokens(text: str, true: int) -> None:
    assert abs(count_tokens(text) - true) <= 3


def test_nothing_costs_nothing() -> None:
    assert count_tokens("") == 0
    assert count_tokens("x") == 1


def test_half_characters_and_control_characters_are_counted_like_any_other() -> None:
    assert count_tokens("\ud800 \x00 \udfff") > 0


@given(st.text())
def test_any_text_has_a_count_and_always_the_same(text: str) -> None:
    count = count_tokens(text)
    assert 0 <= count <= 3 * len(text) + 1
    assert count_tokens(text) == count


@given(st.text(), st.text())
def test_two_texts_together_cost_about_what_they_cost_apart(left: str, right: str) -> None:
    both = count_tokens(left + "\n" + right)
    assert abs(both - count_tokens(left) - count_tokens(right)) <= 4


@pytest.mark.parametrize("piece", ["word ", "a", "=-", "修", "9", "\n", " ", "aAbB", "\u00fc"])
def test_counting_takes_time_in_proportion_to_any_text(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    assert count_tokens(text) > 0  # quadratic work would not end within the test's time-out
