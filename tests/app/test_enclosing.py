"""What came with a repository is never taken for the user's own, wherever variables point."""

import subprocess
from pathlib import Path

import pytest
from workbench import ALLOWED, default

from smista_mcp.app import App, open_app
from smista_mcp.app.enclosing import enclosing, folder_patterns, without_code
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.values import Grant
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

POLICY = default("openai/gpt-5") + ALLOWED


def git(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


def put(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(POLICY, encoding="utf-8")
    return file


def opened(cwd: Path, *, workspace: Path | None = None, policy: Path | None = None, **variables: object) -> App:
    known = {name: str(value) for name, value in variables.items()}
    settings = Settings(environment=Environment.read(known), workspace=workspace, policy_file=policy)
    return open_app(settings, cwd=lambda: cwd)


def believed(app: App) -> bool:
    return app.world.book().policy.remote_mode is Grant.ALLOW


def test_a_home_below_or_at_a_repository_holds_no_policy_of_the_user(tmp_path: Path) -> None:
    repository = git(tmp_path / "repository")
    for home in (repository, repository / "home"):
        put(home / ".config/smista/config.toml")
        assert not believed(opened(repository, HOME=home))
        assert not believed(opened(repository / ".config", HOME=home))


def test_a_home_elsewhere_holds_it(tmp_path: Path) -> None:
    repository = git(tmp_path / "repository")
    put(tmp_path / "home/.config/smista/config.toml")
    assert believed(opened(repository, HOME=tmp_path / "home"))
    assert believed(opened(Path("/"), HOME=tmp_path / "home"))


@pytest.mark.parametrize("how", ["SMISTA_HOME", "--policy"])
def test_outside_of_any_repository_a_file_that_the_user_names_is_the_users_own(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "plain"
    file = put(folder / "cfg/config.toml")
    app = (
        opened(folder, HOME=tmp_path, SMISTA_HOME=file.parent)
        if how == "SMISTA_HOME"
        else opened(folder, HOME=tmp_path, policy=file)
    )
    assert believed(app)


@pytest.mark.parametrize("how", ["SMISTA_HOME", "--policy"])
def test_a_file_of_the_repository_one_stands_in_is_not(tmp_path: Path, how: str) -> None:
    folder = git(tmp_path / "cloned")
    file = put(folder / "cfg/config.toml")
    app = (
        opened(folder, HOME=tmp_path, SMISTA_HOME=file.parent)
        if how == "SMISTA_HOME"
        else opened(folder, HOME=tmp_path, policy=file)
    )
    assert not believed(app)


def test_a_file_beside_the_workspace_in_its_repository_is_not_believed(tmp_path: Path) -> None:
    repository = git(tmp_path / "repository")
    put(repository / "cfg/config.toml")
    (repository / "pkg").mkdir()
    app = opened(tmp_path, workspace=repository / "pkg", HOME=tmp_path, SMISTA_HOME=repository / "cfg")
    assert not believed(app)


def test_every_repository_around_counts_also_that_around_a_submodule(tmp_path: Path) -> None:
    outer = git(tmp_path / "outer")
    inner = outer / "parts/inner"
    inner.mkdir(parents=True)
    (inner / ".git").write_text("gitdir: ../../.git/modules/inner\n", encoding="utf-8")
    found = enclosing(inner, inner / "src", home=tmp_path / "home")
    assert found == (inner, outer)


def test_the_home_folder_of_the_account_and_what_is_above_it_is_nobody_elses(tmp_path: Path) -> None:
    home = git(tmp_path / "home")  # a person who keeps settings under git
    (home / "notes").mkdir()
    assert enclosing(None, home, home=home) == ()
    assert enclosing(None, tmp_path, home=home) == ()
    assert enclosing(None, Path("/"), home=home) == ()
    assert enclosing(None, home / "notes", home=home) == ()
    project = git(home / "project")
    assert enclosing(project, project / "src", home=home) == (project,)
    assert enclosing(home / "plain", home / "notes", home=home) == ()


def test_a_git_folder_of_somebody_else_takes_trust_away_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "r/.git").mkdir(parents=True)  # not even a repository
    assert enclosing(None, tmp_path / "r", home=tmp_path / "home") == (tmp_path / "r",)


@pytest.mark.parametrize(
    ("folder", "inside", "outside"),
    [
        ("state", "state/answers/x.md", "src/state/x.md"),
        (".own/state", ".own/state/key", ".own/config.toml"),
        ("a*[b]?/state", "a*[b]?/state/key", "axb/state/key"),
        ("!x/state", "!x/state/key", "x/state/key"),
        ("#x/state", "#x/state/key", "x/state/key"),
        ("a\\b/state", "a\\b/state/key", "ab/state/key"),
    ],
)
def test_the_patterns_of_a_folder_match_what_is_in_it_alone(
    tmp_path: Path, folder: str, inside: str, outside: str
) -> None:
    patterns = GlobSet(folder_patterns(tmp_path / folder, tmp_path), ignore_case=True)
    assert patterns.hits(inside)
    assert not patterns.hits(outside)


def test_a_folder_elsewhere_has_no_patterns_and_one_around_the_root_all(tmp_path: Path) -> None:
    root = tmp_path / "work"
    root.mkdir()
    assert folder_patterns(tmp_path / "state", root) == ()
    assert folder_patterns(tmp_path / "state", None) == ()
    assert folder_patterns(tmp_path, root) == ("*",)
    (tmp_path / "state").symlink_to(root)
    assert folder_patterns(tmp_path / "state", root) == ("*",)
    (tmp_path / "state").unlink()
    (tmp_path / "state").symlink_to(root / "inner")
    assert folder_patterns(tmp_path / "state", root) == ("inner/**",)


def test_code_comes_from_no_repository_and_not_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    for folder in (root / "inner", home / "lib", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    foreign = without_code(root / "inner", (root,), home=home)
    assert [foreign.holds(tmp_path / name) for name in ("root/lib", "elsewhere/lib", "home/lib")] == [True, True, False]
    monkeypatch.chdir(home)
    foreign = without_code(None, (), home=home)
    assert (foreign.holds(home / "lib"), foreign.cwd) == (False, home)
