"""The table of what decisions were made from: one step of the ledger's schema."""

from typing import Final

INPUT_TABLES: Final = (
    """CREATE TABLE input (
        digest TEXT NOT NULL,
        name TEXT NOT NULL,
        used_on TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (digest, name)
    )""",
)
"""Each input once, under the hash that decisions name it by; `used_on` is the last day on which one was made of it."""
