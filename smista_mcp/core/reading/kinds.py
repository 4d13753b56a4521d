"""Intents and degrees of confidence by plain names.

The reader compares dozens of them for every clause, and a member of an enumeration takes ten times as long to look up.
"""

from typing import Final

from smista_mcp.core.values import Confidence, Intent

CHAT: Final = Intent.CHAT
ANALYZE: Final = Intent.ANALYZE
PLAN: Final = Intent.PLAN
EDIT: Final = Intent.EDIT
REFACTOR: Final = Intent.REFACTOR
TEST: Final = Intent.TEST
DOCUMENT: Final = Intent.DOCUMENT
FORMAT: Final = Intent.FORMAT
REVIEW: Final = Intent.REVIEW
SUMMARIZE: Final = Intent.SUMMARIZE
COMMIT: Final = Intent.COMMIT
PROMPT: Final = Intent.PROMPT
SKILL: Final = Intent.SKILL

HIGH: Final = Confidence.HIGH
MEDIUM: Final = Confidence.MEDIUM
LOW: Final = Confidence.LOW
