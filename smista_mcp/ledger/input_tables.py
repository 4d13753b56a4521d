"""The table of what decisions were made from: one step of the ledger's schema."""

from typing import Final

from smista_mcp.ledger.guards import guards

INPUT_TABLES: Final = (
    """CREATE TABLE input (
        digest TEXT NOT NULL,
        name TEXT NOT NULL,
        used_on TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (digest, name)
    )""",
    *guards("input"),
)
"""Each input once, under the hash that decisions name it by; `used_on` is the last day on which one was made of it,
`sha256` that of the body: of a policy, decisions name another hash."""
