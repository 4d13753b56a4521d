"""Where a comparison is given up, and what the checker costs those who do not ask for it."""

import subprocess
import sys

import pytest
from command_line import PATIENCE_S
from deciding import layer

from smista_mcp.core.checking import check
from smista_mcp.core.findings import Finding, FindingCode, Severity
from smista_mcp.core.layering import merge

DEFAULT = '[routing.default]\nmodel = "ollama/x"\n'


def rule(name: str, *lines: str, model: str = "ollama/x") -> str:
    return "\n".join(["[[routing.rules]]", f'name = "{name}"', f'model = "{model}"', *lines, ""])


def checked(text: str) -> tuple[Finding, ...]:
    layers = [layer(text + DEFAULT)]
    return check(layers, merge(layers))


def entangled(places: int) -> list[str]:
    """Two patterns that a search must remember many positions for."""
    return [f"*a{'?' * places}b*", f"*b{'?' * places}a*"]


@pytest.mark.parametrize("key", ["paths", "local"])
def test_what_cannot_be_compared_is_said_and_nothing_else(key: str) -> None:
    one, other = entangled(60)
    first = rule("a", f'paths = ["{one}c{one}d"]', *(["local_only = true"] if key == "local" else []))
    second = rule("b", "priority = 1001", f'paths = ["{other}e{other}"]', model="anthropic/claude-opus")
    third = rule("c", "priority = 1002", f'paths = ["{other}e{other}", "{one}d"]')
    found = checked(first + second + third)
    assert {(finding.code, finding.severity) for finding in found} == {(FindingCode.NOT_COMPARED, Severity.INFO)}
    assert (("a", "b") in {finding.rules for finding in found}) == (key == "local")


def test_a_tie_that_cannot_be_compared_is_said() -> None:
    one, other = entangled(60)
    found = checked(
        rule("a", f'paths = ["{one}c{one}d"]') + rule("b", f'paths = ["{other}e{other}"]', 'effort = "low"')
    )
    assert (FindingCode.NOT_COMPARED, ("a", "b")) in {(finding.code, finding.rules) for finding in found}
    assert {finding.code for finding in found} == {FindingCode.NOT_COMPARED}


LANGUAGES = "rust go python ruby java kotlin swift perl lua".split()


@pytest.mark.parametrize(
    ("patterns", "number", "code"),
    [
        ('["src/**"]', 9, FindingCode.SHADOWED_RULE),
        ('["src/*", "{}"]', 3, FindingCode.SHADOWED_RULE),
        ('["src/*", "{}"]', 9, FindingCode.NOT_COMPARED),
    ],
)
def test_rules_with_two_conditions_each_are_compared_up_to_a_number(
    patterns: str, number: int, code: FindingCode
) -> None:
    before = "".join(
        rule(name, f"priority = {place}", f"paths = {patterns.format(name)}", f'languages = ["{name}"]')
        for place, name in enumerate(LANGUAGES[:number])
    )
    last = rule("last", "priority = 99", 'paths = ["src/**"]', f"languages = {LANGUAGES[:number]!r}")
    assert [(finding.code, finding.rules[-1]) for finding in checked(before + last)] == [(code, "last")]


LOADED = """\
import sys
from smista_mcp.cli import main
status = main(sys.argv[1:])
print(*sorted(name for name in sys.modules if name.startswith("smista_mcp.core")), file=sys.stderr)
sys.exit(status)
"""


def loaded(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return set(done.stderr.split())


def test_only_policy_check_loads_what_compares_conditions() -> None:
    compares = {"smista_mcp.core.checking.conditions", "smista_mcp.core.globs.search"}
    told = loaded("route", "plan it", "--preset", "balanced")
    assert "smista_mcp.core.checking" in told
    assert compares.isdisjoint(told)
    assert compares <= loaded("policy", "check", "--preset", "balanced")
