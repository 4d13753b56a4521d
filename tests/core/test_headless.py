"""Headless CLIs in a policy: who may declare them, what fits beside them, and which versions are believed."""

import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.cli import main
from smista_mcp.core.headless import HEADLESS, why_open
from smista_mcp.core.provider_specs import kind_of
from smista_mcp.providers.cli_answers import DECODERS
from smista_mcp.providers.cli_specs import CLI_SPECS


def test_every_cli_has_its_row_and_its_decoder() -> None:
    assert set(HEADLESS) == set(CLI_SPECS) == set(DECODERS)


@pytest.mark.parametrize(("name", "kind"), [("cli:codex", "cli"), ("cli:cursor", None), ("cli:", None), ("cli", None)])
def test_only_known_clis_are_providers(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


@given(version=st.lists(st.integers(0, 400), min_size=2, max_size=4))
def test_a_version_is_believed_from_the_seen_one_on(version: list[int]) -> None:
    for row in HEADLESS.values():
        since = [int(part) for part in row.since.split(".")]
        believed = version >= since and version[0] == since[0]
        assert (why_open(row, ".".join(map(str, version))) is None) == believed


def test_a_cli_without_a_version_is_open() -> None:
    assert all(why_open(row, None) for row in HEADLESS.values())


ROUTE = '[routing.default]\nmodel = "cli:codex/gpt-x"\n'
CODEX = '[providers."cli:codex"]\n'


@pytest.mark.parametrize(
    ("policy", "codes"),
    [
        (CODEX + 'type = "cli"\n', set[str]()),
        (CODEX + 'type = "cli"\ncommand = "/usr/bin/codex"\nvariables = ["A_KEY"]\nunmediated = true\n', set[str]()),
        ("", {"unknown_provider"}),
        (CODEX + "unmediated = true\n", {"invalid_type", "unknown_provider"}),
        (CODEX + 'type = "cli"\nbase_url = "https://x.example"\n', {"unknown_key"}),
        (CODEX + 'type = "cli"\nprompt_caching = false\n', {"unknown_key"}),
        (CODEX + 'type = "cli"\nlocality = "local"\n', {"invalid_enum"}),
        (CODEX + 'type = "cli"\ncommand = "codex"\n', {"invalid_type"}),
        (CODEX + 'type = "cli"\nvariables = ["LD_PRELOAD"]\n', {"invalid_type"}),
        (CODEX + 'type = "cli"\n[providers.ollama]\ntype = "cli"\n', {"unknown_key"}),
        (CODEX + 'type = "cli"\n[providers."cli:cursor"]\ntype = "cli"\n', {"unknown_provider"}),
    ],
)
def test_what_is_wrong_in_a_declaration_is_found(policy: str, codes: set[str], tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(ROUTE + policy)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["policy", "check", "--user", str(file), "--json"])
    told = json.loads(out.getvalue())["findings"]
    assert {one["code"] for one in told if one["severity"] == "error"} == codes


def test_a_workspace_declares_no_cli(tmp_path: Path) -> None:
    user, workspace = tmp_path / "u.toml", tmp_path / "w.toml"
    user.write_text(ROUTE)
    workspace.write_text(CODEX + 'type = "cli"\nunmediated = true\n')
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["policy", "check", "--user", str(user), "--workspace-policy", str(workspace), "--json"])
    told = json.loads(out.getvalue())["findings"]
    assert {one["code"] for one in told if one["severity"] == "error"} == {"unknown_provider", "permission_widening"}
