"""Asking the host's user in a form: as a request of ours in the handshake era, as a reply that wants input since.

Only an accepted form whose one required field says `approve` is a yes, and only one that says `refuse` is a no. Hosts
without anybody in front of them accept empty forms, decline or cancel: all of that is no answer, and the request waits
for `smista-mcp approve`.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import anyio
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp_types import (
    CallToolRequestParams,
    ClientCapabilities,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from smista_mcp.server.lists import Context

if TYPE_CHECKING:
    from smista_mcp.dispatch.jobs import Leave

_FIELD = "answer"
_YES = "approve"
_NO = "refuse"
_ASKED = "approval"
"""The key of the one question in a reply that wants input."""
MOST_PENDING = 200
"""Questions that may be out at once; the oldest is forgotten, and its answer then counts for nothing."""
FORM: dict[str, object] = {
    "type": "object",
    "properties": {
        _FIELD: {
            "type": "string",
            "title": "Your decision",
            "description": "approve: this once, exactly as described; refuse: nothing is sent",
            "enum": [_YES, _NO],
        }
    },
    "required": [_FIELD],
}


def said(result: object) -> bool | None:
    """What a form came back with: a yes or a no where it was accepted with the word in the one field; else None."""
    if not isinstance(result, ElicitResult) or result.action != "accept":
        return None
    word = (result.content or {}).get(_FIELD)
    return True if word == _YES else False if word == _NO else None


class Pending(NamedTuple):
    """A question that a reply has asked.

    Attributes:
        call: hash of the arguments: the answer counts for a repetition of exactly this call.
    """

    approval_id: str
    job_id: str
    owner: str
    call: str


class Questions:
    """The questions that replies of this process have asked and that nobody has answered yet."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}

    def ask(self, pending: Pending) -> str:
        """Keeps a question, and returns the state by which its answer is known."""
        while len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        state = secrets.token_hex(16)
        self._pending[state] = pending
        return state

    def answered(self, state: str | None, owner: str, call: str) -> Pending | None:
        """The question that a repeated call answers, once; None where this process asked it no such thing."""
        found = self._pending.get(state or "")
        if found is None or (found.owner, found.call) != (owner, call):
            return None
        return self._pending.pop(state or "")


class Person:
    """The user of the host during one call, as far as the host lets us ask."""

    def __init__(self, ctx: Context, params: CallToolRequestParams) -> None:
        self._ctx = ctx
        self._params = params

    @property
    def state(self) -> str | None:
        """What the host repeats of our reply that wanted input."""
        return self._params.request_state

    @property
    def said(self) -> bool | None:
        """The yes or no that the repeated call brings; None where it brings neither."""
        return said((self._params.input_responses or {}).get(_ASKED))

    @property
    def call(self) -> str:
        """The hash of what is called with."""
        return call_digest(self._params.arguments or {})

    def leaving(self) -> "Leave":
        """Why the call was cut off. Over pipes only the host says so: where they break, the server ends."""
        if self._ctx.request is None:
            return "cancelled"
        if self._ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return "closed"  # over HTTP a modern host has no other word for it
        # the protocol library tells a handler no other way that it was the host who cancelled
        asked: object = getattr(getattr(self._ctx.session, "_request_outbound", None), "cancel_requested", None)
        return "dropped" if isinstance(asked, anyio.Event) and not asked.is_set() else "cancelled"

    @property
    def can_be_asked(self) -> bool:
        return has_forms(self._ctx.session.client_capabilities)

    @property
    def by_reply(self) -> bool:
        """Whether the question has to be a reply to the call."""
        return self._ctx.protocol_version in MODERN_PROTOCOL_VERSIONS

    async def says(self, question: str) -> bool | None:
        """Asks in a form of the host and waits for the answer, however long it takes; the host may cancel the call."""
        try:
            return said(await self._ctx.session.elicit_form(question, FORM, self._ctx.request_id))
        except (MCPError, NoBackChannelError, ValueError):  # it cannot after all, or what came back is no form
            return None


def has_forms(capabilities: ClientCapabilities | None) -> bool:
    """Whether a host says that it can show a form; `elicitation: {}` is how older ones say it."""
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def reply(question: str, state: str) -> InputRequiredResult:
    """The reply that asks."""
    params = ElicitRequestFormParams(message=question, requested_schema=FORM)
    return InputRequiredResult(input_requests={_ASKED: ElicitRequest(params=params)}, request_state=state)


def call_digest(arguments: Mapping[str, object]) -> str:
    """What tells two calls apart."""
    text = json.dumps(arguments, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
