"""What the README says can be typed, loaded and found."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from command_line import CommandLine
from deciding import layer

from smista_mcp.cli.parser import parse
from smista_mcp.loading.presets import FIRST_RUN, preset_names

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    lines = [line.removeprefix("$ ") for block in (*blocks("sh"), *blocks("console")) for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [part for part in parts if part.startswith("smista-mcp ")]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_that_the_command_line_takes(command: str) -> None:
    assert parse(shlex.split(command, comments=True)[1:]).command


@pytest.mark.parametrize("policy", [block for block in blocks("toml") if not block.startswith("[[test]]")])
def test_every_policy_loads_without_a_finding(policy: str) -> None:
    tomllib.loads(policy)
    assert layer(policy).document.routing.default is not None


def test_the_review_of_a_change_prints_what_is_shown(tmp_path: Path) -> None:
    """The story as it is told, in a folder that no repository holds: one rule changes, three commands are run."""
    policy = next(block for block in blocks("toml") if "security code is reviewed" in block)
    (tmp_path / "config.test.toml").write_text(next(b for b in blocks("toml") if b.startswith("[[test]]")), "utf-8")
    (tmp_path / "config.toml").write_text(policy, "utf-8")
    (tmp_path / "old.toml").write_text(policy, "utf-8")
    shell = CommandLine(tmp_path, tmp_path)
    for task in (["review the login", "--path", "src/auth/login.rs"], ["plan the new importer"]):
        shell.run("route", *task)
    before, after = re.findall(r"^[-+](.*)\n", blocks("diff")[0], re.MULTILINE)
    assert policy.count(before) == 1
    (tmp_path / "config.toml").write_text(policy.replace(before, after), "utf-8")
    told = [block for block in blocks("console") if block.count("$ ") == 1]
    assert len(told) == 3
    for block in told:
        command, _, shown = block.partition("\n")
        found = shell.run(*shlex.split(command)[2:]).out
        assert _without_chance(shown) == _without_chance(found.replace(str(tmp_path), "~/.config/smista")), found


def _without_chance(text: str) -> str:
    """What depends on the machine (ids) or on the day (prices) taken out."""
    return re.sub(r"\b[0-9a-f]{12}\b", "ID", re.sub(r"[0-9]+\.[0-9]+ USD", "AMOUNT", text))


def test_every_preset_that_ships_is_named() -> None:
    for name in set(preset_names()) - {FIRST_RUN}:
        assert f"`{name}`" in README


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_paragraph_that_the_first_command_sums_up_is_where_it_says() -> None:
    first, last = map(int, re.findall(r"README\.md:(\d+)-(\d+)", README)[0])
    paragraph = README.splitlines()[first - 1 : last]
    assert all(paragraph)
    assert README.splitlines()[first - 2] == README.splitlines()[last] == ""
