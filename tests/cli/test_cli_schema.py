import pytest
from command_line import CommandLine

from smista_mcp.loading.presets import SCHEMA_FILE, presets_folder


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=str)
def test_the_schema_is_printed_as_it_ships_whatever_the_policy(arguments: tuple[str, ...], shell: CommandLine) -> None:
    (shell.home / "config.toml").write_text("broken =", encoding="utf-8")
    told = shell.run("policy", "schema", *arguments)
    assert (told.status, told.err) == (0, "")
    assert told.out == (presets_folder() / SCHEMA_FILE).read_text(encoding="utf-8")
