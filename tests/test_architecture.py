"""House rules that neither the linter nor the import contracts can hold."""

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "smista_mcp").rglob("*.py"))
NAMELESS_MODULES = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base_utils"}
NAMELESS_CLASS = re.compile(r"(Manager|Handler|Service|Helper|Util|Utils)$")
MAX_LINES = 400
CHARACTER_SET = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{\d*,?\d*\})\+")


def _name(module: Path) -> str:
    return str(module.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_has_at_most_400_lines(module: Path) -> None:
    lines = len(module.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_is_named_by_what_it_holds(module: Path) -> None:
    assert NAMELESS_MODULES.isdisjoint({module.stem.strip("_"), module.parent.name})


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_class_is_named_by_what_it_is(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert [name for name in classes if NAMELESS_CLASS.search(name)] == []


def _texts(tree: ast.AST) -> list[str]:
    """String literals; each value inside an f-string is an `x`."""
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inner = {id(part) for node in joined for part in node.values}
    whole = ["".join(str(p.value) if isinstance(p, ast.Constant) else "x" for p in node.values) for node in joined]
    single = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in inner]
    return whole + [node.value for node in single if isinstance(node.value, str)]


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_no_pattern_repeats_a_group_possessively(module: Path) -> None:
    """Python before 3.11.5 gets those wrong (python/cpython#106052); an atomic group around the repeat is right."""
    texts = _texts(ast.parse(module.read_text(encoding="utf-8")))
    assert [text for text in texts if POSSESSIVE_GROUP.search(CHARACTER_SET.sub("x", text))] == []


def test_each_test_file_has_a_name_of_its_own() -> None:
    times = Counter(file.name for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in times.items() if count > 1] == []


def test_the_lock_names_no_address() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_lock_pins_what_the_project_asks_for() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    asked += project["optional-dependencies"]["test"] + project["optional-dependencies"]["sdks"]
    for requirement in map(Requirement, asked):
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(pins[requirement.name]), requirement
