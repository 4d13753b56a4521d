from pathlib import Path

import pytest

from smista_mcp.context.workspace import find_root, git_top
from smista_mcp.errors import Code, InvalidTask


def _repository(folder: Path) -> Path:
    for name in ("objects", "refs"):
        (folder / ".git" / name).mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    return folder


def test_a_named_workspace_decides_alone(tmp_path: Path) -> None:
    named, other = tmp_path / "named", _repository(tmp_path / "other")
    named.mkdir()
    assert find_root(named, str(other), other) == named.resolve()


def test_a_relative_workspace_is_taken_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "named").mkdir()
    assert find_root(Path("named"), None, tmp_path) == tmp_path.resolve() / "named"


def test_the_root_is_a_real_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert find_root(tmp_path / "link", None, tmp_path) == tmp_path.resolve() / "real"


@pytest.mark.parametrize("name", ["missing", "file", "home", "circle", "x" * 5000, "nul\0"])
def test_a_named_workspace_that_cannot_be_one_is_refused_with_a_fix(tmp_path: Path, name: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(InvalidTask) as refusal:
        find_root(tmp_path / name, None, tmp_path, home=tmp_path / "home")
    assert refusal.value.code is Code.INVALID_TASK
    assert refusal.value.fix


def test_the_top_of_the_file_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidTask):
        find_root(Path(tmp_path.anchor), None, tmp_path)


def test_the_home_folder_is_refused_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "home")
    with pytest.raises(InvalidTask):
        find_root(tmp_path / "alias" / "." / ".." / "home", None, tmp_path, home=tmp_path / "alias")


def test_a_folder_above_the_home_folder_is_refused(tmp_path: Path) -> None:
    above = _repository(tmp_path / "users")
    home = above / "group" / "me"
    (home / "project").mkdir(parents=True)
    for folder in (above, above / "group"):
        with pytest.raises(InvalidTask):
            find_root(folder, None, tmp_path, home=home)
    assert find_root(None, str(above), home / "project", home=home) is None
    assert find_root(home / "project", None, tmp_path, home=home) == (home / "project").resolve()


def test_the_project_folder_of_the_host_comes_before_the_repository(tmp_path: Path) -> None:
    repository = _repository(tmp_path / "repository")
    (tmp_path / "project").mkdir()
    assert find_root(None, str(tmp_path / "project"), repository) == tmp_path.resolve() / "project"


@pytest.mark.parametrize("project", ["", "missing", "home", "relative"])
def test_a_project_folder_that_cannot_be_used_is_skipped(tmp_path: Path, project: str) -> None:
    repository = _repository(tmp_path / "repository")
    (tmp_path / "home").mkdir()
    named = project if project in ("", "relative") else str(tmp_path / project)
    assert find_root(None, named, repository, home=tmp_path / "home") == repository.resolve()


def test_the_git_top_of_the_working_directory_is_the_last_choice(tmp_path: Path) -> None:
    repository = _repository(tmp_path / "repository")
    (repository / "a" / "b").mkdir(parents=True)
    assert find_root(None, None, repository / "a" / "b") == repository.resolve()


def test_a_home_folder_under_git_is_no_workspace(tmp_path: Path) -> None:
    home = _repository(tmp_path / "home")
    (home / "notes").mkdir()
    assert find_root(None, None, home / "notes", home=home) is None


def test_without_a_repository_there_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "a" / ".git").mkdir(parents=True)  # an empty folder of that name is no repository
    assert git_top(tmp_path / "a") is None
    assert find_root(None, None, tmp_path / "missing") is None


def test_a_linked_working_tree_is_a_top(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /elsewhere/.git/worktrees/a\n", encoding="utf-8")
    (tmp_path / "a").mkdir()
    assert git_top(tmp_path / "a") == tmp_path.resolve()
