"""Test files beside policy files: found, read, and kept out of every decision."""

from dataclasses import replace
from pathlib import Path

import pytest

from smista_mcp.core.values import Layer
from smista_mcp.loading import testfiles
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings, load

CASE = '[[test]]\nname = "{0}"\ntask = {{ text = "review it" }}\nexpect = {{ intent = "review" }}\n'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "home").mkdir()
    (tmp_path / "work/.smista").mkdir(parents=True)
    environment = Environment(
        config_file=tmp_path / "home/config.toml",
        state_folder=tmp_path / "state",
        organisation_file=tmp_path / "none.toml",
    )
    return Settings(environment=environment, workspace=tmp_path / "work")


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def read(settings: Settings) -> testfiles.Tests:
    return testfiles.read_tests(testfiles.files_beside(settings))


def test_files_beside_the_users_policy_and_in_the_workspace_are_found_in_order(settings: Settings) -> None:
    home, work = settings.user_file.parent, Path(str(settings.workspace))
    for file, name in (
        (home / "z.test.toml", "z"),
        (home / "config.test.toml", "c"),
        (work / ".smista/a.test.toml", "a"),
    ):
        write(file, CASE.format(name))
    write(home / "other.toml", CASE.format("no"))
    write(work / "b.test.toml", CASE.format("no"))
    found = read(settings)
    assert [(one.test.name, one.origin.layer, one.origin.line) for one in found.cases] == [
        ("c", Layer.USER, 1),
        ("z", Layer.USER, 1),
        ("a", Layer.WORKSPACE, 1),
    ]
    assert found.cases[2].origin.file == ".smista/a.test.toml"
    assert found.findings == ()


def test_a_test_file_changes_no_policy(settings: Settings) -> None:
    write(settings.user_file, '[routing.default]\nmodel = "ollama/tiny"\n')
    before = load(settings)
    write(settings.user_file.parent / "config.test.toml", "[routing.default]\nmodel = 'ollama/other'\n")
    after = load(settings)
    assert after.policy.revision == before.policy.revision
    assert after.signature == before.signature


def test_anything_but_tests_is_an_error_with_its_line(settings: Settings) -> None:
    file = write(
        settings.user_file.parent / "config.test.toml", CASE.format("a") + "[routing.default]\nmodel = 'x/y'\n"
    )
    found = read(settings)
    assert found.cases == ()
    assert [(f.code, f.at, f.file, f.line) for f in found.findings] == [("unknown_key", "routing", str(file), 5)]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("[router]\nx = 1\n", ["unknown_key"]),
        ("[routing]\nnonsense = 1\n" + CASE.format("a"), ["unknown_key"]),
        ("foo = 1\n[[test]]\nname = 3\n", ["unknown_key", "invalid_type", "invalid_type", "invalid_type"]),
        ("[[test", ["parse_error"]),
        ("test = 3\n", ["invalid_type"]),
    ],
)
def test_all_that_is_wrong_is_told_in_one_pass(text: str, codes: list[str], settings: Settings) -> None:
    write(settings.user_file.parent / "config.test.toml", text)
    found = read(settings)
    assert sorted(f.code for f in found.findings) == sorted(codes)
    assert all(f.line for f in found.findings)


def test_an_empty_test_file_is_in_order(settings: Settings) -> None:
    write(settings.user_file.parent / "config.test.toml", "\ufeff# later\n")
    assert read(settings) == testfiles.Tests((), ())


def test_a_link_out_of_the_workspace_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    outside = write(tmp_path / "secret.toml", CASE.format("a"))
    (tmp_path / "work/.smista/a.test.toml").symlink_to(outside)
    found = read(settings)
    assert (found.cases, [f.code for f in found.findings]) == ((), ["parse_error"])


def test_a_named_file_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    found = testfiles.read_tests(testfiles.named_files([tmp_path / "none.test.toml"] * 2))
    assert [f.code for f in found.findings] == ["parse_error"]


def test_a_user_file_in_the_workspaces_own_folder_gives_each_case_once(settings: Settings) -> None:
    folder = Path(str(settings.workspace)) / ".smista"
    write(folder / "a.test.toml", CASE.format("a"))
    found = read(replace(settings, policy_file=folder / "config.toml"))
    assert len(found.cases) == 1
