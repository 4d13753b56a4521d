import pytest

from smista_mcp.errors import Code
from smista_mcp.providers.failures import MAX_QUOTE, ErrorObject, quoted, retry_after_s, status_error

NOON = 1_795_176_000.0  # 20 November 2026, 12:00:00 UTC


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Fri, 99 Nov 2026 12:00:30 GMT"}, None),
        ({}, None),
    ],
)
def test_a_waiting_time_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=NOON) == seconds


def test_a_waiting_time_stands_in_the_error() -> None:
    failure = status_error(429, {"retry-after": "7"}, ErrorObject("slow down"), now=NOON)
    assert (failure.code, failure.retry_after_s) == (Code.PROVIDER_RATE_LIMITED, 7.0)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghij0123456789",
        "Bearer abcdef0123456789",
        "authorization: basic dXNlcjpwYXNz",
        "http://user:hunter2@127.0.0.1",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    ],
)
def test_a_provider_that_repeats_a_key_is_not_repeated(secret: str) -> None:
    said = quoted(f"rejected {secret} here")
    assert secret.rsplit(maxsplit=1)[-1] not in said
    assert "hunter2" not in said


def test_a_providers_words_are_one_short_line() -> None:
    said = quoted("first\r\nsecond\x1b[31m\u202ethird " + "x" * 10_000)
    assert len(said) == MAX_QUOTE
    assert said.startswith("first second [31m third")
