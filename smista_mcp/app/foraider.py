"""What the policy's routes are in the words of aider, which has no MCP and no routing of its own."""

from typing import Final, NamedTuple

from smista_mcp.app.application import App
from smista_mcp.core.provider_specs import provider_specs
from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent, Status

OPTIONS: Final = (("model", Intent.EDIT), ("weak-model", Intent.COMMIT), ("editor-model", Intent.EDIT))
"""Options of aider, and the kind of work that it does with each (aider.chat/docs/config/options.html)."""
_PREFIXES: Final = {"anthropic": "anthropic/", "openai": "openai/", "gemini": "gemini/", "ollama": "ollama_chat/"}
"""By which aider knows a provider of ours (aider.chat/docs/llms.html, checked 2026-11-20)."""
_CHANGE: Final = "--- a/notes.txt\n+++ b/notes.txt\n@@ -1 +1 @@\n-one\n+two\n"


class AiderModels(NamedTuple):
    """What can be written, and what cannot.

    Attributes:
        values: option -> model, as aider names it.
        missing: option -> why it has none.
        asks: whether the policy asks a person before it goes to one of these, which aider does not do.
    """

    values: dict[str, str]
    missing: dict[str, str]
    asks: bool


def aider_models(app: App) -> AiderModels:
    """Routes a small change, and its commit message, and names their models as aider does.

    Raises:
        SmistaError: as for `App.route`.
    """
    values: dict[str, str] = {}
    missing: dict[str, str] = {}
    asks = False
    customary = provider_specs(())
    for option, intent in OPTIONS:
        task = Task(text="A small change.", intent=intent, diff=_CHANGE)
        decision = app.route(task).decisions[-1]
        model = decision.resolved_model or decision.model
        if model is None or decision.status not in (Status.ROUTED, Status.APPROVAL_REQUIRED):
            missing[option] = decision.reason
            continue
        provider, _, name = model.partition("/")
        prefix = _PREFIXES.get(provider)
        if prefix is None:
            missing[option] = f"`{model}` is nothing that aider can call"
            continue
        if app.world.book().policy.providers[provider].base_url != customary[provider].value.base_url:
            missing[option] = f"`{model}` is at an address of its own, which this file cannot say"
            continue
        values[option] = f"{prefix}{name}"
        asks = asks or decision.status is Status.APPROVAL_REQUIRED
    return AiderModels(values, missing, asks)
