"""What the README says can be typed, loaded and found."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from command_line import CommandLine
from deciding import layer

from smista_mcp.cli.parser import parse
from smista_mcp.core.checking import check, faults
from smista_mcp.core.layering import merge
from smista_mcp.core.values import Layer
from smista_mcp.loading.presets import FIRST_RUN, preset_names

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    lines = [
        line.removeprefix("$ ").partition(" > ")[0]
        for block in (*blocks("sh"), *blocks("console"))
        for line in block.splitlines()
    ]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [part for part in parts if part.startswith("smista-mcp ")]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_that_the_command_line_takes(command: str) -> None:
    assert parse(shlex.split(command, comments=True)[1:]).command


@pytest.mark.parametrize("policy", [block for block in blocks("toml") if not block.startswith("[[test]]")])
def test_every_policy_loads_without_a_finding(policy: str) -> None:
    tomllib.loads(policy)
    if policy.startswith("# /etc/smista/policy.toml"):
        company = layer(policy, Layer.ORGANISATION)
        assert faults([company], merge([company])) == ()
        own = layer('[privacy.remote]\nmode = "allow"\n[routing.default]\nmodel = "host/current"\n')
        found = check([company, own], merge([company, own]))
        assert [(finding.code, finding.at) for finding in found] == [("org_lock_violation", "privacy.remote.mode")]
    else:
        assert layer(policy).document.routing.default is not None


def test_the_review_of_a_change_prints_what_is_shown(tmp_path: Path) -> None:
    """The story as it is told, in a folder that no repository holds: one rule changes, three commands are run."""
    policy = next(block for block in blocks("toml") if "security code is reviewed" in block)
    folder = tmp_path / ".config/smista"
    folder.mkdir(parents=True)
    (folder / "config.test.toml").write_text(next(b for b in blocks("toml") if b.startswith("[[test]]")), "utf-8")
    (folder / "config.toml").write_text(policy, "utf-8")
    (folder / "old.toml").write_text(policy, "utf-8")
    shell, home = CommandLine(folder, folder), {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    for task in (["review the login", "--path", "src/auth/login.rs"], ["plan the new importer"]):
        shell.run("route", *task, variables=home)
    before, after = re.findall(r"^[-+](.*)\n", blocks("diff")[0], re.MULTILINE)
    assert policy.count(before) == 1
    (folder / "config.toml").write_text(policy.replace(before, after), "utf-8")
    told = [block for block in blocks("console") if block.count("$ ") == 1 and block.count("\n") > 1]  # with an output
    assert len(told) == 3
    for block in told:
        command, _, shown = block.partition("\n")
        found = shell.run(*shlex.split(command)[2:], variables=home).out
        assert _without_chance(shown) == _without_chance(found), found


def _without_chance(text: str) -> str:
    """What depends on the machine (ids) or on the day (prices) taken out."""
    return re.sub(r"\b[0-9a-f]{12}\b", "ID", re.sub(r"[0-9]+\.[0-9]+ USD", "AMOUNT", text))


def test_every_preset_that_ships_is_named() -> None:
    for name in set(preset_names()) - {FIRST_RUN}:
        assert f"`{name}`" in README


def test_the_plugin_that_is_shown_is_the_one_that_is_tested() -> None:
    assert blocks("python") == [(ROOT / "tests/plugins/frugal.py").read_text(encoding="utf-8")]


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_paragraph_that_the_first_command_sums_up_is_where_it_says() -> None:
    first, last = map(int, re.findall(r"README\.md:(\d+)-(\d+)", README)[0])
    paragraph = README.splitlines()[first - 1 : last]
    assert all(paragraph)
    assert README.splitlines()[first - 2] == README.splitlines()[last] == ""
