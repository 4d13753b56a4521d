import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from smista_mcp.context.diff import split
from smista_mcp.context.repository import GitFailed, Repository, open_repository

Git = Callable[..., str]


def _open(root: Path, environ: dict[str, str], timeout_s: float = 30) -> Repository:
    repository = open_repository(root, environ, timeout_s)
    assert repository is not None
    return repository


def _write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def _commit(git: Git) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", "x")


def test_tracked_files_are_listed_as_the_file_system_spells_them(git: Git, root: Path, environ: dict[str, str]) -> None:
    odd = os.fsdecode(b'a/\xff "\n')
    for name in (odd, "b", ":(top)c", "-d"):
        _write(root, name, "x")
    git("add", "--all")
    _write(root, "untracked", "x")
    assert _open(root, environ).tracked() == tuple(sorted([odd, "b", ":(top)c", "-d"]))


def test_a_root_below_the_top_sees_only_itself(git: Git, root: Path, environ: dict[str, str]) -> None:
    for name in ("sub/a", "sub/b", "other"):
        _write(root, name, "x\n")
    _commit(git)
    for name in ("sub/a", "other"):
        _write(root, name, "y\n")
    repository = _open(root / "sub", environ)
    assert repository.tracked() == ("a", "b")
    assert [part.names for part in split(repository.diff(10_000))] == [("a",)]


def test_git_says_what_a_directory_holds_and_what_it_ignores(git: Git, root: Path, environ: dict[str, str]) -> None:
    for name in ("src/a", "src/log.txt", "src/deep/b", "src/out/c", "src/out/.gitignore", "src/kept/out/d", "other"):
        _write(root, name, "*.o\n")
    _write(root, ".gitignore", "*.txt\n/src/out/\n")
    git("add", "src/a")
    repository = _open(root, environ)
    assert repository.unignored("src") == ("src/a", "src/deep/b", "src/kept/out/d")
    assert repository.ignored("src") == ("src/log.txt", "src/out/")
    assert repository.unignored("src/log.txt") == ()


def test_the_difference_holds_what_is_staged_and_what_is_not(git: Git, root: Path, environ: dict[str, str]) -> None:
    for name in ("a", "b", "c"):
        _write(root, name, "1\n")
    _commit(git)
    _write(root, "a", "2\n")
    git("add", "a")
    _write(root, "b", "2\n")
    git("mv", "c", "d")
    assert [part.names for part in split(_open(root, environ).diff(10_000))] == [("a",), ("b",), ("c", "d")]


@pytest.mark.parametrize("format_", ["sha1", "sha256"])
def test_a_repository_without_commits_has_a_difference(root: Path, environ: dict[str, str], format_: str) -> None:
    subprocess.run(["git", "init", "-q", f"--object-format={format_}"], cwd=root, env=environ, check=True)
    _write(root, "a", "1\n")
    subprocess.run(["git", "add", "a"], cwd=root, env=environ, check=True)
    assert [part.names for part in split(_open(root, environ).diff(10_000))] == [("a",)]


def test_settings_that_change_how_a_difference_looks_do_not_count(
    git: Git, root: Path, environ: dict[str, str]
) -> None:
    _write(root, "ä/x", "1\n")
    _commit(git)
    _write(root, "ä/x", "2\n")
    plain = _open(root, environ).diff(10_000)
    order = root / ".git" / "order"
    order.write_text("*\n", encoding="utf-8")
    for key, value in {
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.srcPrefix": "x/",
        "diff.context": "0",
        "diff.algorithm": "patience",
        "diff.orderFile": str(order),
        "diff.relative": "false",
        "core.quotePath": "true",
        "core.abbrev": "5",
        "color.ui": "always",
    }.items():
        git("config", key, value)
    assert _open(root, environ).diff(10_000) == plain
    assert "--- a/ä/x\n" in plain


def test_a_difference_over_the_cap_is_not_taken(git: Git, root: Path, environ: dict[str, str]) -> None:
    _write(root, "a", "1\n" * 100_000)
    git("add", "--all")
    with pytest.raises(GitFailed):
        _open(root, environ).diff(10_000)


def test_an_answer_that_takes_too_long_is_given_up(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    git("status")
    _write(tmp_path / "bin", "git", "#!/bin/sh\nsleep 30 & sleep 30\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    slow = environ | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{environ['PATH']}"}
    with pytest.raises(GitFailed):
        _open(root, slow, 0.1).tracked()


def _trap(root: Path, marker: Path, then: str = "cat") -> str:
    """A program that leaves a mark when it is run, and passes its input on."""
    program = root / ".git" / "trap"
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{marker}'\n{then}\n", encoding="utf-8")
    program.chmod(0o755)
    hooks = root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (hooks / hook).write_text(program.read_text(encoding="utf-8"), encoding="utf-8")
        (hooks / hook).chmod(0o755)
    return str(program)


def _arm(git: Git, root: Path, marker: Path) -> None:
    trap = _trap(root, marker)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "pager.diff",
        "pager.ls-files",
        "core.sshCommand",
        "core.editor",
        "core.askPass",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.e.v il.clean",
        "filter.long.process",
        "interactive.diffFilter",
        "gpg.program",
        "alias.diff",
        "alias.ls-files",
    ):
        git("config", key, trap)
    git("config", "filter.evil.required", "true")
    git("config", "core.hooksPath", str(root / ".git" / "hooks"))
    attributes = '*.a diff=evil\n*.b filter=evil\n*.c filter=long\n"*.d" filter=e.v il\n'
    (root / ".gitattributes").write_text(attributes, encoding="utf-8")


def test_nothing_that_a_repository_configures_is_run(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    names = ["x.a", "x.b", "x.c", "x.d", "sub/x.b"]
    for name in names:
        _write(root, name, "1\n")
    _commit(git)
    marker = tmp_path / "marker"
    _arm(git, root, marker)
    for name in names:
        _write(root, name, "2\n")
        os.utime(root / name, (1, 1))
    repository = _open(root, environ)
    assert set(repository.tracked()) == set(names)
    assert set(repository.unignored("")) == {*names, ".gitattributes"}
    assert repository.ignored("") == ()
    assert [part.names for part in split(repository.diff(10_000))] == [(name,) for name in sorted(names)]
    assert not marker.exists()
    subprocess.run(["git", "diff"], cwd=root, env=environ, check=False, capture_output=True, timeout=20)
    assert marker.exists()  # the traps work: git itself runs them


def test_a_filter_without_a_name_is_not_run(git: Git, root: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    _write(root, "x", "1\n")
    _write(root, ".gitattributes", "* filter=\n")
    _commit(git)
    marker = tmp_path / "marker"
    for setting in ("clean", "process", "smudge"):
        git("config", f"filter..{setting}", _trap(root, marker))
    _write(root, "x", "22\n")
    assert [part.names for part in split(_open(root, environ).diff(10_000))] == [("x",)]
    assert not marker.exists()
    subprocess.run(["git", "diff"], cwd=root, env=environ, check=False, capture_output=True, timeout=20)
    assert marker.exists()


def test_a_folder_of_files_that_looks_like_a_repository_is_none(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    _write(root, "pkg/x", "1\n")
    _write(root, "pkg/.gitattributes", "* filter=evil\n")
    _commit(git)
    marker = tmp_path / "marker"
    trap = _trap(root, marker)
    bare = root / "pkg"
    inner = environ | {"GIT_DIR": str(bare), "GIT_WORK_TREE": str(root)}
    for arguments in (["init", "-q", "--bare", str(bare)], ["add", "pkg/x"], ["config", "filter.evil.clean", trap]):
        subprocess.run(["git", *arguments], cwd=root, env=environ if arguments[0] == "init" else inner, check=True)
    subprocess.run(["git", "config", "core.fsmonitor", trap], cwd=root, env=inner, check=True)
    _write(root, "pkg/x", "22\n")
    marker.unlink(missing_ok=True)
    repository = _open(bare, environ)
    assert repository.tracked() == (".gitattributes", "x")
    assert [part.names for part in split(repository.diff(10_000))] == [("x",)]
    assert not marker.exists()


def test_a_missing_object_is_not_fetched(git: Git, root: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    _write(root, "x", "1\n")
    _commit(git)
    blob = git("rev-parse", "HEAD:x").strip()
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    marker = tmp_path / "marker"
    trap = _trap(root, marker, "exit 1")
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{trap} %S",
        "remote.origin.uploadpack": trap,
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
    }.items():
        git("config", key, value)
    _write(root, "x", "2\n")
    with pytest.raises(GitFailed):
        _open(root, environ).diff(10_000)
    assert not marker.exists()
    subprocess.run(["git", "diff"], cwd=root, env=environ, check=False, capture_output=True, timeout=20)
    assert marker.exists()


def test_a_filter_that_cannot_be_switched_off_costs_the_difference(
    git: Git, root: Path, environ: dict[str, str]
) -> None:
    _write(root, "x", "1\n")
    git("config", "filter.a=b.clean", "cat")
    with pytest.raises(GitFailed):
        _open(root, environ).diff(10_000)


def test_variables_that_steer_git_are_not_passed_on(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    _write(root, "x", "1\n")
    _commit(git)
    _write(root, "x", "2\n")
    marker = tmp_path / "marker"
    trap = _trap(root, marker)
    hostile = environ | {
        "GIT_EXTERNAL_DIFF": trap,
        "GIT_DIR": str(tmp_path),
        "GIT_INDEX_FILE": str(tmp_path / "none"),
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor'='{trap}'",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": trap,
        "GIT_TRACE": str(marker),
        "GIT_PAGER": trap,
    }
    assert [part.names for part in split(_open(root, hostile).diff(10_000))] == [("x",)]
    assert not marker.exists()


def test_a_working_tree_named_elsewhere_is_not_used(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    _write(root, "x", "1\n")
    _commit(git)
    other = tmp_path / "other"
    _write(other, "x", "secret\n")
    git("config", "core.worktree", str(other))
    _write(root, "x", "2\n")
    assert "secret" not in _open(root, environ).diff(10_000)


def test_a_submodule_is_not_looked_into(git: Git, root: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    inner = root / "sub"
    inner.mkdir()
    inside = {
        **environ,
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a",
    }
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *arguments], cwd=inner, env=inside, check=True)
    git("-c", "advice.addEmbeddedRepo=false", "add", "sub")
    git("commit", "--quiet", "-m", "x")
    marker = tmp_path / "marker"
    trap = _trap(inner, marker)
    for key in ("core.fsmonitor", "filter.evil.clean"):
        subprocess.run(["git", "config", key, trap], cwd=inner, env=environ, check=True)
    _write(inner, ".gitattributes", "* filter=evil\n")
    git("config", "diff.ignoreSubmodules", "none")
    git("config", "diff.submodule", "diff")
    marker.unlink(missing_ok=True)
    assert _open(root, environ).diff(10_000) == ""
    assert not marker.exists()
    subprocess.run(["git", "diff"], cwd=root, env=environ, check=False, capture_output=True, timeout=20)
    assert marker.exists()


def test_a_git_folder_that_leads_to_another_project_is_not_asked(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    _write(root, "private.txt", "secret\n")
    _commit(git)
    for name in ("linked", "file", "common"):
        hostile = tmp_path.resolve() / name
        hostile.mkdir()
        if name == "linked":
            (hostile / ".git").symlink_to(root / ".git")
        elif name == "file":
            _write(hostile, ".git", f"gitdir: {root / '.git'}\n")
        else:
            _fake(hostile / ".git", root)
        assert open_repository(hostile, environ, 10) is None, name


def _hostile(root: Path, private: Path, way: str) -> None:
    """Gives the repository at a root the contents of another one."""
    inner = root / ".git"
    if way == "branch":
        (inner / "refs" / "heads" / "main").symlink_to(private / "refs" / "heads" / "main")
    elif way == "alternates":
        (inner / "objects" / "info" / "alternates").write_text(f"{private / 'objects'}\n", encoding="utf-8")
    elif way == "object folder":
        (inner / "objects" / "00").symlink_to(private / "objects" / "info")
    elif way == "pack":
        (inner / "objects" / "pack" / "x.pack").symlink_to(private / "x.pack")
    else:
        (inner / "reftable").mkdir()
        (inner / "reftable" / "tables.list").symlink_to(private / "reftable" / "tables.list")


@pytest.mark.parametrize("way", ["branch", "alternates", "object folder", "pack", "reftable"])
def test_a_repository_with_contents_of_another_one_is_not_asked(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str], way: str
) -> None:
    git("status")
    assert open_repository(root, environ, 10) is not None
    _hostile(root, tmp_path / "private" / ".git", way)
    assert open_repository(root, environ, 10) is None


def test_a_linked_working_tree_with_contents_of_another_repository_is_not_asked(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    _write(root, "x", "1\n")
    _commit(git)
    linked = tmp_path.resolve() / "linked"
    git("worktree", "add", "--quiet", str(linked))
    common = root / ".git" / "worktrees" / "linked" / "commondir"
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", str(other)], env=environ, check=True)
    common.write_text(f"{other / '.git'}\n", encoding="utf-8")
    assert open_repository(linked, environ, 10) is None
    common.write_text("../..\n", encoding="utf-8")
    assert open_repository(linked, environ, 10) is not None
    _hostile(root, other / ".git", "alternates")
    assert open_repository(linked, environ, 10) is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_is_asked_only_where_git_would(
    git: Git, root: Path, environ: dict[str, str]
) -> None:
    git("status")
    for path in (root, root / ".git"):
        os.chown(path, 12345, 12345)
    assert open_repository(root, environ, 10) is None
    assert open_repository(root, environ | {"SUDO_UID": "12345"}, 10) is not None
    git("config", "--global", "safe.directory", str(root))
    assert open_repository(root, environ, 10) is not None


def _fake(to: Path, real: Path) -> None:
    for name in ("objects", "refs"):
        (to / name).mkdir(parents=True)
    (to / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (to / "commondir").write_text(str(real / ".git"), encoding="utf-8")


def test_a_linked_working_tree_is_asked(git: Git, root: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    _write(root, "x", "1\n")
    _commit(git)
    linked = tmp_path.resolve() / "linked"
    git("worktree", "add", "--quiet", str(linked))
    _write(linked, "x", "2\n")
    assert [part.names for part in split(_open(linked, environ).diff(10_000))] == [("x",)]


def test_a_git_that_the_workspace_ships_is_never_run(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    git("status")
    marker = tmp_path / "marker"
    _write(root, "bin/git", f"#!/bin/sh\ntouch '{marker}'\n")
    (root / "bin" / "git").chmod(0o755)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "git").symlink_to(root / "bin" / "git")
    entries = [str(root / "bin"), str(tmp_path / "link"), "", ".", "bin"]
    assert open_repository(root, environ | {"PATH": os.pathsep.join(entries)}, 10) is None
    repository = _open(root, environ | {"PATH": os.pathsep.join([*entries, environ["PATH"]])})
    assert repository.tracked() == ()
    assert not marker.exists()


def test_a_git_in_the_repository_beside_the_workspace_is_never_run(
    git: Git, root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    git("status")
    (root / "sub").mkdir()
    _write(root, "bin/git", f"#!/bin/sh\ntouch '{tmp_path / 'marker'}'\n")
    (root / "bin" / "git").chmod(0o755)
    (tmp_path / "link").symlink_to(root / "bin")
    for entry in (root / "bin", tmp_path / "link"):
        assert open_repository(root / "sub", environ | {"PATH": str(entry)}, 10) is None


def test_without_git_or_a_repository_there_is_nothing_to_ask(root: Path, environ: dict[str, str]) -> None:
    assert open_repository(root, environ, 10) is None
    assert open_repository(root, {"PATH": ""}, 10) is None
