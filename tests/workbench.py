"""A home, a workspace and the real application over them, and the pieces that policies of tests are made of."""

from dataclasses import dataclass
from pathlib import Path

from smista_mcp.app import App, open_app
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.core.explained import AttemptReport
from smista_mcp.core.task import Task
from smista_mcp.ledger import Ledger, StoredTrace
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

ALLOWED = '[privacy.remote]\nmode = "allow"\n'
"""Remote models may be asked."""


NO_PATCHES = '[tools.permissions]\nfile_write = "deny"\n'
"""Changes are told in words, so that a model may answer anything."""


@dataclass(frozen=True)
class Bench:
    """Everything that one user of this machine has."""

    home: Path
    workspace: Path

    @property
    def state(self) -> Path:
        return self.home / "state"

    def app(self, policy: str | None = None, *, preset: str | None = None, **variables: str) -> App:
        """The application as a new process would open it, with this policy as the user's own."""
        if policy is not None:
            self.write_policy(policy)
        known = {"SMISTA_HOME": str(self.home), "HOME": str(self.home), "PATH": "/usr/bin:/bin"}
        environment = Environment.read({**known, **variables})
        return open_app(Settings(environment=environment, workspace=self.workspace, preset=preset))

    def write_policy(self, policy: str) -> None:
        (self.home / "config.toml").write_text(policy, encoding="utf-8")

    def write(self, path: str, text: str) -> Path:
        """A file of the workspace."""
        file = self.workspace / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def trace(self, trace_id: str | None) -> StoredTrace:
        """A trace as it is found after everything was closed and opened again."""
        assert trace_id is not None
        return Ledger.open(self.state).trace(trace_id)

    def attempts(self, answer: DispatchAnswer) -> list[tuple[str, str, str | None]]:
        """What the ledger keeps of an answer: model, status and code of every attempt, in order."""
        ids = [phase.trace_id for phase in answer.phases if phase.trace_id]
        rows = [attempt for trace_id in ids for attempt in self.trace(trace_id).attempts]
        return [(row.model, row.status, row.code) for row in rows]


def only(answer: DispatchAnswer) -> DispatchedPhase:
    """The one phase of an answer."""
    (phase,) = answer.phases
    return phase


def reports(app: App, answer: DispatchAnswer) -> list[AttemptReport]:
    """What `explain` tells of the attempts of an answer, over all of its phases."""
    traces = [phase.trace_id for phase in answer.phases if phase.trace_id]
    return [one for trace in traces for phase in app.explain(trace).phases for one in phase.attempts]


async def done(app: App, task: Task) -> DispatchAnswer:
    """What becomes of a task; the application is open for it alone."""
    async with app.running():
        return await app.dispatch(task)


def default(*targets: str) -> str:
    """A default route to these targets in order."""
    return f'[routing.default]\nmodel = "{targets[0]}"\nfallbacks = {list(targets[1:])}\n'


def ollama(root: str) -> str:
    return f'[providers.ollama]\nbase_url = "{root}"\n'


def compat(name: str, v1: str, *, local: bool = False, price: str | None = None) -> str:
    """A provider for chat completions with a model `m`, remote unless said otherwise.

    Args:
        name: the part behind `openai-compat:`.
        v1: its address.
        local: whether the user says that it is local.
        price: USD for a million tokens in or out.
    """
    text = f'[providers."openai-compat:{name}"]\nbase_url = "{v1}"\n'
    text += 'locality = "local"\n' if local else ""
    if price is not None:
        text += f'[catalog."openai-compat:{name}/m"]\ninput_price = "{price}"\noutput_price = "{price}"\n'
    return text
