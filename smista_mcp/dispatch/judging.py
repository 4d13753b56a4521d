"""Whether what was heard is an answer."""

from typing import Literal

from smista_mcp.errors import Cause, Code, ProviderError
from smista_mcp.providers.base import Finished


def shortcoming(finished: Finished | None, text: str, *, calls: bool) -> ProviderError | None:
    """Why it is none; None where it is one, if perhaps one that was cut at its length limit.

    Args:
        finished: the provider's own end of it.
        text: what was written, without white space around it.
        calls: whether it asks to see something.
    """
    if finished is None:
        return _no("the answer has no end", Code.PROVIDER_PROTOCOL, Cause.CUT)
    if finished.truncated:
        cut = _no("the server took less of the prompt than was sent", Code.CONTEXT_TRUNCATED, Cause.PROMPT_CUT)
        cut.fix = "raise the model's context window in its server, or send less"
        return cut
    if text or calls:
        return None
    if finished.stop_reason == "content_filter":
        return _no("the model declines to answer", Code.PROVIDER_INVALID_REQUEST, Cause.REFUSAL)
    if finished.stop_reason == "length":
        return _no("the model reached its length limit before it answered", Code.EMPTY_COMPLETION, Cause.LENGTH)
    if finished.usage.reasoning_tokens:
        return _no("the model thought and answered nothing", Code.EMPTY_COMPLETION, Cause.ONLY_THOUGHT)
    return _no("the model answered nothing", Code.EMPTY_COMPLETION, Cause.EMPTY)


def cut_by(finished: Finished | None) -> Literal["length", "content_filter"] | None:
    """What ended an answer before it was whole; None where nothing did."""
    match finished and finished.stop_reason:
        case "length" | "content_filter" as what:
            return what
        case _:
            return None


def cut_answer() -> ProviderError:
    """The failure that an answer counts as which was cut at its length limit, where a stronger model may be asked."""
    return _no("the answer was cut at its length limit", Code.EMPTY_COMPLETION, Cause.LENGTH)


def _no(text: str, code: Code, cause: Cause) -> ProviderError:
    return ProviderError(text, code=code, sent=True, cause=cause)
