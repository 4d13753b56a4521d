"""One call of `dispatch`: the work, the questions that it raises, and the work going on after a yes."""

from dataclasses import dataclass

import anyio
import anyio.to_thread
from mcp_types import InputRequiredResult

from smista_mcp.app import App, Caller
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.errors import NotFound, StateUnavailable
from smista_mcp.server.progress import ProgressRelay
from smista_mcp.server.questions import Pending, Person, Questions, reply

_LEAST_S = 5.0
"""Seconds that a dispatch waits for its work after a long question; then it is `running`, and nothing is lost."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a call of `dispatch` needs.

    Attributes:
        relay: hears of progress.
        limit_s: seconds that the host waits for the whole call.
    """

    app: App
    caller: Caller
    person: Person
    questions: Questions
    relay: ProgressRelay
    limit_s: float

    async def carried_out(self, asked: Task | str) -> DispatchAnswer | InputRequiredResult:
        """Carries out a task, or goes on with a job, asking the host's user where that is needed and possible."""
        began = anyio.current_time()
        settled: set[str] = set()
        earlier = self.questions.answered(self.person.state, self.caller.owner, self.person.call)
        if earlier is None:
            answer = await self._begun(asked)
        else:  # a call repeated with an answer goes on with the job that asked
            settled.add(earlier.approval_id)
            await self._noted(earlier.approval_id, said=self.person.said)
            answer = await self._joined(earlier.job_id, began)
        while (open_one := await self._open_question(answer, settled)) is not None:
            approval_id, job_id, question = open_one
            if self.person.by_reply:
                pending = Pending(approval_id, job_id, self.caller.owner, self.person.call)
                return reply(question, self.questions.ask(pending))
            settled.add(approval_id)
            await self.relay.say("waiting for your user's answer to a form")
            said = await self.person.says(question)
            if said is None:
                return answer
            await self._noted(approval_id, said=said)
            answer = await self._joined(job_id, began)
        return answer

    async def _begun(self, asked: Task | str) -> DispatchAnswer:
        if isinstance(asked, Task):
            return await self.app.dispatch(
                asked, self.caller, listener=self.relay.note, limit_s=self.limit_s, leaving=self.person.leaving
            )
        return await self.app.join(
            asked, self.caller, listener=self.relay.note, limit_s=self.limit_s, leaving=self.person.leaving
        )

    async def _joined(self, job_id: str, began: float) -> DispatchAnswer:
        """Goes on with a job. A person may have taken long: hosts whose clock ran meanwhile get an answer in time."""
        left = max(_LEAST_S, self.limit_s - (anyio.current_time() - began))
        return await self.app.join(
            job_id, self.caller, listener=self.relay.note, limit_s=left, leaving=self.person.leaving
        )

    async def _open_question(self, answer: DispatchAnswer, settled: set[str]) -> tuple[str, str, str] | None:
        """What may be asked about an answer and was not asked in this call: its id, the job and the words."""
        approval_id, job_id = answer.approval_id, answer.job_id
        if approval_id is None or job_id is None or approval_id in settled or not self.person.can_be_asked:
            return None
        question = await anyio.to_thread.run_sync(self.app.question, approval_id, self.caller)
        return None if question is None else (approval_id, job_id, question)

    async def _noted(self, approval_id: str, *, said: bool | None) -> None:
        """Keeps what a person has said in a form."""
        if said is None:
            return
        answered = self.app.grant if said else self.app.refuse

        def keep() -> None:
            try:
                answered(approval_id, f"form of {self.caller.client_name or 'an unnamed host'}"[:120])
            except (NotFound, StateUnavailable):
                return  # without a record there is no yes and no no: the job stays where it is

        await anyio.to_thread.run_sync(keep)
