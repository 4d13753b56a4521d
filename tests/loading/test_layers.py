import os
from dataclasses import replace
from pathlib import Path

import pytest

from smista_mcp.core.values import Grant, Layer, Locality
from smista_mcp.errors import Code, PolicyInvalid
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.files import MAX_FOREIGN_BYTES
from smista_mcp.loading.layers import (
    LayerFile,
    Loaded,
    Settings,
    examine,
    load,
    read_files,
    read_layers,
    signature,
)

TINY = """
[[routing.rules]]
name = "preset rule"
model = "class:fast"

[classes.fast]
models = ["ollama/tiny"]

[privacy.remote]
mode = "deny"
"""
FIRST_RUN = '[routing]\nhandoff = "when_unavailable"\n[routing.default]\nmodel = "class:local"\n'
RULE = '[[routing.rules]]\nname = "{0}"\nmodel = "ollama/{0}"\n'


class House:
    """Folders for every layer, with nothing in them but presets."""

    def __init__(self, root: Path) -> None:
        self.user = root / "home/.config/smista/config.toml"
        self.workspace = root / "work"
        self.presets = root / "presets"
        self.organisation = root / "etc/policy.toml"
        for folder in (self.user.parent, self.workspace / ".smista", self.presets, self.organisation.parent):
            folder.mkdir(parents=True)
        (self.presets / "tiny.toml").write_text(TINY)
        (self.presets / "first-run.toml").write_text(FIRST_RUN)
        environment = Environment(
            config_file=self.user, state_folder=root / "state", organisation_file=self.organisation
        )
        self.settings = Settings(environment=environment, workspace=self.workspace, presets_folder=self.presets)

    def write(self, name: str, text: str) -> Path:
        file = self.user if name == "user" else self.workspace / ".smista" / name
        file.write_text(text, encoding="utf-8")
        return file

    def load(self, preset: str | None = None, policy_file: Path | None = None) -> Loaded:
        return load(replace(self.settings, preset=preset, policy_file=policy_file))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def names(loaded: Loaded) -> list[tuple[str, Layer]]:
    return [(placed.rule.name, placed.origin.layer) for placed in loaded.policy.rules]


def test_without_any_policy_the_first_run_applies_and_says_so(house: House) -> None:
    loaded = house.load()
    assert loaded.policy.handoff == "when_unavailable"
    assert loaded.policy.default is not None
    assert loaded.policy.default_origin is not None
    assert loaded.policy.default_origin.layer is Layer.PRESET
    assert any("smista-mcp init" in notice for notice in loaded.policy.notices)


def test_a_workspace_file_alone_narrows_the_first_run(house: House) -> None:
    house.write("config.toml", RULE.format("w") + '[privacy]\nrestricted_paths = ["vault/**"]\n')
    loaded = house.load()
    assert names(loaded) == []
    assert ("vault/**", Layer.WORKSPACE) in [(p, o.layer) for p, o in loaded.policy.restricted]
    assert any("smista-mcp init" in notice for notice in loaded.policy.notices)


def test_the_users_own_file_ends_the_first_run(house: House) -> None:
    house.write("user", RULE.format("u"))
    loaded = house.load()
    assert names(loaded) == [("u", Layer.USER)]
    assert loaded.policy.default is None
    assert loaded.policy.notices == ()


@pytest.mark.parametrize("named_by", ["call", "user"])
def test_a_preset_is_named_by_the_call_or_by_the_user(house: House, named_by: str) -> None:
    if named_by == "user":
        house.write("user", 'preset = "tiny"\n' + RULE.format("u"))
    loaded = house.load("tiny" if named_by == "call" else None)
    assert ("preset rule", Layer.PRESET) in names(loaded)
    assert loaded.policy.notices == ()
    assert loaded.policy.provenance["classes.fast"].file == "policies/tiny.toml"


def test_the_preset_of_the_call_stands_in_place_of_the_users(house: House) -> None:
    house.write("user", 'preset = "absent"\n')
    assert names(house.load("tiny")) == [("preset rule", Layer.PRESET)]


def test_a_workspace_cannot_name_a_preset(house: House) -> None:
    house.write("config.toml", 'preset = "tiny"\n')
    loaded = house.load()
    assert names(loaded) == []
    assert any("`preset`" in notice for notice in loaded.policy.notices)


def test_an_unknown_preset_is_an_error_at_its_line(house: House) -> None:
    house.write("user", '# mine\npreset = "tinny"\n')
    with pytest.raises(PolicyInvalid) as raised:
        house.load()
    (problem,) = raised.value.problems
    assert (problem.file, problem.line) == (str(house.user), 2)
    assert "tiny" in problem.fix
    with pytest.raises(PolicyInvalid):
        house.load("none")


def test_a_value_of_the_user_replaces_that_of_the_preset_and_lists_of_rules_are_joined(house: House) -> None:
    house.write("user", 'preset = "tiny"\n' + RULE.format("u") + '[privacy.remote]\nmode = "allow"\n')
    loaded = house.load()
    assert names(loaded) == [("preset rule", Layer.PRESET), ("u", Layer.USER)]
    assert loaded.policy.remote_mode is Grant.ALLOW
    assert loaded.policy.provenance["privacy.remote.mode"].line == 6


def test_workspace_files_only_narrow_and_answers_say_what_waits(house: House) -> None:
    house.write("user", RULE.format("u"))
    house.write(
        "config.toml",
        RULE.format("w")
        + 'local_only = true\n[routing]\noverrides = "deny"\n[privacy.remote]\nmode = "deny"\n'
        + '[providers.ollama]\nbase_url = "http://127.0.0.1:1"\n[classes.c]\nmodels = ["ollama/c"]\n',
    )
    house.write("local.toml", '[routing.default]\nmodel = "ollama/l"\n[models]\ndenied = ["*bad*"]\n')
    policy = house.load().policy
    assert [placed.rule.name for placed in policy.rules] == ["u"]
    assert [placed.rule.name for placed in policy.bindings] == ["w"]
    assert (policy.overrides, policy.remote_mode, policy.denied) == ("deny", Grant.DENY, ("*bad*",))
    assert policy.default is None
    assert policy.classes == {}
    assert policy.providers["ollama"].base_url == "http://127.0.0.1:11434"
    waiting = [notice for notice in policy.notices if "smista-mcp trust" in notice]
    assert len(waiting) == 2
    assert "`.smista/config.toml`" in waiting[0]
    assert "`routing.rules`" in waiting[0]
    assert "`routing.default`" in waiting[1]


def test_the_problems_of_all_files_are_told_at_once(house: House) -> None:
    house.write("user", "a = 1\nb = 2\n")
    house.write("config.toml", "c =")
    house.write("local.toml", "[models]\nallowed = 1\n")
    with pytest.raises(PolicyInvalid) as raised:
        house.load()
    assert [(p.file, p.line) for p in raised.value.problems] == [
        (str(house.user), 1),
        (str(house.user), 2),
        (".smista/config.toml", 1),
        (".smista/local.toml", 2),
    ]
    assert f"{house.user}:1: " in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        RULE.format("a") * 2,
        '[routing.default]\nmodel = "class:absent"\n',
        '[routing.default]\nmodel = "mistral/x"\n',
        '[providers.ollama]\nbase_url = "http://10.0.0.9:11434"\n',
        '[providers."openai-compat:x"]\nlocality = "local"\n',
    ],
)
def test_a_file_that_cannot_be_applied_is_refused(house: House, text: str) -> None:
    house.write("user", text)
    with pytest.raises(PolicyInvalid) as raised:
        house.load()
    assert raised.value.code is Code.POLICY_INVALID
    assert all(problem.line for problem in raised.value.problems)


def test_what_an_untrusted_file_wants_cannot_make_the_policy_unusable(house: House) -> None:
    house.write("user", RULE.format("u"))
    house.write("config.toml", RULE.format("u") * 2 + '[routing.default]\nmodel = "class:absent"\n')
    assert names(house.load()) == [("u", Layer.USER)]


def test_a_named_file_replaces_the_users_and_must_exist(house: House, tmp_path: Path) -> None:
    house.write("user", RULE.format("u"))
    other = tmp_path / "other.toml"
    other.write_text(RULE.format("o"))
    assert names(house.load(policy_file=other)) == [("o", Layer.USER)]
    with pytest.raises(PolicyInvalid):
        house.load(policy_file=tmp_path / "absent.toml")


@pytest.mark.parametrize("place", ["named", "moved", "linked"])
def test_a_user_file_inside_the_workspace_is_not_believed(house: House, place: str) -> None:
    text = RULE.format("u") + '[privacy]\nfree_paths = [".env"]\n[models]\ndenied = ["x"]\n'
    inside = house.workspace / "config.toml"
    inside.write_text(text)
    settings = house.settings
    if place == "moved":
        environment = replace(settings.environment, config_file=inside, own_config=False)
        settings = replace(settings, environment=environment)
    elif place == "named":
        settings = replace(settings, policy_file=inside)
    else:
        (house.presets / "link.toml").symlink_to(inside)
        settings = replace(settings, policy_file=house.presets / "link.toml")
    loaded = load(settings)
    assert names(loaded) == []
    assert loaded.policy.denied == ("x",)
    assert ".env" in [pattern for pattern, _ in loaded.policy.restricted]
    assert any("smista-mcp trust" in notice for notice in loaded.policy.notices)


@pytest.mark.parametrize("around", ["workspace", "repository", "the folder itself"])
def test_a_user_file_below_a_home_that_lies_in_a_repository_is_not_believed(house: House, around: str) -> None:
    house.write("user", RULE.format("u") + '[privacy.remote]\nmode = "allow"\n')
    home = house.user.parents[2]
    if around == "workspace":
        settings = replace(house.settings, workspace=home)
    else:
        folder = home.parent if around == "repository" else house.user.parent
        settings = replace(house.settings, workspace=None, enclosing=(folder,))
    loaded = load(settings)
    assert names(loaded) == []
    assert loaded.policy.remote_mode is Grant.ASK
    assert any("keep that outside" in notice for notice in loaded.policy.notices)


def test_the_file_that_the_account_itself_keeps_is_believed_wherever_the_workspace_is(house: House) -> None:
    house.write("user", RULE.format("u"))
    environment = replace(house.settings.environment, own_config=True)
    folder = house.user.parents[2]
    settings = replace(house.settings, environment=environment, workspace=folder, enclosing=(folder,))
    assert names(load(settings)) == [("u", Layer.USER)]
    named = replace(settings, policy_file=house.user)  # whoever names a file may have been told to
    assert names(load(named)) == []


def test_state_is_not_believed_where_a_repository_could_have_brought_it(house: House, tmp_path: Path) -> None:
    environment = house.settings.environment
    environment.state_folder.mkdir()
    assert not house.settings.state_came_along
    for folder in (tmp_path, environment.state_folder):
        around = replace(house.settings, enclosing=(folder,))
        assert around.state_came_along
        assert not replace(around, environment=replace(environment, own_state=True)).state_came_along
    environment.state_folder.rmdir()
    environment.state_folder.symlink_to(house.workspace)
    assert house.settings.state_came_along


def test_an_unconfirmed_file_may_be_smaller_only(house: House) -> None:
    text = RULE.format("u") + "#" * MAX_FOREIGN_BYTES
    house.write("user", text)
    house.load()
    house.write("local.toml", text)
    with pytest.raises(PolicyInvalid) as raised:
        house.load()
    assert [problem.file for problem in raised.value.problems] == [".smista/local.toml"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "[privacy]\nrestricted_paths = [" + ", ".join(f'"p{n}"' for n in range(10_000)) + "]\n",
        "[privacy.remote]\nblocked_paths = [\n" + "".join(f'  "p{n}",\n' for n in range(10_000)) + "]\n",
        "[models]\ndenied = [" + ", ".join(f'"p{n}"' for n in range(1000)) + "]\n",
        "".join(f'hosts.h{n}.locality = "remote"\n' for n in range(8000)),
        "[hosts]\n" + "".join(f'h{n}.locality = "remote"\n' for n in range(8000)),
    ],
    ids=["one line", "many lines", "models", "dotted keys", "dotted keys of a table"],
)
def test_a_long_list_of_an_unconfirmed_file_is_read_to_its_end(house: House, text: str) -> None:
    house.write("config.toml", text)
    assert house.load()  # it would not end within the test's time-out if each element were looked for from the start


def test_without_a_workspace_only_the_user_speaks(house: House) -> None:
    house.write("user", RULE.format("u"))
    house.write("config.toml", "broken =")
    assert names(load(replace(house.settings, workspace=None))) == [("u", Layer.USER)]


def test_a_workspace_file_that_links_out_of_it_is_refused(house: House, tmp_path: Path) -> None:
    (tmp_path / "outside.toml").write_text("secret_looking_line =")
    (house.workspace / ".smista/config.toml").symlink_to(tmp_path / "outside.toml")
    with pytest.raises(PolicyInvalid) as raised:
        house.load()
    assert "secret_looking_line" not in str(raised.value)


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling"])
@pytest.mark.parametrize("name", ["user", "local.toml"])
@pytest.mark.timeout(10)
def test_a_policy_that_is_no_file_is_refused(house: House, kind: str, name: str) -> None:
    file = house.write(name, "")
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("nowhere")
    with pytest.raises(PolicyInvalid):
        house.load()


def test_the_signature_changes_with_each_file_that_counts(house: House) -> None:
    seen = [signature(house.settings)]
    for name in ("user", "config.toml", "local.toml"):
        house.write(name, "")
        seen.append(signature(house.settings))
    house.write("user", RULE.format("u"))
    seen.append(signature(house.settings))
    (house.workspace / ".smista/local.toml").unlink()
    seen.append(signature(house.settings))
    house.organisation.write_text("")
    seen.append(signature(house.settings))
    assert len(set(seen)) == len(seen)
    assert signature(house.settings) == seen[-1]


def test_a_load_carries_the_signature_of_what_it_read(house: House) -> None:
    house.write("user", RULE.format("u"))
    assert house.load().signature == signature(house.settings)


def test_the_revision_depends_on_contents_layers_and_trust_alone(house: House, tmp_path: Path) -> None:
    house.write("user", RULE.format("u"))
    first = house.load().policy.revision
    os.utime(house.user, (1, 1))
    copy = tmp_path / "copy.toml"
    copy.write_text(RULE.format("u"))
    assert house.load().policy.revision == first == house.load(policy_file=copy).policy.revision
    house.write("user", RULE.format("u") + "\n")
    assert house.load().policy.revision != first


def test_tables_of_another_program_are_noticed(house: House) -> None:
    house.write("user", RULE.format("u") + "[router]\nport = 1\n")
    loaded = house.load()
    assert any("router" in notice for notice in loaded.policy.notices)
    assert [finding.code for finding in loaded.findings] == ["unknown_key"]


def test_named_files_are_examined_without_preset_and_with_the_trust_given(house: House) -> None:
    user = house.write(
        "user", 'preset = "tiny"\n[[routing.rules]]\nname = "u"\nintent = "edit"\nmodel = "class:fast"\n'
    )
    workspace = house.write("config.toml", '[routing.default]\nmodel = "ollama/x"\nfallbacks = ["ollama/x"]\n')
    files = [LayerFile(Layer.USER, user), LayerFile(Layer.WORKSPACE, workspace)]
    found = [(finding.code.value, finding.layer, finding.line) for finding in examine(read_files(files))]
    assert found == [("invalid_model_ref", Layer.USER, 5), ("unreachable_fallback", Layer.WORKSPACE, 3)]
    settled = [finding.code.value for finding in examine(read_layers(house.settings))]
    assert settled == ["default_missing", "unreachable_fallback"]


def test_examining_broken_files_tells_their_errors(house: House) -> None:
    user = house.write("user", "a = 1\nb =")
    assert [finding.code.value for finding in examine(read_files([LayerFile(Layer.USER, user)]))] == ["parse_error"]


def test_the_shipped_presets_load_and_none_has_a_finding(house: House) -> None:
    settings = replace(house.settings, presets_folder=None)
    for name in ("embedded", "local-first", "balanced", "quality", "team"):
        loaded = load(replace(settings, preset=name))
        assert loaded.policy.rules
        assert examine(read_layers(replace(settings, preset=name))) == ()
    assert load(settings).policy.providers["ollama"].locality is Locality.LOCAL
