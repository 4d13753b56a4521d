"""How large a context window a request needs, for servers that must be told."""

from smista_mcp.providers.base import CompletionRequest

MIN_CONTEXT = 2048
ROOM_FOR_TEMPLATE = 128
"""Tokens that a chat template puts around the messages."""
_ROOM_FOR_ANSWER = 1024
"""Tokens kept free for an answer whose length the request does not limit."""
_ESTIMATE_MARGIN = 1.3
"""Our estimate of a prompt may be this much too low."""


def prompt_tokens(request: CompletionRequest) -> int:
    """Our estimate of the messages; a third of their bytes where the request brings none."""
    if request.prompt_tokens is not None:
        return request.prompt_tokens
    return sum(len(message.content.encode("utf-8", "replace")) for message in request.messages) // 3 + 1


def context_needed(request: CompletionRequest) -> int:
    """The window to ask for: what prompt and answer need, a power of two from 2048, at most the model's window.

    Powers of two, because a server loads the model anew for each other size.
    """
    answer = _ROOM_FOR_ANSWER if request.max_output_tokens is None else request.max_output_tokens
    need = int(prompt_tokens(request) * _ESTIMATE_MARGIN) + ROOM_FOR_TEMPLATE + answer
    size = max(MIN_CONTEXT, 1 << (need - 1).bit_length())
    return size if request.context_window is None else min(size, request.context_window)
