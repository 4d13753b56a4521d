"""The one place where a failure becomes a line on standard error, or a JSON document, and an exit status.

0 is done, 1 means that the answer is no, 2 that the command line or the task is wrong. Besides the codes of
`smista_mcp.errors` there are `io_error` (the answer could not be written), `state_unavailable` (a file or folder of
ours cannot be used; no provider is concerned) and `internal_error` (a defect of ours).
"""

import signal
import sys
from contextlib import suppress
from typing import cast

from smista_mcp.cli.printing import abandon, flush_output, note, put_json
from smista_mcp.core.redaction import redacted
from smista_mcp.errors import Code, SmistaError, StateUnavailable

DONE, NO, WRONG_USAGE = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT
READER_GONE = 141
"""128 + SIGPIPE, as for any program whose reader has gone."""


def tell(error: BaseException, *, json: bool, debug: bool) -> int:
    """Says what went wrong, in words without a traceback; gives the exit status."""
    error = _leaf(error)
    match error:
        case StateUnavailable() if error.code is StateUnavailable.code:  # others say more themselves
            _say("state_unavailable", error.message, error.fix, json=json)
            return NO
        case SmistaError():
            _say(error.code.value, error.message, error.fix, json=json)
            return WRONG_USAGE if error.code is Code.INVALID_TASK else NO
        case KeyboardInterrupt():
            return INTERRUPTED
        case BrokenPipeError():
            abandon(sys.stdout)
            return READER_GONE
        case OSError():
            abandon(sys.stdout)
            reason = error.strerror or type(error).__name__
            _say("io_error", f"the answer could not be written: {reason}", "see where the output goes", json=False)
            return NO
        case _:
            return _defect(error, json=json, debug=debug)


def _defect(error: BaseException, *, json: bool, debug: bool) -> int:
    if debug:
        import traceback  # noqa: PLC0415  for a defect alone

        traceback.print_exception(error)
    # the text of a foreign exception may quote the task, so its type has to do
    message = f"{type(error).__name__}; this is a defect of smista-mcp"
    _say("internal_error", message, "run it again with --debug and report what that shows", json=json)
    return NO


def _say(code: str, message: str, fix: str, *, json: bool) -> None:
    message, fix = redacted(message), redacted(fix)
    if json:
        with suppress(OSError):
            put_json({"error": {"code": code, "message": message, "fix": fix}})
            flush_output()
            return
        abandon(sys.stdout)
    note(f"smista-mcp: {code}: {message}")
    if fix:
        note(f"  {fix}")


def _leaf(error: BaseException) -> BaseException:
    """The failure itself, out of the groups that concurrent parts wrap it in."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _leaf(group.exceptions[0])
    return error
