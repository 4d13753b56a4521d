"""What the secret scan finds and misses in a set of labelled cases.

`python scripts/measure_secrets.py [SET]`; SET is a JSON list of cases, by default the second set of the tests. A case
may be `"disputed": true` with a `"reason"`: the figures are printed with and without these. The first word of a kind
is its family, the second one where the first is `wrapped` (a key that is split or encoded); a set may name it as
`group`. Ends with 0 when every bar is met without the disputed cases, else with 1.
"""

import json
import sys
from pathlib import Path
from typing import NotRequired, TypedDict

from smista_mcp.core.secretscan import secrets_in

_SET = Path(__file__).parent.parent / "tests" / "core" / "secret_cases_second.json"
_GROUP = frozenset("aws github gitlab openai anthropic google slack stripe keyblock dburl".split())
_RECALL, _ALARMS = 0.97, 0.05


class Case(TypedDict):
    """One labelled text."""

    id: str
    text_parts: list[str]
    secret: bool
    kind: str
    source: str
    channel: str
    group: NotRequired[str | None]
    disputed: NotRequired[bool]
    reason: NotRequired[str]


def in_group(case: Case, *, wrapped: bool) -> bool:
    """Whether a case holds a key of the families that must all be found, and is split or encoded as asked."""
    if "group" in case:
        return case["secret"] and not wrapped and case["group"] is not None
    words = case["kind"].split("-")
    outer = words[0] == "wrapped"
    return case["secret"] and outer is wrapped and words[int(outer)] in _GROUP


def share(found: frozenset[str], cases: list[Case]) -> float:
    """How much of the cases was reported, 0 for none."""
    return sum(case["id"] in found for case in cases) / len(cases) if cases else 0.0


def report(title: str, cases: list[Case], found: frozenset[str]) -> bool:
    """Print the figures of some cases; whether they meet the bars."""
    secret = [case for case in cases if case["secret"]]
    harmless = [case for case in cases if not case["secret"]]
    group = [case for case in cases if in_group(case, wrapped=False)]
    wrapped = [case for case in cases if in_group(case, wrapped=True)]
    print(f"{title}: {len(cases)} cases")
    for name, part in (
        ("recall", secret),
        ("false alarms", harmless),
        ("recall on the group", group),
        ("recall on the group, split or encoded", wrapped),
    ):
        hits = sum(case["id"] in found for case in part)
        print(f"  {name}: {hits} of {len(part)} = {share(found, part):.1%}")
    print("  missed:", " ".join(case["id"] for case in secret if case["id"] not in found) or "none")
    print("  false alarms:", " ".join(case["id"] for case in harmless if case["id"] in found) or "none")
    return share(found, secret) >= _RECALL and share(found, harmless) <= _ALARMS and share(found, group) == 1.0


def main() -> int:
    """Measure the set named on the command line."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else _SET
    cases: list[Case] = json.loads(path.read_text(encoding="utf-8"))
    found = frozenset(case["id"] for case in cases if secrets_in("".join(case["text_parts"]), frozenset()))
    agreed = [case for case in cases if not case.get("disputed", False)]
    met = report("all", cases, found)
    return 0 if (report("without the disputed", agreed, found) if len(agreed) < len(cases) else met) else 1


if __name__ == "__main__":
    sys.exit(main())
