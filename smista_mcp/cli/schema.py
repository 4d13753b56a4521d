"""`policy schema`: the JSON Schema of a policy file."""

from smista_mcp.cli.failures import DONE
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import put
from smista_mcp.loading.policy_schema import policy_schema_text


def schema(_: Options) -> int:
    """Prints the schema, with or without --json: it is JSON."""
    put(policy_schema_text().rstrip("\n"))
    return DONE
