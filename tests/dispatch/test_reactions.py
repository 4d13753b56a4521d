"""The table of failures: what each leads to, as a law."""

import pytest

from smista_mcp.dispatch.reactions import LAW, cause_of, may_be_charged, reaction
from smista_mcp.errors import Cause, Code, ProviderError
from smista_mcp.providers.failures import ErrorObject, status_error, stream_error


def of_status(status: int, *words: str) -> ProviderError:
    return status_error(status, {}, ErrorObject("", frozenset(words)), now=0.0)


@pytest.mark.parametrize(
    ("status", "go_on"),
    [
        *((status, True) for status in (402, 408, 413, 429, 500, 502, 503, 504, 520, 529)),
        *((status, False) for status in (400, 401, 403, 404, 405, 409, 415, 422, 451)),
        *((status, True) for status in (301, 302, 307)),
    ],
)
def test_a_status_says_whether_the_next_candidate_is_asked(status: int, go_on: bool) -> None:
    assert reaction(of_status(status)).go_on is go_on


def test_a_model_that_is_not_there_is_followed_by_the_next() -> None:
    assert reaction(of_status(404, "model_not_found")).go_on


def test_a_prompt_that_is_too_long_is_given_to_the_next() -> None:
    assert reaction(of_status(400, "context_length_exceeded")).go_on


def test_every_cause_has_its_law() -> None:
    assert LAW.keys() == set(Cause)


def test_the_same_model_is_asked_again_only_where_nothing_can_have_been_charged() -> None:
    again = {cause for cause, law in LAW.items() if law.again}
    assert again == {Cause.RATE_LIMITED, Cause.REQUEST_TIMEOUT, Cause.SERVER_ERROR, Cause.OVERLOADED}
    assert {LAW[cause].charge for cause in again} == {"none"}


def test_what_would_be_asked_again_may_also_be_asked_of_the_next() -> None:
    assert all(law.go_on for law in LAW.values() if law.again)


def test_what_we_refuse_ourselves_says_nothing_of_a_provider() -> None:
    for code in Code:
        error = ProviderError("", code=code)
        assert reaction(error).health is None
        assert not reaction(error).again
    assert LAW[Cause.DEADLINE].health is None


def test_what_the_table_does_not_know_stops() -> None:
    known = {law.code for law in LAW.values()} | {code for code in Code if cause_of(ProviderError("", code=code))}
    for code in set(Code) - known:
        assert not reaction(ProviderError("", code=code)).go_on
    assert not reaction(ProviderError("", code=Code.SECRET_DETECTED)).go_on


@pytest.mark.parametrize(
    ("status", "words", "cause"),
    [
        (402, (), Cause.QUOTA),
        (408, (), Cause.REQUEST_TIMEOUT),
        (413, (), Cause.CONTEXT_TOO_LONG),
        (429, (), Cause.RATE_LIMITED),
        (429, ("insufficient_quota",), Cause.QUOTA),
        (500, (), Cause.SERVER_ERROR),
        (502, (), Cause.SERVER_ERROR),
        (503, (), Cause.OVERLOADED),
        (504, (), Cause.GATEWAY_TIMEOUT),
        (524, (), Cause.GATEWAY_TIMEOUT),
        (529, (), Cause.OVERLOADED),
        (307, (), Cause.REDIRECT),
        (401, (), Cause.AUTH),
        (403, (), Cause.AUTH),
        (418, (), Cause.BAD_REQUEST),
    ],
)
def test_a_status_has_a_cause_and_its_code_is_that_of_the_law(
    status: int, words: tuple[str, ...], cause: Cause
) -> None:
    error = of_status(status, *words)
    assert error.cause is cause
    assert error.code is LAW[cause].code
    assert may_be_charged(error) is (LAW[cause].charge == "maybe")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 422, 429])
def test_a_request_that_was_refused_cannot_have_been_charged(status: int) -> None:
    assert not may_be_charged(of_status(status))
    assert not may_be_charged(stream_error(ErrorObject(status=status)))


@pytest.mark.parametrize(
    "error",
    [
        ProviderError("cut", code=Code.PROVIDER_PROTOCOL, sent=True),
        ProviderError("late", code=Code.PROVIDER_TIMEOUT, sent=True),
        of_status(504),
        stream_error(ErrorObject("overloaded", frozenset({"overloaded_error"}), None)),
    ],
)
def test_a_request_without_an_end_may_have_been_charged(error: ProviderError) -> None:
    assert may_be_charged(error)


def test_a_request_that_never_left_cannot_have_been_charged() -> None:
    assert not may_be_charged(ProviderError("refused", code=Code.PROVIDER_UNAVAILABLE))
    assert not may_be_charged(of_status(500))
