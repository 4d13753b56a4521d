"""The organisation's files on disk: taken where nobody but root, or the user who runs us, could have written them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import PATIENCE_S

from smista_mcp.core.values import Grant, Layer
from smista_mcp.errors import Code, OrgPolicyInvalid, PolicyInvalid
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Loaded, Settings, check_organisation, examine, load, read_layers, signature

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
NOBODY = 54321
needs_root = pytest.mark.skipif(not ROOT, reason="only root can give a file to somebody else")

DENY = '[privacy.remote]\nmode = "deny"\n'
RULE = '[[routing.rules]]\nname = "{0}"\nmodel = "ollama/{0}"\n'


class House:
    """A fixed place, a place to add, a user and presets, in folders that nobody else may write to."""

    def __init__(self, root: Path) -> None:
        self.etc = root / "etc/smista"
        self.fixed = self.etc / "policy.toml"
        self.added = root / "added/org.toml"
        self.user = root / "home/config.toml"
        for folder in (self.etc, self.added.parent, self.user.parent, root / "presets"):
            folder.mkdir(parents=True)
        for folder in (root, root / "etc", self.etc, self.added.parent):
            folder.chmod(0o755)
        (root / "presets/tiny.toml").write_text(RULE.format("preset"))
        (root / "presets/first-run.toml").write_text('[routing]\nhandoff = "when_unavailable"\n')
        environment = Environment(config_file=self.user, state_folder=root / "state", organisation_file=self.fixed)
        self.settings = Settings(environment=environment, presets_folder=root / "presets")

    def write(self, text: str, file: Path | None = None, mode: int = 0o644) -> Path:
        place = file or self.fixed
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)
        return place

    def with_added(self, file: Path | None = None) -> Settings:
        environment = replace(self.settings.environment, added_organisation_file=file or self.added)
        return replace(self.settings, environment=environment)

    def load(self, preset: str | None = None) -> Loaded:
        return load(replace(self.settings, preset=preset))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def refused(settings: Settings) -> OrgPolicyInvalid:
    """The refusal of everything that reads a policy."""
    with pytest.raises(OrgPolicyInvalid):
        check_organisation(settings.environment)
    with pytest.raises(OrgPolicyInvalid) as raised:
        load(settings)
    assert raised.value.code is Code.ORG_POLICY_INVALID
    assert raised.value.fix
    return raised.value


def test_the_file_at_the_fixed_place_is_applied(house: House) -> None:
    house.write(DENY + RULE.format("company"))
    house.user.write_text(RULE.format("own"))
    policy = house.load().policy
    assert policy.remote_mode is Grant.DENY
    assert {(p.rule.name, p.origin.layer) for p in policy.rules} == {
        ("company", Layer.ORGANISATION),
        ("own", Layer.USER),
    }
    assert policy.provenance["privacy.remote.mode"].file == str(house.fixed)


def test_without_one_nothing_is_said_of_it(house: House) -> None:
    house.user.write_text(RULE.format("own"))
    policy = house.load().policy
    assert (policy.organisation, policy.notices) == (None, ())
    check_organisation(house.settings.environment)


# ---------------------------------------------------------------------------------------------------- fails closed


@pytest.mark.parametrize(
    ("text", "line"),
    [("", None), ("# soon\n", None), ("a = 1\n", 1), ("[models]\nallowed = 1\n", 2), ('locked = ["privat"]\n', 1)],
)
@pytest.mark.parametrize("place", ["fixed", "added"])
def test_a_file_that_says_nothing_or_nothing_sensible_refuses_everything(
    house: House, text: str, line: int | None, place: str
) -> None:
    file = house.write(text, house.fixed if place == "fixed" else house.added)
    house.user.write_text("broken =")  # the organisation's comes first
    error = refused(house.settings if place == "fixed" else house.with_added())
    (problem,) = error.problems
    assert (problem.file, problem.line) == (str(file), line)


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling", "circle", "behind nothing"])
def test_what_is_no_file_refuses_everything(house: House, kind: str) -> None:
    if kind == "folder":
        house.fixed.mkdir()
    elif kind == "pipe":
        os.mkfifo(house.fixed, 0o644)
    elif kind == "behind nothing":
        house.etc.rmdir()
        house.etc.symlink_to("gone")
    else:
        house.fixed.symlink_to("policy.toml" if kind == "circle" else "nowhere")
    assert str(house.fixed) in refused(house.settings).message


def test_a_variable_that_names_no_file_refuses_everything(house: House) -> None:
    error = refused(house.with_added())
    assert str(house.added) in error.message
    assert "SMISTA_ORG_POLICY" in error.message


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o622, 0o777])
@pytest.mark.parametrize("place", ["fixed", "added"])
def test_a_file_that_others_may_write_to_refuses_everything(house: House, mode: int, place: str) -> None:
    file = house.write(DENY, house.fixed if place == "fixed" else house.added, mode)
    settings = house.settings if place == "fixed" else house.with_added()
    assert "chmod go-w" in refused(settings).message
    file.chmod(0o644)
    assert load(settings).policy.remote_mode is Grant.DENY


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
@pytest.mark.parametrize("above", [0, 1])
def test_so_does_a_folder_around_it(house: House, mode: int, above: int) -> None:
    house.write(DENY)
    folder = house.fixed.parents[above]
    folder.chmod(mode)
    assert f"`{folder}`" in refused(house.settings).message
    folder.chmod(0o1777)  # there, nobody replaces what is another's
    assert house.load().policy.remote_mode is Grant.DENY


@pytest.mark.parametrize("wrong", ["file", "folder", None])
def test_a_link_is_followed_and_what_it_leads_to_is_judged(house: House, tmp_path: Path, wrong: str | None) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir(mode=0o755)
    target = house.write(DENY, folder / "real.toml", 0o666 if wrong == "file" else 0o644)
    folder.chmod(0o777 if wrong == "folder" else 0o755)
    house.fixed.symlink_to("../../elsewhere/real.toml")
    if wrong is None:
        assert house.load().policy.remote_mode is Grant.DENY
    else:
        assert f"`{target if wrong == 'file' else folder}`" in refused(house.settings).message


@needs_root
@pytest.mark.parametrize("what", ["file", "folder", "link", "target", "added"])
def test_what_belongs_to_somebody_else_refuses_everything(house: House, tmp_path: Path, what: str) -> None:
    settings = house.settings
    if what in ("link", "target"):
        target = house.write(DENY, tmp_path / "real.toml")
        house.fixed.symlink_to(target)
        os.chown(house.fixed if what == "link" else target, NOBODY, NOBODY, follow_symlinks=False)
    else:
        file = house.write(DENY, house.added if what == "added" else house.fixed)
        os.chown(file.parent if what == "folder" else file, NOBODY, NOBODY)
        settings = house.with_added() if what == "added" else settings
    assert str(NOBODY) in refused(settings).message


@needs_root
@pytest.mark.parametrize("added", [False, True])
def test_where_there_is_no_file_it_does_not_matter_whose_the_folders_are(house: House, *, added: bool) -> None:
    for folder in (house.etc, house.etc.parent):
        os.chown(folder, NOBODY, NOBODY)
    assert house.load().policy.organisation is None
    check_organisation(house.settings.environment)
    house.etc.rmdir()
    assert house.load().policy.organisation is None
    if added:  # what a variable names has to be there
        os.chown(house.added.parent, NOBODY, NOBODY)
        assert "does not exist" in refused(house.with_added()).message


# -------------------------------------------------------------------------------------------------- another user

DROPPED = """\
import contextlib, io, os, sys
from smista_mcp.cli import main
home, user = sys.argv[1], int(sys.argv[2])
os.environ["SMISTA_HOME"] = home + "/root"
with contextlib.redirect_stdout(io.StringIO()):
    main(["route", "x", "--json"])  # loads what the same command will need once only this user's files can be read
    main(["policy", "check", "--json"])
os.environ["SMISTA_HOME"] = home + "/user"
os.setgroups([])
os.setgid(user)
os.setuid(user)
sys.exit(main(sys.argv[3:]))
"""
FIXED = """\
import dataclasses, sys
from pathlib import Path
from smista_mcp.loading import environment
read = environment.Environment.read.__func__
def moved(cls, *given, **named):
    return dataclasses.replace(read(cls, *given, **named), organisation_file=Path({path!r}))
environment.Environment.read = classmethod(moved)
"""


@pytest.fixture
def seen() -> Iterator[House]:
    """A house where another user may look: pytest's own folders are closed to everybody else."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield House(Path(folder))


def as_nobody(house: House, *arguments: str, added: bool = False) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own that has given up root's rights."""
    home = house.etc.parents[1] / "homes"
    (home / "user").mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    os.chown(home / "user", NOBODY, NOBODY)
    (home / "user/config.toml").write_text('[routing.default]\nmodel = "host/current"\n')
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SMISTA")}
    if added:
        variables["SMISTA_ORG_POLICY"] = str(house.added)
    program = DROPPED if added else FIXED.format(path=str(house.fixed)) + DROPPED
    return subprocess.run(
        [sys.executable, "-c", program, str(home), str(NOBODY), *arguments],
        cwd=home,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@needs_root
@pytest.mark.parametrize("added", [False, True])
def test_a_file_of_root_binds_another_user_and_is_no_cause_for_a_remark(seen: House, *, added: bool) -> None:
    seen.write('[routing]\noverrides = "deny"\n', seen.added if added else seen.fixed)
    done = as_nobody(seen, "route", "x", "--model", "ollama/m", "--json", added=added)
    assert '"code": "override_not_allowed"' in done.stdout, done.stderr
    assert '"organisation": "' in done.stdout
    assert "not belong to root" not in done.stdout


@needs_root
@pytest.mark.parametrize("command", [("route", "x"), ("policy", "check")])
@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_file_that_a_user_cannot_read_refuses_everything(seen: House, command: tuple[str, ...], closed: str) -> None:
    seen.write(DENY, mode=0o600 if closed == "file" else 0o644)
    seen.etc.chmod(0o700 if closed == "folder" else 0o755)
    done = as_nobody(seen, *command, "--json")
    assert done.returncode == 1
    assert '"code": "org_policy_invalid"' in done.stdout, done.stderr
    assert str(seen.fixed) in done.stdout


@needs_root
def test_a_file_of_the_users_own_counts_and_is_said_to_bind_no_agent(seen: House) -> None:
    os.chown(seen.write('[routing]\noverrides = "deny"\n'), NOBODY, NOBODY)
    done = as_nobody(seen, "route", "x", "--model", "ollama/m", "--json")
    assert '"code": "override_not_allowed"' in done.stdout, done.stderr
    assert "does not belong to root" in done.stdout


@pytest.mark.skipif(ROOT, reason="what belongs to root is no cause for a remark; children of the tests above show it")
def test_a_file_of_ones_own_is_said_to_bind_no_agent(house: House) -> None:
    house.write(DENY)
    assert any("does not belong to root" in notice for notice in house.load().policy.notices)


# ------------------------------------------------------------------------------------------------------- two files


def test_an_added_file_only_narrows(house: House) -> None:
    house.write(RULE.format("company") + '[models]\nallowed = ["ollama/*"]\n')
    house.write(
        RULE.format("added") + DENY + '[models]\nallowed = ["*qwen*"]\n[privacy]\nfree_paths = [".env"]\n', house.added
    )
    policy = load(house.with_added()).policy
    assert [placed.rule.name for placed in policy.rules] == ["company"]
    assert (policy.remote_mode, policy.allowed) == (Grant.DENY, (("*qwen*",), ("ollama/*",)))
    assert ".env" in {pattern for pattern, _ in policy.restricted}


def test_a_variable_that_names_the_fixed_file_adds_nothing(house: House, tmp_path: Path) -> None:
    house.write(RULE.format("company"))
    alone = house.load().policy
    (tmp_path / "link.toml").symlink_to(house.fixed)
    for same in (house.fixed, tmp_path / "link.toml"):
        assert load(house.with_added(same)).policy == alone


# ----------------------------------------------------------------------------------------------------------- preset


def test_the_preset_that_it_names_holds_against_that_of_the_call_and_says_so(house: House) -> None:
    house.write('preset = "tiny"\n')
    assert [placed.rule.name for placed in house.load().policy.rules] == ["preset"]
    loaded = house.load("first-run")
    assert [placed.rule.name for placed in loaded.policy.rules] == ["preset"]
    assert any("first-run" in notice for notice in loaded.policy.notices)


@pytest.mark.parametrize("named_by", ["user", "call"])
def test_a_locked_preset_is_nobodys_to_name(house: House, named_by: str) -> None:
    house.write('locked = ["preset"]\n')
    house.user.write_text('preset = "tiny"\n' if named_by == "user" else RULE.format("own"))
    loaded = house.load("tiny" if named_by == "call" else None)
    assert "preset" not in {placed.rule.name for placed in loaded.policy.rules}
    own = [notice for notice in loaded.policy.notices if "does not belong to root" not in notice]
    assert [("locked" in notice, "--preset" in notice) for notice in own] == [(named_by == "user", named_by == "call")]


def test_one_that_only_restricts_leaves_the_first_run_as_it_is(house: House) -> None:
    house.write(DENY)
    policy = house.load().policy
    assert (policy.handoff, policy.remote_mode) == ("when_unavailable", Grant.DENY)
    house.write(DENY + RULE.format("company"))
    assert house.load().policy.handoff == "never"


def test_an_unknown_preset_of_it_refuses_everything(house: House) -> None:
    house.write('locked = ["routing"]\npreset = "tinny"\n')
    with pytest.raises(OrgPolicyInvalid) as raised:
        house.load()
    assert [(p.file, p.line) for p in raised.value.problems] == [(str(house.fixed), 2)]


# -------------------------------------------------------------------------------------------------------- freshness


def test_the_signature_changes_with_what_the_file_says_and_with_who_may_write_it(house: House) -> None:
    seen = [signature(house.settings)]
    house.write(DENY)
    seen.append(signature(house.settings))
    house.fixed.chmod(0o664)
    seen.append(signature(house.settings))
    house.fixed.chmod(0o644)
    house.etc.chmod(0o777)
    seen.append(signature(house.settings))
    house.etc.chmod(0o755)
    seen.append(signature(house.with_added()))
    house.fixed.unlink()
    assert len(set(seen)) == len(seen)
    (house.etc / "other").write_text("x")  # a neighbour is no change
    assert signature(house.settings) == seen[0]


@pytest.mark.parametrize("loosened", ["real", "between", "real again"])
def test_the_signature_changes_with_the_rights_of_every_folder_behind_a_link(
    house: House, tmp_path: Path, loosened: str
) -> None:
    for name in ("real", "between"):
        (tmp_path / name).mkdir(mode=0o755)
    house.write(DENY, tmp_path / "real/p.toml")
    (tmp_path / "between/step.toml").symlink_to("../real/p.toml")
    house.fixed.symlink_to(tmp_path / "between/step.toml")
    before = signature(house.settings)
    assert signature(house.settings) == before
    assert house.load().policy.remote_mode is Grant.DENY
    folder = tmp_path / loosened.split(maxsplit=1)[0]
    folder.chmod(0o777)
    assert signature(house.settings) != before
    assert f"`{folder}`" in refused(house.settings).message
    if loosened == "real again":
        folder.chmod(0o755)
        assert signature(house.settings) == before
    if ROOT:
        now = signature(house.settings)
        os.chown(folder, NOBODY, NOBODY)
        assert signature(house.settings) != now


def test_the_users_own_faults_stay_his(house: House) -> None:
    house.write(DENY)
    house.user.write_text("broken =")
    with pytest.raises(PolicyInvalid) as raised:
        house.load()
    assert raised.value.code is Code.POLICY_INVALID


def test_the_check_of_ones_own_files_looks_at_it_too(house: House) -> None:
    house.write('locked = ["privacy.remote.mode"]\n')
    house.user.write_text('[privacy.remote]\nmode = "allow"\n[routing.default]\nmodel = "ollama/m"\n')
    found = [(f.code.value, f.layer, f.line) for f in examine(read_layers(house.settings))]
    assert found == [("org_lock_violation", Layer.USER, 2)]
    house.write("# nothing\n")
    house.user.unlink()
    assert "org_policy_empty" in [finding.code for finding in examine(read_layers(house.settings))]
