"""Where a comparison is given up, and what the checker costs those who do not ask for it."""

import subprocess
import sys
from random import Random

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
    assert {(finding.code, finding.severity) for finding in found} == {(FindingCode.NOT_COMPARED, Severity.WARNING)}
    assert len({finding.rules for finding in found}) == len(found)
    assert (("a", "b") in {finding.rules for finding in found}) == (key == "local")


def test_a_tie_that_cannot_be_compared_is_said() -> None:
    one, other = entangled(60)
    found = checked(
        rule("a", f'paths = ["{one}c{one}d"]') + rule("b", f'paths = ["{other}e{other}"]', 'effort = "low"')
    )
    assert (FindingCode.NOT_COMPARED, ("a", "b")) in {(finding.code, finding.rules) for finding in found}
    assert {finding.code for finding in found} == {FindingCode.NOT_COMPARED}


def hostile(number: int, parts: int) -> list[str]:
    """Patterns any two of which meet, by a path that is long in finding."""
    draw = Random(number)  # noqa: S311  the same patterns each time
    words = ["*".join(["", *draw.choices("abcdef", k=3), ""]) for _ in range(parts)]
    return [f"**/{'/**/'.join(words)}"]


def test_much_that_is_entangled_is_given_up_in_time_and_told_in_few_findings() -> None:
    found = checked("".join(rule(f"r{n}", f"paths = {hostile(n, 6)!r}", model=f"ollama/m{n}") for n in range(70)))
    given_up = [finding for finding in found if finding.code is FindingCode.NOT_COMPARED]
    assert 0 < len(given_up) <= 21
    assert given_up[-1].rules


def test_a_pattern_that_is_hard_to_search_does_not_keep_folders_from_being_compared() -> None:
    hard = "".join(rule(f"r{n}", f"paths = {hostile(n, 6)!r}", model=f"ollama/m{n}") for n in range(80))
    plain = "".join(rule(f"p{n}", "priority = 1", f'paths = ["src/p{n}/**"]') for n in range(50))
    told = {name for finding in checked(hard + plain) for name in finding.rules}
    assert not any(name.startswith("p") for name in told)


def test_of_many_rules_that_tie_each_is_told_with_some_and_counted_with_the_rest() -> None:
    found = checked("".join(rule(f"r{n}", 'paths = ["src/**"]', model=f"ollama/m{n}") for n in range(30)))
    pairs = [finding for finding in found if finding.code is FindingCode.AMBIGUOUS_PAIR]
    told = {(earlier, finding.rules[-1]) for finding in pairs for earlier in finding.rules[:-1]}
    assert told == {(f"r{one}", f"r{other}") for other in range(30) for one in range(other)}
    assert max(sum(finding.rules[-1] == f"r{n}" for finding in pairs) for n in range(30)) == 11
    assert {finding.severity for finding in pairs} == {Severity.ERROR}
    assert all(finding.witness for finding in pairs)


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
