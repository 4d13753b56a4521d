"""Canaries in what the command line is given: none in what it prints, logs and keeps."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from canaries import CANARIES, NAMES, Canary, batches, found_in, left_below, parrot
from command_line import CommandLine
from fake_ollama import FakeOllama


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    with parrot() as fake:
        yield fake


def checked(shell: CommandLine, canaries: Sequence[Canary], *arguments: str, stdin: bytes = b"") -> None:
    done = shell.run("--debug", *arguments, stdin=stdin)
    assert found_in(done.out + done.err, canaries) == [], arguments[0]


@pytest.mark.parametrize("canaries", batches(CANARIES, 100), ids=lambda batch: batch[0].kind)
def test_in_words_and_files(shell: CommandLine, local_policy: Path, canaries: Sequence[Canary]) -> None:
    lines = "\n".join(canary.text for canary in canaries)
    (shell.folder / "all.txt").write_text(lines, encoding="utf-8")
    checked(shell, canaries, "classify", f"explain this:\n{lines}")
    checked(shell, canaries, "route", "--json", f"explain this:\n{lines}")
    checked(shell, canaries, "route", "explain all.txt")
    checked(shell, canaries, "dispatch", "explain all.txt")
    checked(shell, canaries, "dispatch", "explain all.txt and break off")
    checked(shell, canaries, "explain", "--last")
    assert left_below(shell.home) == []


def test_in_names(shell: CommandLine, local_policy: Path) -> None:
    for canary in NAMES[::40]:
        checked(shell, [canary], "route", "explain this", "--path", canary.value)
        checked(shell, [canary], "route", "explain this", "--path", f"../{canary.value}")
        checked(shell, [canary], "route", "explain this", "--model", canary.value)
        checked(shell, [canary], "explain", canary.value)
    assert left_below(shell.home) == []


def test_a_case_of_a_policy_may_expect_that_a_secret_stays_here(shell: CommandLine) -> None:
    canary = next(one for one in NAMES if one.kind == "github_token")
    case = f'[[test]]\nname = "keys stay"\ntask = {{ text = "explain {canary.value}" }}\n'
    policy = '[routing.default]\nmodel = "anthropic/claude-sonnet"\n[privacy.remote]\nmode = "allow"\n' + case
    for code, status in (("secret_detected", 0), ("restricted_content", 1)):
        (shell.home / "config.toml").write_text(f'{policy}expect = {{ code = "{code}" }}\n', encoding="utf-8")
        done = shell.run("policy", "test")
        assert (done.status, found_in(done.out + done.err, [canary])) == (status, [])
