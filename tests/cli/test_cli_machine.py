import json
import os
import stat
from pathlib import Path

import pytest
from command_line import PATIENCE_S, CommandLine, Here
from terminal import on_terminal, read_until

from smista_mcp.cli.local import progress_on, put_result
from smista_mcp.cli.printing import ProgressLine
from smista_mcp.cli.proposal import Found, choose_preset, propose
from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.values import Layer, Locality
from smista_mcp.loading.documents import parse
from smista_mcp.providers.local_model import Installed

NOTHING = ProviderFacts(Locality.LOCAL, reachable=False)


def server(*names: str, forwards: tuple[str, ...] = ()) -> ProviderFacts:
    models = {name: LiveModel(name, forwards=name in forwards) for name in names}
    return ProviderFacts(Locality.LOCAL, reachable=True, models=models)


@pytest.mark.parametrize(
    ("found", "preset"),
    [
        (Found(NOTHING, (), ()), "embedded"),
        (Found(NOTHING, ("OPENAI_API_KEY",), ()), "balanced"),
        (Found(server("llama3:8b"), ("OPENAI_API_KEY",), ("tiny",)), "local-first"),
        (Found(server(), (), ("tiny",)), "embedded"),
        (Found(server("big:cloud", "nomic-embed-text", forwards=("big:cloud",)), (), ()), "embedded"),
    ],
)
def test_the_preset_fits_what_the_machine_has(found: Found, preset: str) -> None:
    assert choose_preset(found) == preset
    parsed = parse(propose(found, preset).encode(), Layer.USER, "config.toml")
    assert parsed.document is not None
    assert (parsed.document.preset, parsed.findings) == (preset, ())


def test_models_that_are_here_take_the_place_of_those_that_are_not() -> None:
    found = Found(server("llama3:8b", 'odd"name', "bad name", "b:1", "c", "d", "e"), (), ())
    parsed = parse(propose(found, "local-first").encode(), Layer.USER, "config.toml")
    assert parsed.document is not None
    assert parsed.document.classes["coding"].models == (
        "ollama/b:1",
        "ollama/c",
        "ollama/d",
        "ollama/e",
        "anthropic/claude-sonnet",
    )
    assert "deep_reasoning" not in parsed.document.classes


def test_a_class_with_a_model_that_is_here_is_left_as_the_preset_has_it() -> None:
    text = propose(Found(server("qwen3-coder:latest", "other"), (), ()), "local-first")
    assert "[classes" not in text


# a model server may listen on this machine at Ollama's own port, and then it is found
WITHOUT_KEYS, WITH_A_KEY = ("embedded", "local-first"), ("balanced", "local-first")


def test_where_nobody_can_agree_the_policy_is_only_shown(here: Here, home: Path) -> None:
    told = here("init")
    assert told.status == 0
    assert any(f'preset = "{name}"' in told.out for name in WITHOUT_KEYS)
    assert list(home.iterdir()) == []


def test_a_policy_is_written_for_its_owner_alone(here: Here, home: Path) -> None:
    told = here("init", "--yes", "--preset", "balanced")
    file = home / "config.toml"
    assert told.status == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert here("policy", "check").out == "no findings\n"
    assert here("policy", "show", "--json").json["presets"] == ["balanced"]


@pytest.mark.parametrize(("typed", "status", "names"), [(b"y\n", 0, ["config.toml"]), (b"n\n", 1, [])])
def test_on_a_terminal_a_policy_is_written_after_a_yes(
    typed: bytes, status: int, names: list[str], shell: CommandLine, home: Path
) -> None:
    with on_terminal(shell, "init") as (process, ours):
        shown = read_until(ours, b"[y/N]")
        assert b"preset = " in shown
        os.write(ours, typed)
        read_until(ours, b"never")
        assert process.wait(PATIENCE_S) == status
    assert [path.name for path in home.iterdir()] == names


def test_on_a_terminal_nobody_is_asked_about_a_policy_that_would_not_be_written(shell: CommandLine, home: Path) -> None:
    (home / "config.toml").write_text("# mine\n", encoding="utf-8")
    with on_terminal(shell, "init") as (process, ours):
        shown = read_until(ours, b"never")
        assert process.wait(PATIENCE_S) == 2
    assert b"invalid_task" in shown
    assert b"[y/N]" not in shown


def test_folders_that_are_missing_are_made_for_the_owner_alone(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMISTA_HOME", str(tmp_path / "new/home"))
    assert here("init", "--yes").status == 0
    assert stat.S_IMODE((tmp_path / "new/home").stat().st_mode) == 0o700


def test_a_policy_that_is_there_stays_unless_it_is_to_be_replaced(here: Here, home: Path) -> None:
    file = home / "config.toml"
    file.write_text("# mine\n", encoding="utf-8")
    told = here("init", "--yes", "--json")
    assert (told.status, told.json["error"]["code"]) == (2, "invalid_task")
    assert file.read_text(encoding="utf-8") == "# mine\n"
    told = here("init", "--yes", "--force", "--json")
    assert (told.status, told.json["written"]) == (0, True)
    assert told.json["text"] == file.read_text(encoding="utf-8")
    assert (home / "config.toml.bak").read_text(encoding="utf-8") == "# mine\n"
    assert sorted(path.name for path in home.iterdir()) == ["config.toml", "config.toml.bak"]


def test_a_link_to_a_policy_stays_a_link(here: Here, home: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles/smista.toml").write_text("# mine\n", encoding="utf-8")
    (home / "config.toml").symlink_to(tmp_path / "dotfiles/smista.toml")
    assert here("init", "--yes", "--force").status == 0
    assert (home / "config.toml").is_symlink()
    assert "preset" in (tmp_path / "dotfiles/smista.toml").read_text(encoding="utf-8")


def test_a_shared_folder_keeps_its_mode(here: Here, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    assert here("init", "--yes", "--policy", str(shared / "p.toml")).status == 0
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_what_is_found_is_told_without_values(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-very-secret")
    told = here("init", "--json")
    assert told.json["preset"] in WITH_A_KEY
    assert told.json["found"]["keys"] == ["ANTHROPIC_API_KEY"]
    assert "sk-very-secret" not in told.out


def test_a_proposal_with_an_unknown_preset_names_those_that_there_are(here: Here) -> None:
    told = here("init", "--preset", "nope", "--json")
    assert (told.status, told.json["error"]["code"]) == (1, "policy_invalid")
    assert "balanced" in told.json["error"]["fix"]


@pytest.mark.usefixtures("local_policy")
def test_models_are_listed_with_what_is_known_of_them(here: Here, home: Path) -> None:
    told = here("models", "--json")
    assert told.status == 0
    by_name = {model["name"]: model for model in told.json["models"]}
    assert by_name["ollama/tiny"] == {
        "name": "ollama/tiny",
        "resolved": "ollama/tiny:latest",
        "provider": "ollama",
        "known": False,
        "nearest": [],
        "locality": "local",
        "context_window": 8192,
        "input_price": "0",
        "output_price": "0",
        "price_kind": "local",
        "price_source": "local",
        "capabilities": {"json": True},
        "reachable": True,
        "credentials": True,
        "problem": None,
    }
    assert told.json["state"] == {"folder": str(home / "state"), "writable": True}


def test_models_that_cannot_serve_say_why(here: Here) -> None:
    told = here("models", "--preset", "local-first", "--json")
    problems = {model["name"]: model["problem"] for model in told.json["models"]}
    assert "ANTHROPIC_API_KEY" in problems["anthropic/claude-opus"]
    assert problems["ollama/qwen3"]
    opus = next(model for model in told.json["models"] if model["name"] == "anthropic/claude-opus")
    assert opus["resolved"] != opus["name"]
    assert (opus["locality"], opus["price_kind"]) == ("remote", "list")


@pytest.mark.usefixtures("local_policy")
def test_models_are_shown_as_a_table(here: Here) -> None:
    told = here("models")
    assert told.out.splitlines()[1].split() == "ollama/tiny ollama/tiny:latest local 8192 0 0 json ready".split()
    assert told.out.splitlines()[-1].endswith("(writable)")


def test_a_model_without_price_is_unknown_and_not_free(here: Here, home: Path) -> None:
    (home / "config.toml").write_text(
        '[routing.default]\nmodel = "openai-compat:mine/x"\n[providers."openai-compat:mine"]\n'
        'base_url = "https://models.invalid/v1"\napi_key = "${secret:MINE}"\n',
        encoding="utf-8",
    )
    told = here("models", "--json")
    mine = next(model for model in told.json["models"] if model["name"] == "openai-compat:mine/x")
    assert (mine["input_price"], mine["price_kind"], mine["credentials"]) == (None, "unknown", False)
    assert "MINE" in mine["problem"]
    assert "unknown" in here("models").out


def test_the_first_model_is_not_fetched_where_no_package_index_may_be_asked(shell: CommandLine, home: Path) -> None:
    # pip and uv both fail at once, without a network
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "UV_NO_INDEX": "1", "UV_OFFLINE": "1"}
    told = shell.run("local", "install", "--json", variables=offline)
    assert (told.status, told.json["error"]["code"]) == (1, "provider_unavailable")
    assert "Traceback" not in told.err
    assert list((home / "state/models").iterdir()) == []


def test_progress_of_a_download_is_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    hear = progress_on(ProgressLine())
    for done in (0, 1, 5_000_000, 10_000_000, 10_500_000, 100_000_000):
        hear(done, 100_000_000)
    assert [line.split("%")[0].strip() for line in capsys.readouterr().err.splitlines()] == ["0", "10", "100"]


@pytest.mark.parametrize("runs", [True, False])
def test_after_a_download_it_is_told_what_the_model_can_do_and_what_to_try(
    runs: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = Installed(tmp_path / "m.gguf", was_there=False)
    put_result(done, runs=runs, as_json=False)
    told = capsys.readouterr().out
    assert ("pip install" in told) is not runs
    assert "smista-mcp dispatch" in told
    assert "cannot write code" in told
    put_result(done, runs=runs, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["path"], document["runs"]) == (str(tmp_path / "m.gguf"), runs)
