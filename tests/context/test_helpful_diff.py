"""The working tree's difference, as real git writes it, cut per file and hunk."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.context.collection import Collected, CollectRequest, collect
from smista_mcp.context.diff import hunks, split
from smista_mcp.context.survey import Caps
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.secretscan import secrets_in
from smista_mcp.core.task import IntentReading, Phase, Task
from smista_mcp.core.values import Confidence, Intent

Git = Callable[..., str]
KEY = "AKIA" + "QYLPMN5HFWXGZ3DE"
BASE64 = "MIIEpAIBAAKCAQEA7bq3Xv0cKf9Jt2mWqYzR1uLhNs8dVp4GxEo6aTiBkQwHyCjZ"


@dataclass(frozen=True)
class Work:
    root: Path
    environ: dict[str, str]
    caps: Caps = field(default_factory=Caps)

    def write(self, name: str, text: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def of(self, intent: Intent = Intent.EDIT) -> Collected:
        reading = IntentReading(name=intent, source="reader", confidence=Confidence.HIGH)
        phase = Phase(index=0, intent=reading, text="have a look")
        patterns = GlobSet((".env", "*.pem", "secrets/**"), ignore_case=True)
        return collect(CollectRequest(Task(text="x"), (phase,), self.root, patterns, self.environ, self.caps))[0]

    def helpful(self) -> str:
        found = self.of()
        texts = [content.text for content in found.contents if content.item.kind == "git_diff"]
        for content in found.contents:
            assert not content.item.required
            assert content.item.restricted is None
            assert content.item.secrets == ()
        return "".join(texts)

    def left_out(self, intent: Intent = Intent.EDIT) -> dict[str, str]:
        return {gone.path: gone.reason for gone in self.of(intent).context.left_out}


@pytest.fixture
def work(root: Path, environ: dict[str, str], git: Git) -> Work:
    work = Work(root, environ)
    work.write("long.py", "".join(f"line {number}\n" for number in range(60)))
    work.write("other.py", "x = 1\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "x")
    return work


def changed(**lines: str) -> str:
    """The long file with some of its lines, from 0, replaced."""
    found = [f"line {number}" for number in range(60)]
    for place, text in lines.items():
        found[int(place[1:])] = text
    return "\n".join(found) + "\n"


def test_a_hunk_with_a_secret_is_left_out_alone(work: Work) -> None:
    work.write("long.py", changed(_3="first = 1", _30=f"key = '{KEY}'", _55="last = 1"))
    work.write("other.py", "x = 2\n")
    text = work.helpful()
    assert KEY not in text
    assert "[a hunk of 9 lines is left out here]\n" in text
    assert all(line in text for line in ("+first = 1\n", "+last = 1\n", "+x = 2\n"))
    assert text.index("+first") < text.index("[a hunk") < text.index("+last") < text.index("+x = 2")
    assert "hunk 2 of 3" in work.left_out()["long.py"]
    assert KEY not in str(work.left_out())


def test_a_file_of_nothing_but_secrets_is_left_out_with_its_name(work: Work) -> None:
    work.write("long.py", changed(_3=f"key = '{KEY}'"))
    work.write("other.py", "x = 2\n")
    text = work.helpful()
    assert "long.py" not in text
    assert "[the changes of one file are left out here]\n" in text
    assert "hunk 1 of 1" in work.left_out()["long.py"]


def test_a_secret_that_runs_over_several_hunks_goes_with_none_of_them(work: Work, git: Git) -> None:
    before = ["a = 1", "-----BEGIN RSA PRIVATE KEY-----", *(f"{BASE64}{n:02}" for n in range(30)), "x"]
    work.write("k.txt", "\n".join([*before, "-----END RSA PRIVATE KEY-----", *(f"free {n}" for n in range(40))]) + "\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "key")
    lines = (work.root / "k.txt").read_text(encoding="utf-8").split("\n")
    lines[4], lines[28], lines[70] = lines[4][::-1], lines[28][::-1], "changed freely"
    work.write("k.txt", "\n".join(lines))
    text = work.helpful()
    assert BASE64 not in text
    assert "k.txt" not in text
    assert "private_key" in work.left_out()["k.txt"]


def test_a_secret_in_a_name_takes_the_whole_file_out(work: Work, git: Git) -> None:
    work.write(f"{KEY}.txt", "free\n")
    git("add", "--all")
    assert KEY not in work.helpful()


def test_staged_and_unstaged_changes_are_both_there(work: Work, git: Git) -> None:
    work.write("other.py", "staged = 1\n")
    git("add", "other.py")
    work.write("long.py", changed(_3="unstaged = 1"))
    text = work.helpful()
    assert "+staged = 1" in text
    assert "+unstaged = 1" in text


def test_what_git_does_not_track_is_named_in_a_review_and_not_opened(work: Work) -> None:
    work.write("other.py", "x = 2\n")
    work.write("new/thing.py", "n = 1\n")
    work.write(".gitignore", "*.log\n.gitignore\n")
    work.write("x.log", "l\n")
    work.write("secrets/plan", "p\n")
    found = work.left_out(Intent.REVIEW)
    assert "does not track" in found["new/thing.py"]
    assert found["secrets/plan"] == "restricted by `secrets/**`"
    assert "x.log" not in found
    assert "new/thing.py" not in work.left_out(Intent.EDIT)
    for number in range(30):
        work.write(f"many/{number}.py", "n\n")
    assert any(path.endswith(" more") for path in work.left_out(Intent.REVIEW))


def test_a_repository_without_commits_shows_what_is_staged(root: Path, environ: dict[str, str], git: Git) -> None:
    work = Work(root, environ)
    work.write("a.py", "a = 1\n")
    work.write("server.pem", "K\n")
    git("add", "--all")
    text = work.helpful()
    assert "+a = 1" in text
    assert "server.pem" not in text


def test_binary_files_changed_modes_and_missing_line_ends_are_kept(work: Work, git: Git) -> None:
    work.write("logo.png", b"\x89PNG\0\1")
    work.write("run.sh", "echo\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "more")
    work.write("logo.png", b"\x89PNG\0\2")
    (work.root / "run.sh").chmod(0o755)
    work.write("other.py", "x = 2")
    text = work.helpful()
    assert "Binary files a/logo.png and b/logo.png differ\n" in text
    assert "old mode 100644\nnew mode 100755\n" in text
    assert "+x = 2\n\\ No newline at end of file\n" in text


@pytest.mark.parametrize(("old", "new"), [("secrets/a.py", "b.py"), ("b.py", "secrets/a.py"), ("a.pem", "a.txt")])
def test_a_rename_is_judged_by_both_names(work: Work, git: Git, old: str, new: str) -> None:
    work.write(old, "".join(f"row {n}\n" for n in range(20)))
    git("add", "--all")
    git("commit", "--quiet", "--message", "more")
    (work.root / new).parent.mkdir(exist_ok=True)
    git("mv", old, new)
    work.write("other.py", "x = 2\n")
    text = work.helpful()
    assert "+x = 2" in text
    assert "rename" not in text
    assert work.left_out()[new].startswith("restricted by")


def test_a_merge_with_conflicts_is_cut_like_any_difference(work: Work, git: Git) -> None:
    git("checkout", "--quiet", "-b", "side")
    work.write("other.py", "side = 1\n")
    git("commit", "--quiet", "--all", "--message", "side")
    git("checkout", "--quiet", "main")
    work.write("other.py", "main = 1\n")
    git("commit", "--quiet", "--all", "--message", "main")
    with pytest.raises(Exception, match="merge"):
        git("merge", "side")
    text = work.helpful()
    assert "<<<<<<<" in text
    assert git("diff", "--cc").startswith("diff --cc other.py")


@pytest.mark.parametrize("shape", [("--cc",), ("--cc", "--combined-all-paths"), ("-c",)])
def test_the_hunks_of_a_combined_difference_are_found(work: Work, git: Git, shape: tuple[str, ...]) -> None:
    git("checkout", "--quiet", "-b", "side")
    work.write("long.py", changed(_3="side", _40="side"))
    git("commit", "--quiet", "--all", "--message", "side")
    git("checkout", "--quiet", "main")
    work.write("long.py", changed(_3="main", _40="main"))
    git("commit", "--quiet", "--all", "--message", "main")
    with pytest.raises(Exception, match="merge"):
        git("merge", "side")
    work.write("long.py", changed(_3="both", _40="both"))
    git("commit", "--quiet", "--all", "--message", "both")
    (part,) = split(git("show", "--format=", *shape, "HEAD"))
    head, each = hunks(part.text)
    assert len(each) == 2
    assert all(hunk.startswith("@@@ ") for hunk in each)
    assert head + "".join(each) == part.text


def test_a_difference_over_the_cap_is_named_and_not_taken(work: Work) -> None:
    work.write("other.py", "y\n" * 5000)
    small = replace(work, caps=Caps(diff_bytes=1000))
    assert small.helpful() == ""
    assert small.left_out()["git diff"].startswith("too large")


LINES = st.sampled_from(["a", "b", f"key = '{KEY}'", "@@ -1 +1 @@", "--- a/x", "", "diff --git a/.env b/.env"])


@given(
    st.lists(st.lists(LINES, min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from(["", "\\ No newline at end of file\n"]),
)
def test_head_and_hunks_are_the_part_whatever_stands_in_the_lines(each: list[list[str]], end: str) -> None:
    text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n"
    for number, added in enumerate(each):
        text += f"@@ -{number * 10 + 1} +{number * 10 + 1},{len(added) + 1} @@\n l\n"
        text += "".join(f"+{line}\n" for line in added)
    text += end
    (part,) = split(text)
    head, found = hunks(part.text)
    assert head + "".join(found) == part.text == text
    assert len(found) == len(each)
    kept = [hunk for hunk in found if not secrets_in(hunk)]
    assert KEY not in "".join(kept)
