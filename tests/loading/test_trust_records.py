"""The record of what a person has confirmed: believed where nobody else could have written it, for those bytes."""

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from smista_mcp.core.values import Layer
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings, load, read_layers, signature
from smista_mcp.loading.trust import confirmed_files, record_file, record_text

RULE = '[[routing.rules]]\nname = "{0}"\nmodel = "ollama/{0}"\n'
FOREIGN = (
    '[providers.ollama]\nbase_url = "http://127.0.0.1:1"\n[privacy]\nfree_paths = [".env"]\n'
    '[hosts.codex]\nlocality = "local"\n[catalog."a/b"]\ncontext_window = 4096\n'
)
NAMES = (".smista/config.toml", ".smista/local.toml")


class House:
    """A workspace with both files, and a state folder of its user."""

    def __init__(self, root: Path) -> None:
        self.workspace = root / "work"
        self.state = root / "home/state"
        (self.workspace / ".smista").mkdir(parents=True)
        (self.state / "trust").mkdir(parents=True, mode=0o700)
        user = root / "home/config.toml"
        user.write_text('[routing.default]\nmodel = "ollama/own"\n')
        environment = Environment(config_file=user, state_folder=self.state, organisation_file=root / "none.toml")
        self.settings = Settings(environment=environment, workspace=self.workspace)
        for name in NAMES:
            (self.workspace / name).write_text(RULE.format(Path(name).stem) + ("" if "local" in name else FOREIGN))

    @property
    def record(self) -> Path:
        return record_file(self.state, self.workspace)

    def confirm(self, *names: str) -> None:
        digests = {name: sha256((self.workspace / name).read_bytes()).hexdigest() for name in names}
        self.record.write_text(record_text(self.workspace, digests))
        self.record.chmod(0o600)

    def trusted(self, settings: Settings | None = None) -> set[Layer]:
        documents = read_layers(settings or self.settings).documents
        return {d.layer for d in documents if d.trusted} & {Layer.WORKSPACE, Layer.LOCAL}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_without_a_record_files_of_a_workspace_only_narrow(house: House) -> None:
    assert house.trusted() == set()
    policy = load(house.settings).policy
    assert policy.rules == ()
    assert len([notice for notice in policy.notices if "smista-mcp trust" in notice]) == 2


def test_a_confirmed_file_counts_but_for_what_is_never_its_to_say(house: House) -> None:
    house.confirm(*NAMES)
    policy = load(house.settings).policy
    assert [(placed.rule.name, placed.origin.layer) for placed in policy.rules] == [
        ("config", Layer.WORKSPACE),
        ("local", Layer.LOCAL),
    ]
    assert policy.providers["ollama"].base_url == "http://127.0.0.1:11434"
    assert ".env" in {pattern for pattern, _ in policy.restricted}
    assert (policy.host_localities, policy.catalog) == ({}, {})
    (notice,) = policy.notices
    for key in ("providers", "privacy.free_paths", "hosts", "catalog"):
        assert f"`{key}` (1)" in notice


def test_one_file_may_be_confirmed_without_the_other(house: House) -> None:
    house.confirm(NAMES[1])
    assert house.trusted() == {Layer.LOCAL}


def test_a_file_that_changes_loses_it_and_one_that_changes_back_has_it_again(house: House) -> None:
    house.confirm(*NAMES)
    file = house.workspace / NAMES[0]
    text = file.read_bytes()
    file.write_bytes(text + b" ")
    assert house.trusted() == {Layer.LOCAL}
    file.write_bytes(text)
    assert house.trusted() == {Layer.WORKSPACE, Layer.LOCAL}


def test_another_workspace_with_the_same_files_is_another(house: House, tmp_path: Path) -> None:
    house.confirm(*NAMES)
    house.workspace.rename(tmp_path / "moved")
    assert house.trusted(replace(house.settings, workspace=tmp_path / "moved")) == set()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"version": 2, "root": "ROOT", "files": {"FILE": "HASH"}}',
        '{"version": 1, "root": "/elsewhere", "files": {"FILE": "HASH"}}',
        '{"version": 1, "root": "ROOT", "files": ["FILE"]}',
        '{"version": 1, "root": "ROOT", "files": {"FILE": true}}',
        '{"version": 1, "files": {"FILE": "HASH"}}',
        "[" * 100_000,
    ],
)
def test_what_is_odd_about_a_record_makes_it_count_for_nothing(house: House, text: str) -> None:
    digest = sha256((house.workspace / NAMES[0]).read_bytes()).hexdigest()
    for name, value in (("ROOT", str(house.workspace)), ("FILE", NAMES[0]), ("HASH", digest)):
        text = text.replace(name, value)
    house.confirm(*NAMES)
    house.record.write_text(text)
    assert house.trusted() == set()


@pytest.mark.parametrize("what", ["state", "folder", "record"])
@pytest.mark.parametrize("how", ["writable", "link", "another user"])
def test_a_record_that_somebody_else_could_have_written_is_not_believed(
    house: House, tmp_path: Path, what: str, how: str
) -> None:
    house.confirm(*NAMES)
    assert house.trusted()
    path = {"state": house.state, "folder": house.state / "trust", "record": house.record}[what]
    if how == "writable":
        path.chmod(0o777)
    elif how == "link":
        path.rename(tmp_path / "real")
        path.symlink_to(tmp_path / "real")
    elif os.geteuid() == 0:
        os.chown(path, 54321, 54321)
    else:
        pytest.skip("only root can give a file to somebody else")
    assert house.trusted() == set()


def test_a_state_folder_that_came_along_confirms_nothing(house: House) -> None:
    house.confirm(*NAMES)
    for folder in (house.state, house.state.parent):
        assert house.trusted(replace(house.settings, enclosing=(folder,))) == set()


def test_what_is_confirmed_or_revoked_changes_the_signature(house: House) -> None:
    seen = [signature(house.settings)]
    house.confirm(NAMES[0])
    seen.append(signature(house.settings))
    house.confirm(*NAMES)
    seen.append(signature(house.settings))
    assert len(set(seen)) == 3
    house.record.unlink()
    assert signature(house.settings) == seen[0]


def test_in_ci_files_count_without_a_record_and_that_is_said(house: House) -> None:
    settings = replace(house.settings, trust_workspace=True)
    assert house.trusted(settings) == {Layer.WORKSPACE, Layer.LOCAL}
    policy = load(settings).policy
    assert policy.providers["ollama"].base_url == "http://127.0.0.1:11434"
    assert any("--trust-workspace" in notice and NAMES[1] in notice for notice in policy.notices)
    for name in NAMES:
        (house.workspace / name).unlink()
    assert load(settings).policy.notices == ()


def test_it_does_not_reach_a_user_file_inside_the_workspace(house: House) -> None:
    inside = house.workspace / "mine.toml"
    inside.write_text(RULE.format("inside"))
    policy = load(replace(house.settings, trust_workspace=True, policy_file=inside)).policy
    assert "inside" not in {placed.rule.name for placed in policy.rules}


def test_a_preset_of_a_confirmed_file_is_taken(house: House) -> None:
    (house.workspace / NAMES[1]).write_text('preset = "embedded"\n')
    house.confirm(*NAMES)
    policy = load(house.settings).policy
    assert Layer.PRESET in {placed.origin.layer for placed in policy.rules}


def test_a_name_that_is_not_unicode_has_a_record_too(tmp_path: Path) -> None:
    root = tmp_path / "odd\udcff"
    (tmp_path / "trust").mkdir(mode=0o700)
    tmp_path.chmod(0o700)
    file = record_file(tmp_path, root)
    file.write_text(record_text(root, {"a": "b"}))
    file.chmod(0o600)
    assert confirmed_files(tmp_path, root) == {"a": "b"}
