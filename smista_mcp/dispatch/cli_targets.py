"""From the declaration of a headless CLI to a target that can be asked, judged anew right before it is."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from smista_mcp.core.clearance import ClearedPayload
from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.headless import headless_of, why_open
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import CompletionRequest, Event, Timeouts, WireRequest
from smista_mcp.providers.cli_finding import find_cli
from smista_mcp.providers.cli_sender import CliTarget, stream_cli
from smista_mcp.providers.cli_specs import CLI_SPECS
from smista_mcp.providers.cli_wire import encode_stdin
from smista_mcp.providers.egress import Watch


def cli_target(spec: ProviderSpec, model: str, variables: Mapping[str, str], parent: Path) -> CliTarget:
    """The target. What is installed may have changed since the decision.

    Args:
        spec: the declaration.
        model: as the CLI calls it.
        variables: our environment.
        parent: where private folders are made.

    Raises:
        ProviderError: it is not there, or nothing keeps its own tools from reading and nobody allows that.
    """
    found, row = find_cli(spec, variables), headless_of(spec.name)
    if isinstance(found, str) or row is None:
        raise ProviderError(str(found), code=Code.PROVIDER_UNAVAILABLE, fix="install the CLI, or name its `command`")
    why = why_open(row, found.version)
    if why is not None and not spec.unmediated:
        raise ProviderError(why, code=Code.RESTRICTED_CONTENT, fix="install a version that is known")
    return CliTarget(
        row=CLI_SPECS[row.name],
        model=model,
        command=found.path,
        variables=variables,
        allowed=spec.variables,
        parent=parent,
        unmediated=why is not None,
    )


def ask_cli(
    target: CliTarget, cleared: ClearedPayload[CompletionRequest], timeouts: Timeouts, watch: Watch
) -> tuple[WireRequest, AsyncGenerator[Event, None]]:
    """The bytes for a CLI, and its answer, for which nothing is started before somebody listens."""
    departing, told = encode_stdin(cleared), cleared.request.effort_as
    effort = told if isinstance(told, str) else None
    return departing.wire, stream_cli(departing, target=target, effort=effort, timeouts=timeouts, watch=watch)
