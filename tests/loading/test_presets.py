from pathlib import Path

import pytest

from smista_mcp.core.values import Layer
from smista_mcp.errors import PolicyInvalid
from smista_mcp.loading.documents import parse
from smista_mcp.loading.presets import FIRST_RUN, preset_names, presets_folder, read_preset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text('[routing.default]\nmodel = "ollama/x"\n')
    (tmp_path / "also.toml").write_text("")
    (tmp_path / "first-run.toml").write_text("[routing]\n")
    (tmp_path / "notes.txt").write_text("")
    return tmp_path


def test_presets_are_named_by_their_files_without_the_one_of_the_first_run(folder: Path) -> None:
    assert preset_names(folder) == ("also", "tiny")


def test_a_preset_is_read_by_name(folder: Path) -> None:
    assert read_preset("tiny", folder).startswith(b"[routing.default]")
    assert read_preset(FIRST_RUN, folder) == b"[routing]\n"


@pytest.mark.parametrize(
    "name", ["", "tin", "../tiny", "./tiny", "tiny.toml", "notes", "TINY", "a\0b", "\x1b[31m", "x" * 300]
)
def test_an_unknown_preset_is_an_error_that_lists_the_names(folder: Path, name: str) -> None:
    with pytest.raises(PolicyInvalid) as raised:
        read_preset(name, folder)
    assert "also, tiny" in raised.value.fix
    assert "\x1b" not in str(raised.value)


def test_the_shipped_presets_are_found_and_well_formed() -> None:
    names = (*preset_names(), FIRST_RUN)
    assert presets_folder().name == "policies"
    for name in names:
        parsed = parse(read_preset(name), Layer.PRESET, name)
        assert parsed.findings == ()
        assert parsed.document is not None
