"""`python -m smista_mcp`: the command line, as the script `smista-mcp` starts it."""

import sys

from smista_mcp.cli import main

sys.exit(main())
