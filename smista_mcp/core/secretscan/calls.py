"""Passwords that are literals among the arguments of a call, beside the user's: `connect("db", "app", "...")`."""

from collections.abc import Iterator

from smista_mcp.core.secretscan.chosen import is_chosen
from smista_mcp.core.secretscan.findings import Found, Span
from smista_mcp.core.secretscan.rules import Lazy

_STEMS = (
    *("login", "logon", "signin", "sign_in", "connect", "auth", "credential", "passwordtoken", "pw_set", "userinfo"),
    *("userpassword", "bind", ".begin(", ".basic(", "mysqli", "pdo(", "sequelize", "values"),
)
_OPENING = Lazy(r"[A-Za-z0-9_:.>-]{0,40}+(?:[ \t]{0,2}=[ \t]{0,2})?(?:[ \t]?\([ \t]{0,2}\(?|\[|[ \t](?=[\"']))")
_BEHIND = Lazy(r"[ \t]{0,2}")
_ARGUMENT = Lazy(
    r"\s{0,60}+(?:(?P<before>(?:new )?[A-Za-z_:.@]{0,40}+\(?\\{0,2}+)(?P<quote>[\"'`])"
    r"(?P<value>[^\"'`\\\n]{0,200}+)\\{0,2}+[\"'`]"
    r"(?>(?:[)!?]|\.[A-Za-z_]{2,20}+\(\)){0,3})"
    r"|[^,\"'`()\n]{1,80}+(?:\([^()\"'`\n]{0,60}+\))?)\s{0,20}+(?P<more>[,)\]}]|\Z|\n|(?<=\)))"
)
_MOST_ARGUMENTS = 5
_STATEMENT = 200
"""Characters before the values of a statement of SQL in which the names of its columns stand."""


def call_passwords(text: str, lowered: str, found: Found) -> Iterator[Span]:
    """Kind, start and end of the first such literal behind another argument of each call that gives somebody access."""
    if '"' not in text and "'" not in text and "`" not in text:
        return
    for stem in _STEMS:
        at, size = lowered.find(stem), len(stem)
        while at >= 0:
            done = at + size
            opening = _OPENING().match(text, done) if stem[-1] != "(" else _BEHIND().match(text, done)
            if stem == "values" and lowered.rfind("passw", max(0, at - _STATEMENT), at) < 0:
                opening = None
            span = _password(text, opening.end()) if opening is not None else None
            if span is not None and found.is_free(*span):
                yield "call_password", *span
                done = span[1]
            elif opening is not None:
                done = max(done, opening.end() - 1)
            at = lowered.find(stem, done)


def _password(text: str, at: int) -> tuple[int, int] | None:
    for place in range(_MOST_ARGUMENTS):
        argument = _ARGUMENT().match(text, at)
        if argument is None:
            return None
        if place and argument["quote"] and is_chosen(argument["value"]):
            return argument.span("value")
        if argument["more"] != ",":
            return None
        at = argument.end()
    return None
