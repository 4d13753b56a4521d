import os
import subprocess
import sys
from pathlib import Path

import pytest

from smista_mcp.errors import SmistaError
from smista_mcp.loading.environment import Environment, account_home, program_data

HOME = {"HOME": "/home/ada"}


def test_files_are_below_the_home_folder_by_default() -> None:
    environment = Environment.read(HOME, windows=False)
    assert environment.config_file == Path("/home/ada/.config/smista/config.toml")
    assert environment.state_folder == Path("/home/ada/.local/state/smista")
    assert environment.organisation_file == Path("/etc/smista/policy.toml")
    assert environment.added_organisation_file is None


def test_the_xdg_variables_move_configuration_and_state() -> None:
    environment = Environment.read({**HOME, "XDG_CONFIG_HOME": "/etc/ada", "XDG_STATE_HOME": "/var/ada"}, windows=False)
    assert environment.config_file == Path("/etc/ada/smista/config.toml")
    assert environment.state_folder == Path("/var/ada/smista")


def test_a_relative_xdg_variable_counts_as_unset() -> None:
    environment = Environment.read({**HOME, "XDG_CONFIG_HOME": ".", "XDG_STATE_HOME": "x"}, windows=False)
    assert environment == Environment.read(HOME, windows=False)


@pytest.mark.parametrize("value", ["$SMISTA_HOME", "${SMISTA_HOME}", "${env:SMISTA_HOME}", "{env:SMISTA_HOME}", ""])
def test_a_variable_that_a_host_left_as_its_own_name_counts_as_unset(value: str) -> None:
    given = Environment.read({"HOME": "/h", "SMISTA_HOME": value, "OTHER_KEY": f"{value}x"}, windows=False)
    assert given.config_file == Path("/h/.config/smista/config.toml")
    assert given.secret("SMISTA_HOME") is None
    assert given.secret("OTHER_KEY") == f"{value}x"


def test_smista_home_moves_both_to_one_folder() -> None:
    environment = Environment.read({**HOME, "SMISTA_HOME": "/srv/smista", "XDG_CONFIG_HOME": "/x"}, windows=False)
    assert environment.config_file == Path("/srv/smista/config.toml")
    assert environment.state_folder == Path("/srv/smista/state")


@pytest.mark.skipif(account_home() is None, reason="this account has no home folder")
def test_only_the_places_below_the_home_of_the_account_are_known_as_its_own(tmp_path: Path) -> None:
    account = account_home()
    own = Environment.read({"HOME": str(account)})
    assert (own.own_config, own.own_state) == (True, True)
    elsewhere = Environment.read({"HOME": str(tmp_path)})
    assert (elsewhere.own_config, elsewhere.own_state) == (False, False)
    moved = Environment.read({"HOME": str(account), "SMISTA_HOME": str(tmp_path)})
    assert (moved.own_config, moved.own_state) == (False, False)
    half = Environment.read({"HOME": str(tmp_path), "XDG_STATE_HOME": f"{account}/.local/state"}, windows=False)
    assert (half.own_config, half.own_state) == (False, os.name != "nt")


def test_a_relative_smista_home_is_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Environment.read({"SMISTA_HOME": "own"}).config_file == tmp_path / "own/config.toml"


def test_windows_has_its_own_places() -> None:
    known = {"USERPROFILE": "/u", "APPDATA": "/u/roam", "LOCALAPPDATA": "/u/local", "PROGRAMDATA": "/pd"}
    environment = Environment.read(known, windows=True)
    assert environment.config_file == Path("/u/roam/smista/config.toml")
    assert environment.state_folder == Path("/u/local/smista")
    assert environment.organisation_file == Path("/pd/smista/policy.toml")


def test_the_folder_of_all_users_is_the_systems_to_say() -> None:
    moved = {"PROGRAMDATA": "/mine"}
    assert program_data(moved, lambda: "/pd") == Path("/pd")
    assert program_data(moved, lambda: None) == Path("/mine")
    assert program_data({}, lambda: None) == Path(r"C:\ProgramData")


def test_without_a_variable_for_it_the_home_folder_of_the_account_counts() -> None:
    assert Environment.read({}, windows=True).config_file == Path.home() / "AppData/Roaming/smista/config.toml"


def test_blank_variables_count_as_unset() -> None:
    blank = dict.fromkeys(("SMISTA_HOME", "SMISTA_ORG_POLICY", "CLAUDE_PROJECT_DIR", "SMISTA_HOST", "NO_COLOR"), "  ")
    assert Environment.read({**HOME, **blank}, windows=False) == Environment.read(HOME, windows=False)


def test_a_folder_below_an_unknown_home_is_an_error_with_a_way_out() -> None:
    with pytest.raises(SmistaError) as raised:
        Environment.read({"SMISTA_HOME": "~no-such-user-here/x"})
    assert "SMISTA_HOME" in raised.value.fix


def test_hosts_are_marked_by_presence_alone() -> None:
    environment = Environment.read({**HOME, "CLAUDECODE": "", "OPENCODE": "1", "SMISTA_HOST": "cursor"})
    assert (environment.claude_code, environment.gemini_cli, environment.opencode) == (True, False, True)
    assert environment.host == "cursor"


def test_project_and_added_organisation_file_are_paths() -> None:
    environment = Environment.read({**HOME, "CLAUDE_PROJECT_DIR": "/w", "SMISTA_ORG_POLICY": "/org.toml"})
    assert environment.project_dir == Path("/w")
    assert environment.added_organisation_file == Path("/org.toml")


def test_a_secret_is_found_by_name_and_never_shown() -> None:
    environment = Environment.read({**HOME, "OPENAI_API_KEY": " sk-made-up-0123456789abcdef\n", "EMPTY": ""})
    assert environment.secret("OPENAI_API_KEY") == "sk-made-up-0123456789abcdef"
    assert environment.secret("EMPTY") is None
    assert environment.secret("UNSET") is None
    assert "made-up" not in repr(environment) + str(environment)


def test_the_process_environment_is_read_by_default(tmp_path: Path) -> None:
    code = "from smista_mcp.loading.environment import Environment; print(Environment.read().config_file)"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SMISTA_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == str(tmp_path / "config.toml")
