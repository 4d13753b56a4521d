from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from smista_mcp.cli.parser import Options, build_parser, parse
from smista_mcp.cli.verbs import VERBS as TABLE
from smista_mcp.cli.verbs import Verb
from smista_mcp.errors import Code, InvalidTask

VERBS = "serve-stdio serve-http classify route dispatch explain policy init token models local".split()


@pytest.mark.parametrize(
    "arguments", [["--preset", "x", "--json", "route", "t"], ["route", "t", "--json", "--preset", "x"]]
)
def test_what_holds_everywhere_stands_before_or_after_the_verb(arguments: list[str]) -> None:
    options = parse(arguments)
    assert (options.command, options.text, options.json, options.preset) == ("decisions:route", "t", True, "x")


def test_the_last_word_of_two_counts() -> None:
    assert parse(["--preset", "a", "route", "t", "--preset", "b"]).preset == "b"


def test_what_is_not_given_has_its_customary_value() -> None:
    options = parse(["serve-http"])
    assert (options.host, options.port, options.json, options.workspace) == ("127.0.0.1", 7331, False, None)


def test_options_of_a_task_are_taken_as_written() -> None:
    options = parse(["route", "t", "--path", "a", "--path", "b", "--diff", "-", "--context", "pull_request"])
    assert (options.path, options.diff, options.context) == (["a", "b"], Path("-"), ["pull_request"])


def test_a_home_folder_is_spelled_out() -> None:
    assert parse(["models", "--policy", "~/p.toml"]).policy == Path.home() / "p.toml"
    assert parse(["models", "--policy", "~nobody-of-that-name/p"]).policy == Path("~nobody-of-that-name/p")


def test_a_text_that_begins_with_a_dash_follows_two() -> None:
    assert parse(["route", "--", "-x"]).text == "-x"


def test_a_verb_that_is_only_a_value_means_nothing() -> None:
    options = parse(["route", "policy", "--preset", "models"])
    assert (options.command, options.text, options.preset) == ("decisions:route", "policy", "models")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--json"],
        ["polcy"],
        ["policy"],
        ["local"],
        ["route"],
        ["route", "two", "words"],
        ["route", "t", "--nope"],
        ["route", "t", "--pre", "x"],
        ["route", "t", "--preset", ""],
        ["serve-http", "--port", "x"],
        ["install", "--host", "claude-code"],
        ["policy", "diff"],
    ],
)
def test_what_makes_no_sense_is_an_invalid_call_with_the_next_step(arguments: list[str]) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse(arguments)
    assert caught.value.code is Code.INVALID_TASK
    assert "--help" in caught.value.fix


def test_the_missing_part_of_a_command_is_asked_for_where_it_is_missing() -> None:
    with pytest.raises(InvalidTask) as caught:
        parse(["policy"])
    assert "smista-mcp policy --help" in caught.value.fix


@pytest.mark.parametrize("arguments", [["--help"], ["route", "--help"], ["policy", "--help"], ["--version"]])
def test_help_and_version_end_well(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(("usage: smista-mcp", "smista-mcp "))


def test_the_help_names_every_verb() -> None:
    words = build_parser([]).format_help()
    assert [verb for verb in VERBS if f"\n    {verb} " not in words] == []


def every(verbs: Sequence[Verb]) -> Iterator[Verb]:
    for verb in verbs:
        yield verb
        yield from every(verb.verbs)


def test_what_may_be_left_out_has_a_value() -> None:
    for verb in every(TABLE):
        parser = ArgumentParser(add_help=False)
        if verb.arguments:
            verb.arguments(parser)
        assert [action.dest for action in parser._actions if not hasattr(Options, action.dest)] == [], verb.name
