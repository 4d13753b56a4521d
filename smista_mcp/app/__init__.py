"""The composition root: joins policy, context, catalog, servers, ledger and host into the verbs of the product."""

from smista_mcp.app.application import App, open_app
from smista_mcp.app.caller import Badge, Caller

__all__ = ["App", "Badge", "Caller", "open_app"]
