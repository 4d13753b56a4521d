"""What a local server says, asked for with patience: on a busy machine it may miss the moment that a decision waits."""

import time
from pathlib import Path

from smista_mcp.core.values import Locality
from smista_mcp.ledger import prepare_folder
from smista_mcp.providers.factcache import known_facts
from smista_mcp.providers.probe import ProbeTarget

PATIENCE_S = 30.0


def warm(home: Path, root: str) -> None:
    """Asks the Ollama of a policy that names its model `m`; the answer is remembered for half a minute from now."""
    cache = home / "state/servers.json"
    prepare_folder(cache.parent)
    cache.unlink(missing_ok=True)
    target = ProbeTarget("ollama", "ollama", root, Locality.LOCAL, wanted=("m",))
    known_facts([target], cache=cache, now=time.time(), deadline_s=PATIENCE_S)
