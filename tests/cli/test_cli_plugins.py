"""A policy's plugin, installed and run as it is: a distribution in a folder of packages, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command_line import PATIENCE_S, CommandLine
from distributions import install

EXAMPLE = (Path(__file__).parents[1] / "plugins/frugal.py").read_text(encoding="utf-8")
OPUS, LUNA = "anthropic/claude-opus", "openai/gpt-luna"
POLICY = f"""\
[routing.default]
model = "{OPUS}"
fallbacks = ["{LUNA}"]

[privacy.remote]
mode = "allow"

[plugins]
select = "frugal:select"
"""
KEYS = {"ANTHROPIC_API_KEY": "made-up", "OPENAI_API_KEY": "made-up"}
MARK = "from pathlib import Path\nPath(r'{}').touch()\ndef select(asked):\n    return []\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An empty folder of packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def policy(home: Path) -> Path:
    file = home / "config.toml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def decided(
    shell: CommandLine, *places: Path | str, text: str = "fix it", variables: Mapping[str, str] | None = None
) -> Any:
    """The decision of a process that finds packages in these places first."""
    path = os.pathsep.join([*map(str, places), shell.environment()["PYTHONPATH"]])
    told = shell.run("route", text, "--json", variables={**KEYS, "PYTHONPATH": path, **(variables or {})})
    assert "Traceback" not in told.err
    return told.json["decisions"][0]


def test_the_example_tries_what_costs_least_for_small_work_alone(shell: CommandLine, site: Path) -> None:
    install(site, {"frugal.py": EXAMPLE}, name="frugal", version="1.2")
    small = decided(shell, site)
    assert (small["model"], small["fallbacks"], small["status"]) == (LUNA, [OPUS], "routed")
    assert "plugin `frugal:select` (frugal 1.2) puts" in small["reason"]
    large = decided(shell, site, text="fix it, " * 2000)
    assert (large["model"], large["fallbacks"]) == (OPUS, [LUNA])
    assert "frugal" not in large["reason"]


def test_an_explanation_names_it_and_a_policys_tests_go_through_it(
    shell: CommandLine, site: Path, policy: Path
) -> None:
    install(site, {"frugal.py": EXAMPLE}, name="frugal", version="1.2")
    policy.write_text(
        f'{POLICY}[[test]]\nname = "small"\ntask = {{ text = "fix it" }}\nexpect = {{ model = "{LUNA}" }}\n',
        encoding="utf-8",
    )
    path = {**KEYS, "PYTHONPATH": os.pathsep.join([str(site), shell.environment()["PYTHONPATH"]])}
    assert "frugal 1.2" in shell.run("explain", "fix it", variables=path).out
    assert shell.run("policy", "test", variables=path).status == 0
    assert shell.run("policy", "test", variables=KEYS).status == 1
    shown = shell.run("policy", "show", "--json", variables=KEYS).json["values"]
    assert [one["value"] for one in shown if one["key"] == "plugins.select"] == ["frugal:select"]


def test_one_that_cannot_be_used_is_found_in_the_own_policy_and_never_loaded_for_a_named_file(
    shell: CommandLine, site: Path, policy: Path, tmp_path: Path
) -> None:
    told = shell.run("policy", "check", "--json")
    (found,) = told.json["findings"]
    assert (told.status, found["code"], found["at"], found["line"]) == (1, "plugin_unusable", "plugins.select", 9)
    ran = tmp_path / "ran"
    (site / "frugal.py").write_text(MARK.format(ran), encoding="utf-8")
    path = {"PYTHONPATH": os.pathsep.join([str(site), shell.environment()["PYTHONPATH"]])}
    assert shell.run("policy", "check", "--user", str(policy), variables=path).status == 0
    assert not ran.exists()
    assert shell.run("policy", "check", variables=path).status == 0
    assert ran.exists()


def test_another_version_or_source_is_another_decision(shell: CommandLine, site: Path) -> None:
    seen: list[tuple[str, str]] = []
    for version, source in (("1.0", EXAMPLE), ("1.0", EXAMPLE), ("1.1", EXAMPLE), ("1.1", f"{EXAMPLE}\n# changed\n")):
        install(site, {"frugal.py": source}, name="frugal", version=version)
        one = decided(shell, site)
        seen.append((one["inputs"]["plugin"], one["decision_id"]))
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
    assert len({decision for _, decision in seen}) == 3


def test_a_module_without_a_distribution_counts_by_its_source(shell: CommandLine, site: Path) -> None:
    (site / "frugal.py").write_text(EXAMPLE, encoding="utf-8")
    one = decided(shell, site)
    assert one["model"] == LUNA
    assert "plugin `frugal:select` puts" in one["reason"]
    (site / "frugal.py").write_text(f"{EXAMPLE}\n", encoding="utf-8")
    assert decided(shell, site)["inputs"]["plugin"] != one["inputs"]["plugin"]


# ------------------------------------------------------------------------------- what a repository brings never runs


def refused(decision: Any, *words: str) -> bool:
    assert (decision["status"], decision["code"]) == ("refused", "policy_invalid")
    return all(word in decision["reason"] for word in words)


@pytest.mark.parametrize("place", ["", ".", "lib", "absolute"])
def test_a_module_of_the_workspace_is_refused_before_it_runs(
    place: str, shell: CommandLine, workspace: Path, tmp_path: Path
) -> None:
    folder = workspace / ("lib" if place in ("lib", "absolute") else ".")
    folder.mkdir(exist_ok=True)
    ran = tmp_path / "ran"
    (folder / "frugal.py").write_text(MARK.format(ran), encoding="utf-8")
    assert refused(decided(shell, str(folder) if place == "absolute" else place), "frugal:select")
    assert not ran.exists()


def test_neither_is_one_that_a_link_or_a_package_leads_to(
    shell: CommandLine, workspace: Path, site: Path, tmp_path: Path, policy: Path
) -> None:
    ran = tmp_path / "ran"
    (workspace / "frugal.py").write_text(MARK.format(ran), encoding="utf-8")
    (site / "frugal.py").symlink_to(workspace / "frugal.py")
    assert refused(decided(shell, site), "workspace")
    (site / "frugal.py").unlink()
    policy.write_text(POLICY.replace("frugal:", "outer.frugal:"), encoding="utf-8")
    (site / "outer").symlink_to(workspace, target_is_directory=True)  # without `__init__.py`: a namespace
    assert refused(decided(shell, site), "workspace")
    (site / "outer").unlink()
    (site / "outer").mkdir()
    (site / "outer/__init__.py").touch()
    (site / "outer/frugal.py").symlink_to(workspace / "frugal.py")
    assert refused(decided(shell, site), "workspace")
    assert not ran.exists()


def test_an_installed_one_is_taken_where_the_workspace_has_one_of_that_name_too(
    shell: CommandLine, workspace: Path, site: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    (workspace / "frugal.py").write_text(MARK.format(ran), encoding="utf-8")
    install(site, {"frugal.py": EXAMPLE}, name="frugal")
    assert decided(shell, workspace, site)["model"] == LUNA
    assert not ran.exists()


def test_what_the_plugin_imports_does_not_come_from_the_workspace_either(
    shell: CommandLine, workspace: Path, site: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    for name in ("pricing", "wave"):
        (workspace / f"{name}.py").write_text(f"{MARK.format(ran)}CHEAP = False\n", encoding="utf-8")
    source = EXAMPLE.replace("    return", "    import wave\n    assert CHEAP and wave.open\n    return")
    files = {"frugal.py": f"from pricing import CHEAP\n{source}", "pricing.py": "CHEAP = True\n"}
    install(site, files, name="frugal")
    assert decided(shell, site)["model"] == LUNA
    assert not ran.exists()


@pytest.mark.parametrize("path", [".", "there"])
def test_where_people_keep_their_packages_below_it_the_working_directory_alone_counts(path: str, site: Path) -> None:
    (site / "there").mkdir()
    install(site / path, {"frugal.py": EXAMPLE}, name="frugal")
    source = (
        "import sys\nfrom pathlib import Path\nfrom smista_mcp.loading.files import Foreign\n"
        "from smista_mcp.loading.plugins import load_plugin\nsys.path.insert(0, sys.argv[1])\n"
        "print(load_plugin('frugal:select', Foreign((), Path.cwd())).failure)"
    )
    command = [sys.executable, "-c", source, str(site / path)]
    done = subprocess.run(command, cwd=site, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stdout.strip() == ("is in no installed package" if path == "." else "")


# ------------------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("files", "select", "words"),
    [
        ({}, "frugal:select", ["is in no installed package"]),
        ({"frugal.py": EXAMPLE}, "frugal.inner:select", ["is in no installed package"]),
        ({"frugal/a.txt": ""}, "frugal:select", ["is in no installed package"]),
        ({}, "sys:exit", ["is in no installed package"]),
        ({}, "__main__:program", ["is in no installed package"]),
        ({"frugal.py": EXAMPLE}, "frugal:other", ["no function"]),
        ({"frugal.py": "select = 1\n"}, "frugal:select", ["no function"]),
        ({"frugal.py": "import nowhere_to_be_found\n"}, "frugal:select", ["imported", "ModuleNotFoundError"]),
        ({"frugal.py": "def select(:\n"}, "frugal:select", ["imported", "SyntaxError"]),
        ({"frugal.py": "raise SystemExit(3)\n"}, "frugal:select", ["imported", "SystemExit"]),
        ({"frugal.py": "def select(asked):\n    raise KeyError('x')\n"}, "frugal:select", ["failed", "KeyError"]),
        ({"frugal.py": "def select():\n    return []\n"}, "frugal:select", ["failed", "TypeError"]),
        ({"frugal.py": "def select(asked):\n    return asked['candidates']\n"}, "frugal:select", ["list of names"]),
        ({"a/__init__.py": "", "a/b/__init__.py": "", "a/b/c.py": "1 / 0"}, "a.b.c:d", ["ZeroDivisionError"]),
    ],
    ids=str,
)
def test_a_failure_names_the_plugin_and_its_kind(
    files: Mapping[str, str], select: str, words: list[str], shell: CommandLine, site: Path, policy: Path
) -> None:
    policy.write_text(POLICY.replace("frugal:select", select), encoding="utf-8")
    install(site, files, name="frugal")
    assert refused(decided(shell, site), select, *words)


def test_a_server_goes_on_after_a_failure_and_takes_a_plugin_that_is_mended(site: Path, home: Path) -> None:
    source = f"""
import sys
from pathlib import Path
from smista_mcp.app import open_app
from smista_mcp.core.task import Task
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings
app = open_app(Settings(environment=Environment.read()))
for text in ("def select(:", {EXAMPLE!r}, "raise SystemExit"):
    Path(sys.argv[1], "frugal.py").write_text(text)
    (one,) = app.route(Task(text="fix it")).decisions
    print(one.code, one.model, "plugin" in one.inputs)
"""
    clean = CommandLine(home, site.parent).environment(KEYS)
    done = subprocess.run(
        [sys.executable, "-B", "-c", source, str(site)],
        cwd=home,
        env={**clean, "PYTHONPATH": os.pathsep.join([str(site), clean["PYTHONPATH"]])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "policy_invalid None True",
        f"None {LUNA} True",
        f"None {LUNA} True",  # what was loaded once stays
    ]


def test_without_a_plugin_nothing_of_it_is_loaded(shell: CommandLine, policy: Path) -> None:
    policy.write_text(POLICY.partition("[plugins]")[0], encoding="utf-8")
    source = (
        "import sys\nfrom smista_mcp.cli import main\nmain(['route', 'x', '--json'])\n"
        "sys.exit('smista_mcp.loading.plugins' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", source], cwd=shell.folder, env=shell.environment(KEYS), capture_output=True, check=True
    )


# ------------------------------------------------------------------------------------- what it prints, and what it is

LOUD = """\
import sys
print("HELLO import")

def select(asked):
    print("HELLO call")
    sys.stdout.write("HELLO write")
    return [candidate["model"] for candidate in asked["candidates"]]
"""


def test_what_a_plugin_prints_does_not_reach_standard_output(shell: CommandLine, site: Path) -> None:
    install(site, {"frugal.py": LOUD}, name="frugal")
    path = {**KEYS, "PYTHONPATH": os.pathsep.join([str(site), shell.environment()["PYTHONPATH"]])}
    told = shell.run("route", "fix it", "--json", variables=path)
    assert told.json["decisions"][0]["status"] == "routed"
    assert "HELLO" not in told.out
    assert told.err.count("HELLO") == 3
    assert "HELLO" not in shell.run("route", "fix it", variables=path).out


@pytest.mark.parametrize("name", ["smista_mcp.cli:main", "smista_mcp.core.globs:names", "smista_mcp:__version__"])
def test_what_is_smistas_own_is_no_plugin(name: str, shell: CommandLine, policy: Path) -> None:
    policy.write_text(POLICY.replace("frugal:select", name), encoding="utf-8")
    assert refused(decided(shell), name, "smista itself")
