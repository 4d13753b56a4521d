"""The command line: reads the arguments, makes one call, prints the answer."""

from smista_mcp.cli.entry import main

__all__ = ["main"]
