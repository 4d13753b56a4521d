"""`python -m smista_mcp`: the command line, as the script `smista-mcp` starts it."""

from smista_mcp.cli import program

program()
