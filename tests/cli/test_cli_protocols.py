"""A wire protocol of an installed package, as the command line tells of it: found, unusable, or never touched."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import CommandLine
from distributions import install

SOURCE = (Path(__file__).parents[1] / "plugins/parley.py").read_text(encoding="utf-8")
MODEL = "protocol:mine/large"
POLICY = f"""\
[routing.default]
model = "{MODEL}"

[privacy.remote]
mode = "allow"

[providers."protocol:mine"]
base_url = "https://models.example"
type = "parley"
"""
OFFERED = {"parley": "parley:PROTOCOL"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def policy(home: Path) -> Path:
    file = home / "config.toml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def found(shell: CommandLine, *sites: Path) -> Mapping[str, str]:
    return {"PYTHONPATH": os.pathsep.join([*map(str, sites), shell.environment()["PYTHONPATH"]])}


def test_one_that_can_be_spoken_is_a_model_like_any_other(shell: CommandLine, site: Path) -> None:
    install(site, {"parley.py": SOURCE}, name="parley", version="1.2", protocols=OFFERED)
    told = shell.run("route", "what is a monad?", "--json", variables=found(shell, site))
    (decision,) = told.json["decisions"]
    assert (decision["status"], decision["model"], decision["locality"]) == ("routed", MODEL, "remote")
    assert shell.run("policy", "check", "--json", variables=found(shell, site)).json == {"ok": True, "findings": []}
    assert MODEL in shell.run("models", variables=found(shell, site)).out


def test_what_is_wrong_with_one_is_said_and_nothing_is_routed_to_it(shell: CommandLine, site: Path) -> None:
    install(site, {"parley.py": "raise SystemExit(3)\n"}, name="parley", version="1.2", protocols=OFFERED)
    told = shell.run("policy", "check", "--json", variables=found(shell, site))
    (finding,) = told.json["findings"]
    place = 'providers."protocol:mine".type'
    assert (told.status, finding["code"], finding["at"], finding["line"]) == (1, "plugin_unusable", place, 9)
    assert "(SystemExit)" in finding["message"]
    decision = shell.run("route", "what is a monad?", "--json", variables=found(shell, site)).json["decisions"][0]
    assert (decision["status"], decision["code"]) == ("refused", "provider_unavailable")
    assert "(SystemExit)" in decision["reason"]


def test_to_look_at_a_file_runs_nothing_that_it_names(
    shell: CommandLine, site: Path, policy: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    source = f"from pathlib import Path\nPath(r'{ran}').touch()\n{SOURCE}"
    install(site, {"parley.py": source}, name="parley", protocols=OFFERED)
    assert shell.run("policy", "check", "--user", str(policy), variables=found(shell, site)).status == 0
    assert not ran.exists()
    assert shell.run("policy", "check", variables=found(shell, site)).status == 0
    assert ran.exists()


def test_without_one_nothing_of_it_is_loaded(shell: CommandLine, policy: Path) -> None:
    policy.write_text(POLICY.partition("[providers")[0].replace(MODEL, "openai/gpt-luna"), encoding="utf-8")
    source = (
        "import sys\nfrom smista_mcp.cli import main\nmain(['route', 'x', '--json'])\n"
        "late = {'smista_mcp.loading.plugins', 'smista_mcp.providers.installed', 'smista_mcp.providers.heads'}\n"
        "sys.exit(repr(late & set(sys.modules)) if late & set(sys.modules) else 0)"
    )
    told = subprocess.run(
        [sys.executable, "-c", source], cwd=shell.folder, env=shell.environment({}), capture_output=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, b"")
