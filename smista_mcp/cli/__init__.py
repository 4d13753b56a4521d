"""The command line: reads the arguments, makes one call, prints the answer."""

from smista_mcp.cli.entry import main, program

__all__ = ["main", "program"]
