"""No text that people read repeats a key; no text of somebody else takes more than its place in a sentence."""

import pytest

from smista_mcp.core.redaction import redacted, shown

# put together here, so that no scanner takes this file for a leak
AWS = "wJalrXUtnFEMI" + "/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".SflKxwRJSMeKKF2QT4"


@pytest.mark.parametrize("secret", ["sk-" + "made-up-0123456789abcdefgh", "ghp_" + "a1" * 18, AWS, TOKEN])
@pytest.mark.parametrize("around", ["{}", "the key {} here", '{{"path":"{}"}}', "{}/", "key={}", "`{}`", "{}."])
def test_what_looks_like_a_key_is_covered(secret: str, around: str) -> None:
    told = redacted(around.format(secret))
    assert told == around.format("[secret]")


@pytest.mark.parametrize("text", ["postgres://u:pa55@db/x", "//u:pa55@db/x", "postgres:/u:pa55@db/x"])
def test_a_password_in_an_address_is_covered_however_much_of_the_address_is_left(text: str) -> None:
    assert "pa55" not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",  # 40 digits of a commit
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "src/components/authentication/handlers12",  # a path of 40 characters
        "src/Components/Authentication/Handler.ts",
        "src/main/java/AcmeBilling2/InvoiceServices.java",
        "https://example.org:8080/a@b",
        "ollama/qwen2.5-coder:7b",
        "eyJustAWord.of.three",
    ],
)
def test_what_is_no_key_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("piece", ["eyJ", "eyJaaaaaaaa.", "//a:", "a:/", "a1B/", "://a:b", "sk-", "-----BEGIN A "])
def test_covering_takes_time_in_proportion_to_the_text(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    assert redacted(text)  # quadratic work would not end within the test's time-out


def test_a_foreign_text_is_shown_on_one_line_cut_and_without_our_quotation_mark() -> None:
    assert shown("src/auth/**") == "src/auth/**"
    assert shown("müde 日本") == "müde 日本"
    assert shown("a\nb\x1b[31m`c` \u202e") == "a?b?[31m'c' ?"
    assert shown("x" * 80) == "x" * 80
    assert shown("x" * 4000) == "x" * 80 + "…"
