"""Takes the answers to a host's usual opening from the protocol library, for `smista_mcp/server/handshake.json`.

Run it after every change of the tools, the instructions or a version: `python scripts/take_handshake.py`. With
`--check` nothing is written, and the exit status says whether the file is what the library answers.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCRequest, JSONRPCResponse
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS

from smista_mcp import __version__
from smista_mcp.app import open_app
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings
from smista_mcp.server.handshake import DATA
from smista_mcp.server.protocol import serving
from smista_mcp.server.shapes import CAPABILITIES_KEY, CLIENT_KEY, METHODS, VERSION_KEY

PACKAGES = ("mcp", "mcp_types")
CLIENT = {"name": "host", "version": "1"}


def requests(revision: str) -> Iterator[JSONRPCRequest]:
    """One conversation with every request that a front may answer."""
    legacy = revision in HANDSHAKE_PROTOCOL_VERSIONS
    greeting: Mapping[str, object] = {"protocolVersion": revision, "capabilities": {}, "clientInfo": CLIENT}
    envelope: Mapping[str, object] = {VERSION_KEY: revision, CLIENT_KEY: CLIENT, CAPABILITIES_KEY: {}}
    for method in METHODS:
        params = dict(greeting) if method == "initialize" else {} if legacy else {"_meta": envelope}
        if legacy or method != "initialize":  # which opens an older era
            yield JSONRPCRequest(jsonrpc="2.0", id=method, method=method, params=params)


async def answers(home: Path, revision: str) -> Mapping[str, Mapping[str, object]]:
    """What the library answers, by method, on one connection."""
    app = open_app(Settings(environment=Environment.read({"SMISTA_HOME": str(home)})))
    given: dict[str, Mapping[str, object]] = {}
    lines, source = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    sink, heard = anyio.create_memory_object_stream[SessionMessage](1)
    async with serving(app, over_http=False) as server, anyio.create_task_group() as group, lines, heard:
        group.start_soon(server.run, source, sink, server.create_initialization_options())
        for request in requests(revision):
            await lines.send(SessionMessage(request))
            message = (await heard.receive()).message
            if isinstance(message, JSONRPCResponse):
                # as it goes over the wire
                line = message.model_dump_json(by_alias=True, exclude_unset=True)
                given[request.method] = json.loads(line)["result"]
        group.cancel_scope.cancel()
    return given


async def take() -> str:
    """The text of the file."""
    with tempfile.TemporaryDirectory() as home:
        taken = {revision: await answers(Path(home), revision) for revision in KNOWN_PROTOCOL_VERSIONS}
    rows: list[Mapping[str, object]] = []
    for method in METHODS:
        pairs = [(revision, taken[revision][method]) for revision in taken if method in taken[revision]]
        for _, same in groupby(pairs, key=lambda pair: json.dumps(pair[1])):
            alike = list(same)
            rows.append({"method": method, "versions": [pair[0] for pair in alike], "result": alike[0][1]})
    packages = {name: version(name.replace("_", "-")) for name in PACKAGES}
    taken_from = {"product": __version__, "packages": packages}
    return json.dumps({**taken_from, "answers": rows}, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Writes the file, or compares it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where the file is another")
    file, text = Path(DATA), anyio.run(take)
    if not parser.parse_args().check:
        file.write_text(text, encoding="utf-8")
    elif file.read_text(encoding="utf-8") != text:
        sys.exit("smista_mcp/server/handshake.json is not what the protocol library answers")


if __name__ == "__main__":
    main()
