"""`.smistaignore`: what it leaves out and what it does not touch; git is the oracle of its lines."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smista_mcp.context.collection import Collected, CollectRequest, collect
from smista_mcp.context.ignorefiles import GITIGNORE, SMISTAIGNORE, IgnoreFiles
from smista_mcp.context.paths import Tree
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.globs.ignoring import Fault, ignore_rules
from smista_mcp.core.task import IntentReading, Phase, Task
from smista_mcp.core.values import Confidence, Intent

Git = Callable[..., str]
FILES: tuple[str, ...] = (
    "a",
    "ab",
    "b/a",
    "b/c",
    "b/c.d/a",
    "b/c.d/e f",
    "c/b/a",
    "c/b/x.log",
    "x.log",
    "#h",
    "!n",
    "é/ü",
)
PARTS = st.sampled_from(
    ["a", "b", "c", "*", "?", "**", "/", "!", ".d", "x.log", "e\\ f", "[ab]", "[!a]", "\\#h", "#", " ", "é"]
)
GLUED = re.compile(r"[^/!]\*\*+(?:/|\s*\Z)")
"""`a**/b` and `a**`, which some releases of git let cross a `/`."""
LINE = st.lists(PARTS, max_size=5).map("".join).filter(lambda line: not GLUED.search(line))
LINES = st.lists(LINE, max_size=4).map("\n".join)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("oracle").resolve()
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def by_git(root: Path) -> set[str]:
    listing = ["git", "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=root, check=True, capture_output=True)
    return set(FILES) - set(done.stdout.decode().split("\0"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(top=LINES, inner=LINES)
def test_lines_mean_what_they_mean_to_git(repository: Path, top: str, inner: str) -> None:
    (repository / GITIGNORE).write_text(top, encoding="utf-8")
    (repository / "b" / GITIGNORE).write_text(inner, encoding="utf-8")
    for forbidding in (False, True):
        rules = IgnoreFiles(Tree(repository), GITIGNORE, forbidding=forbidding)
        ours = {name for name in FILES if rules.ignored(name)}
        if forbidding and "!" not in top + inner:
            assert ours >= by_git(repository)
        elif not forbidding:
            assert ours == by_git(repository)


@pytest.mark.parametrize(
    ("line", "fault", "ignored"),
    [
        ("secret[.txt", Fault(1, "it is no pattern", "secret*"), {"secrets", "secret[.txt"}),
        ("x.{pem,key}", Fault(1, "it has braces, which git's patterns do not know", "x.*"), {"x.pem", "x.other"}),
        ("src/{a,b}/c", Fault(1, "it has braces, which git's patterns do not know", "src/*"), {"src/a"}),
        ("foo\\", Fault(1, "it is no pattern", "foo*"), {"foo", "foobar"}),
        ("a/../b", Fault(1, "it climbs out with `..`", "a/*"), {"a/x"}),
        ("/", Fault(1, "it is no pattern", "*"), {"a"}),
        ("x\x00y", Fault(1, "it holds a control character", "x*"), {"xz"}),
        ("![", Fault(1, "it is no pattern", None), set[str]()),
        ("x" * 5000, Fault(1, "it is too long", "*"), {"a"}),
    ],
)
def test_a_line_that_is_not_understood_ignores_whatever_begins_like_it(
    line: str, fault: Fault, ignored: set[str]
) -> None:
    rules = ignore_rules(line + "\nother", forbidding=True)
    assert rules.faults == (fault,)
    assert all(rules.verdict(name, directory=False) for name in ignored)
    assert rules.verdict("other", directory=False) is True
    assert rules.verdict("free", directory=False) is (True if fault.instead == "*" else None)


def test_two_stars_at_the_end_mean_what_is_inside() -> None:
    rules = ignore_rules("a/**\n!a/b\n", forbidding=True)
    assert rules.verdict("a", directory=True) is None
    assert rules.verdict("a/c", directory=False) is True
    assert rules.verdict("a/b", directory=False) is False


def test_what_ignores_does_not_look_at_case_and_what_lets_in_does() -> None:
    rules = ignore_rules("Build/\n*.KEY\n!Mine.key\n", forbidding=True)
    assert rules.verdict("build", directory=True) is True
    assert rules.verdict("build", directory=False) is None
    assert rules.verdict("x.key", directory=False) is True
    assert rules.verdict("Mine.key", directory=False) is False
    assert rules.verdict("mine.key", directory=False) is True


# --------------------------------------------------------------------------------------------- in a collection


def a_phase(text: str = "do it", intent: Intent = Intent.EDIT, **more: tuple[str, ...]) -> Phase:
    reading = IntentReading(name=intent, source="reader", confidence=Confidence.HIGH)
    return Phase(index=0, intent=reading, text=text).model_copy(update=more)


@pytest.fixture
def in_git(root: Path, git: Git) -> Path:
    for name in ("src/auth/middleware.rs", "src/gen/out.rs", "src/lib.rs", "package-lock.json", "README.md"):
        write(root, name, f"{name} 1\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "x")
    return root


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def of(root: Path, environ: dict[str, str], phase: Phase, **task: object) -> Collected:
    given = Task.model_validate({"text": "do it", **task})
    patterns = GlobSet((".env",), ignore_case=True)
    return collect(CollectRequest(given, (phase,), root, patterns, environ))[0]


def items(found: Collected) -> list[str]:
    return [item.path for item in found.context.items]


def left_out(found: Collected) -> dict[str, str]:
    return {gone.path: gone.reason for gone in found.context.left_out}


def test_a_directory_goes_without_what_is_ignored(in_git: Path, environ: dict[str, str]) -> None:
    write(in_git, SMISTAIGNORE, "gen/\n")
    write(in_git, f"src/{SMISTAIGNORE}", "/lib.rs\n")
    for number in range(30):
        write(in_git, f"src/gen/{number}.rs", "x\n")
    found = of(in_git, environ, a_phase(), paths=["src"])
    assert [name for name in items(found) if name.endswith(".rs")] == ["src/auth/middleware.rs"]
    gone = left_out(found)
    assert gone["src/gen/"] == f"ignored by `{SMISTAIGNORE}`"
    assert gone["src/lib.rs"] == f"ignored by `src/{SMISTAIGNORE}`"
    assert not any(path.startswith("src/gen/") and path != "src/gen/" for path in gone)
    assert found.notices == ()


def test_a_file_that_is_named_is_read_all_the_same(in_git: Path, environ: dict[str, str]) -> None:
    write(in_git, SMISTAIGNORE, "*\n")
    found = of(in_git, environ, a_phase(mentions=("README.md",)), paths=["src/lib.rs"])
    assert items(found) == ["src/lib.rs", "README.md"]


def test_what_words_mean_stays_a_path_and_its_content_out(in_git: Path, environ: dict[str, str]) -> None:
    write(in_git, SMISTAIGNORE, "auth/\nAGENTS.md\n")
    write(in_git, "AGENTS.md", "x\n")
    found = of(in_git, environ, a_phase("fix the auth middleware"))
    (fact,) = found.context.paths
    assert (fact.path, fact.required) == ("src/auth/middleware.rs", True)
    assert items(found) == []
    assert left_out(found)["src/auth/middleware.rs"] == f"ignored by `{SMISTAIGNORE}`"
    assert left_out(found)["AGENTS.md"] == f"ignored by `{SMISTAIGNORE}`"


@pytest.mark.parametrize("intent", [Intent.REVIEW, Intent.EDIT])
def test_the_working_tree_goes_without_what_is_ignored(in_git: Path, environ: dict[str, str], intent: Intent) -> None:
    write(in_git, SMISTAIGNORE, "package-lock.json\n")
    write(in_git, "package-lock.json", "changed lock\n")
    write(in_git, "src/lib.rs", "changed lib\n")
    found = of(in_git, environ, a_phase("have a look", intent))
    (diff,) = [content for content in found.contents if content.item.kind == "git_diff"]
    assert "changed lib" in diff.text
    assert "changed lock" not in diff.text
    assert left_out(found)["package-lock.json"] == f"ignored by `{SMISTAIGNORE}`"
    names = {fact.path for fact in found.context.paths}
    assert ("package-lock.json" in names) == (intent is Intent.REVIEW)  # what binds the phase binds it as before


def test_a_given_diff_is_whole(in_git: Path, environ: dict[str, str]) -> None:
    write(in_git, SMISTAIGNORE, "*\n")
    diff = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n"
    found = of(in_git, environ, a_phase(), diff=diff)
    assert [content.text for content in found.contents if content.item.kind == "git_diff"] == [diff]


@pytest.mark.parametrize("content", [b"a\0b", b"\xff", b"x\n" * 3000, b"x" * 70_000, None])
def test_an_ignore_file_that_cannot_be_read_ignores_all_below(
    in_git: Path, environ: dict[str, str], content: bytes | None
) -> None:
    file = in_git / "src" / SMISTAIGNORE
    if content is None:
        file.symlink_to("/etc/hosts")
    else:
        file.write_bytes(content)
    found = of(in_git, environ, a_phase(), paths=["src"])
    assert [item for item in found.context.items if item.kind == "file"] == []
    (notice,) = found.notices
    assert f"src/{SMISTAIGNORE}" in notice


def test_a_faulty_line_is_named_and_the_others_hold(in_git: Path, environ: dict[str, str]) -> None:
    write(in_git, SMISTAIGNORE, "src/gen[\nsrc/lib.rs\n")
    found = of(in_git, environ, a_phase(), paths=["src"])
    assert [name for name in items(found) if name.startswith("src/")] == ["src/auth/middleware.rs"]
    (notice,) = found.notices
    assert "line 1" in notice
    assert "src/gen" not in notice


@pytest.mark.parametrize("folder", ["", "src/"])
@pytest.mark.parametrize("how", ["link", "hard link", "folder that is a link"])
def test_a_notice_quotes_nothing_of_what_a_file_points_to(
    in_git: Path, environ: dict[str, str], how: str, folder: str
) -> None:
    canary = "canary77aa31"
    write(in_git, ".env", f"PASS={canary}zz[9\nT={canary}-{{name}}\n../{canary}\n")
    file = in_git / folder / SMISTAIGNORE
    if how == "link":
        file.symlink_to(in_git / ".env")
    elif how == "hard link":
        file.hardlink_to(in_git / ".env")
    else:
        write(in_git, f"secrets/{SMISTAIGNORE}", f"{canary}[\n")
        (in_git / folder / "linked").symlink_to(in_git / "secrets")
    found = of(in_git, environ, a_phase(), paths=["src"])
    assert canary not in "".join(found.notices)
    if how != "folder that is a link":
        assert [item for item in found.context.items if item.kind == "file"] == []
        assert len(found.notices) == 1
