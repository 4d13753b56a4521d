"""`init` on a machine that has hosts, and over a policy that is there already."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from command_line import CommandLine, Here
from hypothesis import given
from hypothesis import strategies as st
from terminal import on_terminal, read_until

from smista_mcp.cli.proposal import Found, edited, propose
from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.values import Layer, Locality
from smista_mcp.errors import InvalidTask
from smista_mcp.loading.documents import parse
from smista_mcp.loading.policy_schema import policy_schema_text

NOTHING = Found(ProviderFacts(Locality.LOCAL, reachable=False), (), ())
SERVED = Found(ProviderFacts(Locality.LOCAL, reachable=True, models={"mine": LiveModel("mine")}), (), ())
"""A server with a model that no preset names."""
OWN = """\
# My policy.
# Two lines of it.

# which models

preset = "balanced"   # until the audit

[routing.default] # never remote
model = "ollama/qwen3" # local

  # indented
[[routing.rules]]
name = "r"
model = 'ollama/x'
"""


@pytest.fixture
def own(home: Path) -> Path:
    file = home / "config.toml"
    file.write_text(OWN, encoding="utf-8")
    return file


# ------------------------------------------------------------------------------------------------- what is changed


def test_another_preset_is_a_change_of_one_line() -> None:
    assert edited(OWN, NOTHING, "team") == OWN.replace('"balanced"', '"team"')
    assert edited(OWN, NOTHING, "balanced") == OWN


def test_what_init_wrote_itself_reads_as_if_it_had_been_written_so() -> None:
    assert edited(propose(NOTHING, "team"), NOTHING, "quality") == propose(NOTHING, "quality")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", 'preset = "team"\n'),
        ("# mine\n", '# mine\npreset = "team"\n'),
        ("# mine", 'preset = "team"\n\n# mine'),
        ("# head\n\n# of r\n[routing]\n", '# head\n\npreset = "team"\n\n# of r\n[routing]\n'),
        ("# of r\n[routing]\n", 'preset = "team"\n\n# of r\n[routing]\n'),
        ("#:schema ./s.json\n[routing]\n", '#:schema ./s.json\npreset = "team"\n\n[routing]\n'),
        ("#:schema ./s.json\n# of r\n[routing]\n", '#:schema ./s.json\npreset = "team"\n\n# of r\n[routing]\n'),
        ("[routing]\r\n# x\r\n", 'preset = "team"\r\n\r\n[routing]\r\n# x\r\n'),
        ("models.denied = []\n", 'preset = "team"\n\nmodels.denied = []\n'),
    ],
)
def test_a_first_preset_stands_behind_the_heading_and_before_everything_else(text: str, after: str) -> None:
    assert edited(text, NOTHING, "team") == after


def test_classes_that_the_preset_lacks_here_are_added_unless_the_file_has_them() -> None:
    text = '[classes.coding] # mine\nmodels = ["ollama/own"]\n\n[routing.default]\nmodel = "class:coding"\n\n\n'
    after = edited(text, SERVED, "local-first")
    assert after.startswith(f'preset = "local-first"\n\n{text.rstrip()}\n\n[classes.')
    classes = tomllib.loads(after)["classes"]
    assert classes["coding"] == {"models": ["ollama/own"]}
    assert classes["fast"]["models"][0] == "ollama/mine"
    assert parse(after.encode(), Layer.USER, "p.toml").findings == ()
    assert edited(after, SERVED, "local-first") == after


def test_what_cannot_be_edited_safely_is_told_with_what_to_write() -> None:
    text = 'classes = { own = { models = ["ollama/x"] } }\n'
    with pytest.raises(InvalidTask) as told:
        edited(text, SERVED, "local-first")
    assert "[classes.fast]" in told.value.fix
    assert edited(text, NOTHING, "team").endswith(text)
    parted = 'preset = "quality"\n[[budgets]]\n[models]\n[[budgets]]\n'
    with pytest.raises(InvalidTask) as told:
        edited(parted, NOTHING, "team")
    assert told.value.fix == 'add to it by hand: `preset = "team"`'


def test_classes_in_dotted_keys_are_joined_by_others() -> None:
    after = edited('classes.own.models = ["ollama/x"]\n', SERVED, "local-first")
    assert {"own", "fast"} <= tomllib.loads(after)["classes"].keys()


_LINES = st.lists(
    st.sampled_from(
        ("# a comment", "", " ", "#:schema ./x.json", "# odd \u2028 one", "# preset = 'x'", '["models"]', "denied = []",
         "[privacy]", "[routing]", "[routing.default]", "model = 'ollama/x'  # why", "[[budgets]]", "scope = 'all'",
         "preset = 'team' # mine", '"preset" = """\\\n  quality"""', "[classes.coding]", "models = ['ollama/x']",
         "dispatch.idle_s = 1")
    ),
    max_size=12,
)  # fmt: skip


@given(
    _LINES,
    st.sampled_from(("\n", "\r\n")),
    st.sampled_from((NOTHING, SERVED)),
    st.sampled_from(("team", "local-first")),
)
def test_everything_but_preset_and_classes_stays_as_it_is_written(
    lines: list[str], end: str, found: Found, preset: str
) -> None:
    text = "".join(line.replace("\n", end) + end for line in lines)
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    try:
        after = edited(text, found, preset)
    except InvalidTask:
        return
    values = tomllib.loads(after)
    assert values["preset"] == preset
    kept = [name for name in before if name not in ("preset", "classes")]
    assert {name: values[name] for name in kept} == {name: before[name] for name in kept}
    assert before.get("classes", {}).items() <= values.get("classes", {}).items()
    written = [line for line in text.split(end) if line.strip() and not re.search("preset|quality", line)]
    assert [line for line in after.split(end) if line in written][: len(written)] == written


# --------------------------------------------------------------------------------------------------- what is shown


def test_a_change_is_shown_as_a_diff_and_written_on_a_yes(shell: CommandLine, home: Path, own: Path) -> None:
    with on_terminal(shell, "init", "--preset", "team") as (process, ours):
        shown = read_until(ours, b"[y/N]").decode().replace("\r\n", "\n")
        assert own.read_text(encoding="utf-8") == OWN
        os.write(ours, b"y\n")
        read_until(ours, b"never")
        assert process.wait(50) == 0
    assert '\n-preset = "balanced"   # until the audit\n+preset = "team"   # until the audit\n' in shown
    assert "[[routing.rules]]" not in shown
    changed = own.read_text(encoding="utf-8")
    assert '"team"   # until the audit' in changed
    assert tomllib.loads(changed)["routing"] == tomllib.loads(OWN)["routing"]
    assert (home / "config.toml.bak").read_text(encoding="utf-8") == OWN
    assert stat.S_IMODE(own.stat().st_mode) == 0o600


def test_a_file_that_was_changed_since_it_was_shown_stays(shell: CommandLine, home: Path, own: Path) -> None:
    with on_terminal(shell, "init", "--preset", "team") as (process, ours):
        read_until(ours, b"[y/N]")
        own.write_text("# another\n", encoding="utf-8")
        os.write(ours, b"y\n")
        assert b"invalid_task" in read_until(ours, b"never")
        assert process.wait(50) == 2
    assert own.read_text(encoding="utf-8") == "# another\n"
    assert [path.name for path in home.iterdir()] == ["config.toml"]


def test_without_a_yes_a_change_is_only_shown(here: Here, home: Path, own: Path) -> None:
    told = here("init", "--preset", "team")
    assert told.status == 0
    assert '+preset = "team"' in told.out
    assert own.read_text(encoding="utf-8") == OWN
    document = here("init", "--preset", "team", "--json").json
    assert (document["written"], document["text"].replace('"team"', '"balanced"')) == (False, OWN)
    assert '+preset = "team"' in document["change"]
    assert [path.name for path in home.iterdir()] == ["config.toml"]


def test_where_nothing_has_to_change_nothing_is_written(here: Here, home: Path, own: Path) -> None:
    own.write_text(OWN.replace("balanced", "embedded"), encoding="utf-8")
    told = here("init", "--yes")
    assert told.status == 0
    assert "nothing to change" in told.out
    assert here("init", "--yes", "--json").json["written"] is False
    assert [path.name for path in home.iterdir()] == ["config.toml"]


def test_a_policy_that_is_not_in_order_is_not_edited(here: Here, own: Path) -> None:
    own.write_text("priority = 1\n", encoding="utf-8")
    told = here("init", "--preset", "team", "--yes", "--json")
    assert (told.status, told.json["error"]["code"]) == (1, "policy_invalid")
    assert own.read_text(encoding="utf-8") == "priority = 1\n"
    assert here("init", "--preset", "team", "--yes", "--force").status == 0


def test_a_mark_at_the_start_and_line_ends_stay(here: Here, own: Path) -> None:
    data = b"\xef\xbb\xbf" + OWN.replace("\n", "\r\n").encode()
    own.write_bytes(data)
    assert here("init", "--preset", "team", "--yes").status == 0
    assert own.read_bytes() == data.replace(b'"balanced"', b'"team"')


def test_a_folder_in_the_place_of_the_policy_is_left_alone(here: Here, home: Path) -> None:
    (home / "config.toml").mkdir()
    told = here("init", "--yes", "--force", "--json")
    assert (told.status, told.json["error"]["code"]) == (2, "invalid_task")
    assert (home / "config.toml").is_dir()


# ------------------------------------------------------------------------------------------- what the machine has


def commands(folder: Path, *names: str) -> Mapping[str, str]:
    """A PATH with these commands alone, and what git needs; whoever runs one of them leaves a mark."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(f'#!/bin/sh\ntouch "{folder}/ran-{name}"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    return {"PATH": os.pathsep.join((str(folder), "/usr/bin", "/bin"))}


def test_hosts_are_found_by_name_and_never_run(shell: CommandLine, tmp_path: Path) -> None:
    variables = commands(tmp_path / "bin", "claude", "codex", "smista-mcp")
    (tmp_path / "bin/gemini").write_text("not executable", encoding="utf-8")
    told = shell.run("init", "--json", variables=variables)
    assert told.json["found"]["hosts"] == ["claude-code", "codex"]
    assert told.json["register"]["codex"] == "smista-mcp install codex"
    shown = shell.run("init", variables=variables).out
    assert told.json["register"]["claude-code"] in shown
    assert "mcp add" not in shown  # there is one way
    assert sorted(path.name for path in (tmp_path / "bin").iterdir()) == ["claude", "codex", "gemini", "smista-mcp"]


def test_what_is_written_names_the_schema_for_editors(here: Here, home: Path) -> None:
    assert here("init", "--yes", "--preset", "team").status == 0
    first, *_ = (home / "config.toml").read_text(encoding="utf-8").splitlines()
    name, _, address = first.partition(" ")
    assert name == "#:schema"
    assert Path(url2pathname(urlsplit(address).path)).read_text(encoding="utf-8") == policy_schema_text()
    assert propose(NOTHING, "team").startswith("# Your own policy")
