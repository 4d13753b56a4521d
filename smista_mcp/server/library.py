"""What hosts read and fill in: resources by address, prompts by name, and completions for both."""

from collections.abc import Sequence
from typing import NoReturn

from anyio import to_thread
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptRequestParams,
    GetPromptResult,
    PromptReference,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextResourceContents,
)

from smista_mcp.app import App, Caller
from smista_mcp.core.explained import ExplainAnswer
from smista_mcp.core.pointers import pointer
from smista_mcp.core.redaction import redacted
from smista_mcp.errors import InvalidTask, NotFound, SmistaError
from smista_mcp.server.errors import printable, report
from smista_mcp.server.sizing import read_portion
from smista_mcp.server.workshop import Workshop

MOST = 100
"""Completions that the protocol takes at once."""


class Library:
    """Answers what is read from the application, for its caller alone."""

    def __init__(self, app: App, workshop: Workshop) -> None:
        self._app = app
        self._workshop = workshop

    async def portion(self, uri: str, caller: Caller) -> ExplainAnswer:
        """The portion of a document that an address begins, in the size that the caller's host takes.

        Raises:
            SmistaError: `invalid_task` for what is no address, `trace_not_found` or `job_not_found` for what is not
                there or not this caller's, or what keeps it from being read.
        """
        from smista_mcp.app.reading import document  # noqa: PLC0415  most hosts never read

        wanted = pointer(uri)
        app = await self._workshop.open() if wanted.kind in ("answer", "patch") else self._app
        found = await document(app, wanted, caller)
        room = await to_thread.run_sync(self._app.answer_room, caller)
        return read_portion(found.address._replace(start=wanted.start), found.mime_type, found.text, room)

    async def read(self, params: ReadResourceRequestParams, caller: Caller) -> ReadResourceResult:
        """A resource: all of it, from the character on that its address names.

        Raises:
            MCPError: invalid params with the address, which is what the protocol has for an unknown resource.
        """
        from smista_mcp.app.reading import document  # noqa: PLC0415  as above

        uri = str(params.uri)
        try:
            wanted = pointer(uri)
            app = await self._workshop.open() if wanted.kind in ("answer", "patch") else self._app
            found = await document(app, wanted, caller)
        except (InvalidTask, NotFound) as error:
            raise _refused(error, {"uri": uri}) from None
        except SmistaError as error:
            raise MCPError(code=INTERNAL_ERROR, message=printable(redacted(str(error))), data={"uri": uri}) from None
        except Exception as error:  # noqa: BLE001 - the border to the host; cancellation passes
            _broken("resources/read", error)
        text = printable(found.text[wanted.start :])
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=found.mime_type, text=text)])

    async def prompt(self, params: GetPromptRequestParams) -> GetPromptResult:
        """A prompt with its arguments filled in.

        Raises:
            MCPError: invalid params, which is what the protocol has for an unknown prompt or argument.
        """
        from smista_mcp.server.prompts import prompt  # noqa: PLC0415  most hosts never ask

        try:
            return prompt(params.name, params.arguments or {})
        except InvalidTask as error:
            raise _refused(error, None) from None

    async def completed(self, params: CompleteRequestParams, caller: Caller) -> CompleteResult:
        """What an argument may begin with: models of the policy for a prompt, ids of records for an address.

        Nothing is proposed where nothing can be read.
        """
        begun = params.argument.value.strip()
        is_prompt = isinstance(params.ref, PromptReference)
        asked = params.argument.name
        if (is_prompt and asked != "model") or (not is_prompt and asked != "id"):
            return _completion(())
        try:
            known = await to_thread.run_sync(self._models if is_prompt else lambda: self._ids(caller))
        except SmistaError:
            return _completion(())
        return _completion([one for one in known if begun.casefold() in one.casefold()])

    def _models(self) -> Sequence[str]:
        from smista_mcp.app.reading import named_models  # noqa: PLC0415  as above

        return named_models(self._app)

    def _ids(self, caller: Caller) -> Sequence[str]:
        from smista_mcp.app.past import latest  # noqa: PLC0415  as above

        return [one.trace_id or one.decision_id for one in latest(self._app.world, caller).traces]


def _completion(values: Sequence[str]) -> CompleteResult:
    found = list(dict.fromkeys(values))
    return CompleteResult(completion=Completion(values=found[:MOST], total=len(found), has_more=len(found) > MOST))


def _refused(error: SmistaError, data: dict[str, str] | None) -> MCPError:
    return MCPError(code=INVALID_PARAMS, message=printable(redacted(str(error))), data=data)


def _broken(what: str, error: Exception) -> NoReturn:
    """A defect of ours: the host learns that it happened, standard error says where."""
    reference = report(what, error)
    raise MCPError(code=INTERNAL_ERROR, message=f"internal_error: reference {reference} on standard error") from None
