"""Policies with one thing wrong, and odd ones with nothing wrong: exactly what is found, and on which line."""

from pathlib import Path

import pytest
from checking_cases import Case, cases

from smista_mcp.core.findings import Finding, FindingCode
from smista_mcp.core.values import Layer
from smista_mcp.loading.layers import LayerFile, examine, read_files

HERE = Path(__file__).parent
FAULTY = list(cases(HERE / "faulty.txt"))
CLEAN = list(cases(HERE / "clean.txt"))
PRESETS = sorted((HERE.parents[1] / "policies").glob("*.toml"))


def brief(findings: tuple[Finding, ...]) -> list[tuple[str, str, int | None]]:
    return sorted((f.severity.value[0].upper(), f.code.value, f.line) for f in findings)


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_what_is_wrong_is_found_on_its_line_and_nothing_else(case: Case, tmp_path: Path) -> None:
    found = examine(case.reading(tmp_path))
    assert brief(found) == sorted(case.found)
    assert all(finding.fix and finding.message for finding in found)


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.name)
def test_nothing_is_found_where_nothing_is_wrong(case: Case, tmp_path: Path) -> None:
    assert case.found == ()
    assert brief(examine(case.reading(tmp_path))) == []


@pytest.mark.parametrize("file", PRESETS, ids=lambda file: file.stem)
def test_a_shipped_policy_is_clean_as_a_file_of_its_own(file: Path) -> None:
    assert examine(read_files([LayerFile(Layer.USER, file, required=True)])) == ()


def fixes(text: str, tmp_path: Path) -> dict[str, str]:
    """What to write instead, by code and key."""
    file = tmp_path / "policy.toml"
    file.write_text(f'{text}[routing.default]\nmodel = "ollama/x"\n', encoding="utf-8")
    return {f"{one.code} {one.at}": one.fix for one in examine(read_files([LayerFile(Layer.USER, file)]))}


def test_a_dead_rule_and_the_pattern_that_is_its_cause_are_mended_in_one_way(tmp_path: Path) -> None:
    found = fixes('[[routing.rules]]\nname = "a"\npaths = ["./src", "a//b"]\nmodel = "ollama/x"\n', tmp_path)
    first, second = (found[f"suspicious_glob routing.rules[0].paths[{number}]"] for number in range(2))
    assert found["dead_rule routing.rules[0].paths"] == f"{first}; {second}"


def test_a_fix_shows_how_it_is_written(tmp_path: Path) -> None:
    found = fixes('test = "x"\nrouting.rules = 1\n', tmp_path)
    assert "`[[test]]`" in found["invalid_type test"]
    assert "`[[routing.rules]]`" in found["invalid_type routing.rules"]
    (fix,) = fixes('[privacy]\nrestricted_paths = ["\\\\"]\n', tmp_path).values()
    assert "``" not in fix


def test_there_is_a_case_for_each_code() -> None:
    found = {code for case in FAULTY for _, code, _ in case.found}
    assert found == set(FindingCode) - {FindingCode.NOT_COMPARED, FindingCode.PLUGIN_UNUSABLE}
    assert len(FAULTY) >= 60
    assert len(CLEAN) >= 15
