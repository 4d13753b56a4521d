import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from smista_mcp.context.collection import Collected, CollectRequest, collect
from smista_mcp.context.labels import UNPLACED
from smista_mcp.context.skillfiles import read_skill_file, skill_places, taken
from smista_mcp.context.survey import UNJUDGED, Caps
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.task import Attachment, IntentReading, Phase, Task
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Confidence, ContextKind, Intent
from smista_mcp.errors import Code, InvalidTask, SmistaError

Git = Callable[..., str]

ENV_DIFF = "diff --git a/.env b/.env\n--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-K=1\n+K=2\n"
CODE_DIFF = "diff --git a/src/x.py b/src/x.py\n--- a/src/x.py\n+++ b/src/x.py\n@@ -1 +1 @@\n-a\n+b\n"


def a_phase(text: str = "do it", intent: Intent = Intent.EDIT, **more: tuple[str, ...]) -> Phase:
    return Phase(
        index=0, intent=IntentReading(name=intent, source="reader", confidence=Confidence.HIGH), text=text
    ).model_copy(update=more)


@dataclass(frozen=True)
class Bench:
    root: Path | None
    environ: dict[str, str]
    restricted: tuple[str, ...] = (".env", "secrets.toml", "*.key", "secrets/**")
    caps: Caps = field(default_factory=Caps)

    def all(self, *phases: Phase, **task: object) -> tuple[Collected, ...]:
        given = Task.model_validate({"text": "do it", **task})
        patterns = GlobSet(self.restricted, ignore_case=True)
        return collect(CollectRequest(given, phases, self.root, patterns, self.environ, self.caps))

    def one(self, phase: Phase | None = None, **task: object) -> Collected:
        return self.all(phase or a_phase(), **task)[0]


@pytest.fixture
def bench(root: Path, environ: dict[str, str]) -> Bench:
    for name, text in {
        "src/auth/middleware.rs": "fn check() {}\n",
        "src/auth/login.rs": "1\n2\n3\n4\n",
        "src/db/store.py": "x = 1\n",
        "README.md": "# Read me\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return Bench(root, environ)


@pytest.fixture
def in_git(bench: Bench, git: Git) -> Bench:
    git("add", "--all")
    git("commit", "--quiet", "--message", "x")
    return bench


def write(bench: Bench, name: str, text: str | bytes) -> None:
    assert bench.root is not None
    path = bench.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def paths(found: Collected, source: str | None = None) -> list[str]:
    return [fact.path for fact in found.context.paths if source in (None, fact.source)]


def items(found: Collected) -> list[str]:
    return [item.path for item in found.context.items]


def left_out(found: Collected) -> dict[str, str]:
    return {gone.path: gone.reason for gone in found.context.left_out}


def text_of(found: Collected, path: str) -> str:
    return next(content.text for content in found.contents if content.item.path == path)


def test_the_files_of_the_example_are_found_by_its_words(in_git: Bench) -> None:
    write(in_git, ".env", "TOKEN=1\n")
    write(in_git, "secrets.toml", "key = 1\n")
    write(in_git, "SMISTA.md", "Be brief.\n")
    write(in_git, "src/auth/middleware.rs", "fn check() { log() }\n")
    found = in_git.one(a_phase("refactor the auth middleware", Intent.REFACTOR))
    (fact,) = found.context.paths
    assert (fact.path, fact.source, fact.evidence) == ("src/auth/middleware.rs", "inferred", "auth middleware")
    assert items(found) == ["src/auth/middleware.rs", "git diff", "SMISTA.md"]
    assert [item.required for item in found.context.items] == [True, False, False]
    assert left_out(found) == {".env": "restricted by `.env`", "secrets.toml": "restricted by `secrets.toml`"}
    assert found.context.kinds == {ContextKind.GIT_DIFF, ContextKind.PATHS}
    assert found == in_git.one(a_phase("refactor the auth middleware", Intent.REFACTOR))


def test_an_item_is_labelled_by_what_was_read(bench: Bench) -> None:
    found = bench.one(paths=["README.md"])
    item = found.context.items[0]
    assert text_of(found, "README.md") == "# Read me\n"
    assert item.digest == hashlib.sha256(b"# Read me\n").hexdigest()
    assert item.tokens == count_tokens("# Read me\n")
    assert (item.kind, item.required, item.restricted, item.forms) == ("file", True, None, ("README.md",))
    assert [content.item for content in found.contents] == list(found.context.items)


def test_a_range_of_lines_is_cut_out_and_named(bench: Bench) -> None:
    found = bench.one(a_phase(mentions=("src/auth/login.rs:2-3", "src/auth/login.rs:9")))
    assert paths(found) == ["src/auth/login.rs"]
    assert items(found) == ["src/auth/login.rs:2-3"]
    assert text_of(found, "src/auth/login.rs:2-3") == "2\n3\n"
    assert found.context.items[0].digest == hashlib.sha256(b"2\n3\n").hexdigest()
    assert "src/auth/login.rs" in left_out(found)


def test_paths_of_the_call_hold_for_all_phases_but_those_that_name_their_own(bench: Bench) -> None:
    first, second = bench.all(a_phase(), a_phase(mentions=("src/auth/login.rs",)), paths=["README.md"])
    assert paths(first) == ["README.md"]
    assert paths(second) == ["src/auth/login.rs"]


def test_a_call_of_one_phase_keeps_what_it_names(bench: Bench) -> None:
    found = bench.one(a_phase(mentions=("src/auth/login.rs",)), paths=["README.md"], diff=CODE_DIFF)
    assert paths(found) == ["README.md", "src/x.py", "src/auth/login.rs"]


def test_a_phase_that_speaks_of_the_diff_keeps_the_given_one(bench: Bench) -> None:
    named = a_phase("review the diff against README.md", Intent.REVIEW, mentions=("README.md",))
    first, second = bench.all(named, a_phase(mentions=("README.md",)), diff=CODE_DIFF)
    assert paths(first) == ["src/x.py", "README.md"]
    assert paths(second) == ["README.md"]


def test_words_that_only_look_like_a_path_take_nothing_away(in_git: Bench) -> None:
    phase = a_phase("refactor the auth middleware and/or sessions", mentions=("and/or",))
    assert paths(in_git.one(phase), "inferred") == ["src/auth/middleware.rs"]
    assert paths(in_git.all(phase, a_phase(), paths=["README.md"])[0], "call") == ["README.md"]


def test_the_end_of_one_path_names_the_file(in_git: Bench) -> None:
    fact = in_git.one(a_phase(mentions=("middleware.rs",))).context.paths[0]
    assert (fact.path, fact.source, fact.evidence) == ("src/auth/middleware.rs", "inferred", "middleware.rs")
    assert "middleware.rs" in fact.forms


def test_without_git_the_files_of_a_walk_are_what_words_may_mean(bench: Bench) -> None:
    assert paths(bench.one(a_phase("fix the auth middleware"))) == ["src/auth/middleware.rs"]
    capped = replace(bench, caps=Caps(walked=2))
    assert paths(capped.one(a_phase("fix the auth middleware"))) == []


@pytest.mark.parametrize(
    "path", ["../other", "/etc/passwd", "~/.ssh/id_rsa", "src/../../x", "out", "out/x", "file:///etc/x"]
)
def test_a_path_of_the_call_outside_the_workspace_is_refused(bench: Bench, path: str) -> None:
    assert bench.root is not None
    (bench.root / "out").symlink_to("/etc")
    with pytest.raises(SmistaError) as refusal:
        bench.all(a_phase(), a_phase(mentions=("README.md",)), paths=[path])
    assert refusal.value.code is Code.PATH_OUTSIDE_WORKSPACE
    assert refusal.value.fix


@pytest.mark.parametrize("path", ["pipe", "circle", "x" * 4000])
def test_a_path_of_the_call_that_can_be_no_file_is_refused(bench: Bench, path: str) -> None:
    assert bench.root is not None
    os.mkfifo(bench.root / "pipe")
    (bench.root / "circle").symlink_to("circle")
    with pytest.raises(InvalidTask):
        bench.one(paths=[path])


def test_a_path_in_words_that_cannot_be_read_is_left_out(bench: Bench) -> None:
    assert bench.root is not None
    os.mkfifo(bench.root / "pipe")
    (bench.root / "circle").symlink_to("circle")
    odd = ("../other", "/etc/passwd", "pipe", "circle", "x" * 5000, "a\0b", "\ud800", "", "new.rs")
    found = bench.one(a_phase(mentions=odd))
    assert items(found) == []
    assert set(paths(found)) >= {"pipe", "circle", "new.rs"}
    assert {"../other", "/etc/passwd", "pipe", "circle", "new.rs"} <= set(left_out(found))


def test_what_the_words_forbid_to_touch_is_never_read(bench: Bench) -> None:
    write(bench, ".env", "K=1\n")
    phase = a_phase(mentions=("src",), avoided=("src/auth/login.rs", ".env", "src/db"))
    found = bench.one(phase)
    assert items(found) == ["src/auth/middleware.rs"]
    assert [fact.path for fact in found.context.paths if not fact.required] == ["src/auth/login.rs", ".env", "src/db/"]
    assert left_out(found)[".env"] == "restricted by `.env`"
    assert "src/db/store.py" in left_out(found)


def test_the_call_outranks_words_that_forbid(bench: Bench) -> None:
    fact = bench.one(a_phase(avoided=("README.md",)), paths=["README.md"]).context.paths[0]
    assert fact.required


def test_a_restricted_file_that_is_required_is_read_and_labelled(bench: Bench) -> None:
    write(bench, ".env", "K=1\n")
    found = bench.one(paths=[".env"])
    assert found.context.items[0].restricted == ".env"
    assert text_of(found, ".env") == "K=1\n"
    assert ".env" not in left_out(found)


@pytest.mark.parametrize("name", ["notes.txt", "a/notes.txt", "NOTES/x"])
def test_a_link_to_a_restricted_file_is_restricted(bench: Bench, name: str) -> None:
    assert bench.root is not None
    write(bench, ".env", "K=1\n")
    write(bench, "secrets/x", "K=2\n")
    (bench.root / "a").symlink_to("src")
    (bench.root / "notes.txt").symlink_to(".env")
    (bench.root / "src" / "notes.txt").symlink_to(bench.root / ".env")
    (bench.root / "NOTES").symlink_to("secrets")
    assert bench.one(paths=[name]).context.items[0].restricted in (".env", "secrets/**")


def test_a_hard_link_to_a_restricted_file_is_restricted(bench: Bench, tmp_path: Path) -> None:
    assert bench.root is not None
    write(bench, "deep/down/server.key", "K\n")
    (bench.root / "notes.txt").hardlink_to(bench.root / "deep/down/server.key")
    write(bench, "one.txt", "K\n")
    (bench.root / "two.txt").hardlink_to(bench.root / "one.txt")
    (tmp_path / "elsewhere").write_text("K\n", encoding="utf-8")
    (bench.root / "three.txt").hardlink_to(tmp_path / "elsewhere")
    found = bench.one(paths=["notes.txt", "two.txt", "three.txt"])
    assert [item.restricted for item in found.context.items][:2] == ["*.key", None]
    assert found.context.items[2].restricted is not None


def test_a_hard_link_is_judged_in_differences_too(bench: Bench, git: Git) -> None:
    assert bench.root is not None
    write(bench, ".gitignore", "secrets/\n")
    write(bench, "docs/x.md", "old\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "x")
    write(bench, "secrets/plan.txt", "K\n")
    (bench.root / "docs" / "x.md").unlink()
    (bench.root / "docs" / "x.md").hardlink_to(bench.root / "secrets" / "plan.txt")
    required = bench.one(a_phase("review", Intent.REVIEW))
    assert [item.restricted for item in required.context.items] == ["secrets/**"]
    helpful = bench.one(a_phase("refactor the parser", Intent.REFACTOR))
    assert "git diff" not in items(helpful)
    assert left_out(helpful)["docs/x.md"] == "restricted by `secrets/**`"
    attached = bench.one(attachments=[Attachment(path="docs/x.md", content="K")])
    assert attached.context.items[0].restricted == "secrets/**"


def test_every_name_of_a_file_is_a_form_of_its_path(bench: Bench) -> None:
    assert bench.root is not None
    (bench.root / "a.rs").hardlink_to(bench.root / "src/auth/login.rs")
    found = bench.one(paths=["a.rs"])
    assert "src/auth/login.rs" in found.context.paths[0].forms
    assert "src/auth/login.rs" in found.context.items[0].forms
    assert found.context.items[0].restricted is None


def test_a_hard_link_beyond_what_is_looked_at_is_restricted(bench: Bench) -> None:
    assert bench.root is not None
    (bench.root / "a.rs").hardlink_to(bench.root / "src/auth/login.rs")
    assert replace(bench, caps=Caps(walked=2)).one(paths=["a.rs"]).context.items[0].restricted is not None


def test_restriction_does_not_look_at_case(bench: Bench) -> None:
    write(bench, "Server.KEY", "K\n")
    assert bench.one(paths=["Server.KEY"]).context.items[0].restricted == "*.key"


def test_a_directory_means_its_free_files(in_git: Bench) -> None:
    write(in_git, "src/server.key", "K\n")
    write(in_git, "src/logo.png", b"\x89PNG\0")
    write(in_git, "src/build/out.py", "x\n")
    write(in_git, "src/big.py", "x" * 600)
    write(in_git, ".gitignore", "build/\n")
    found = replace(in_git, caps=Caps(file_bytes=500)).one(paths=["src"])
    assert paths(found) == ["src/"]
    assert items(found)[:3] == ["src/auth/login.rs", "src/auth/middleware.rs", "src/db/store.py"]
    assert {p: r.split(":")[0] for p, r in left_out(found).items()} == {
        "src/server.key": "restricted by `*.key`",
        "src/logo.png": "binary",
        "src/big.py": "too large",
        "src/build/": "ignored by git",
    }
    assert all(item.required for item in found.context.items if item.kind == "file")


def test_a_directory_is_bounded_and_the_rest_is_named(in_git: Bench) -> None:
    for number in range(30):
        write(in_git, f"many/{number:02}.txt", "x\n")
    found = replace(in_git, caps=Caps(directory_files=3, listed=5)).one(paths=["many"])
    assert items(found) == ["many/00.txt", "many/01.txt", "many/02.txt"]
    assert list(left_out(found)) == [*(f"many/{n:02}.txt" for n in range(3, 8)), "22 more"]
    found = replace(in_git, caps=Caps(directory_bytes=5)).one(paths=["many"])
    assert items(found) == ["many/00.txt", "many/01.txt"]


def test_a_restricted_directory_is_not_read(bench: Bench) -> None:
    write(bench, "secrets/x", "K\n")
    found = bench.one(paths=["secrets"])
    assert paths(found) == ["secrets/"]
    assert items(found) == []
    assert left_out(found) == {"secrets/": "restricted by `secrets/**`"}


def test_a_directory_reached_by_a_link_is_judged_under_both_names(bench: Bench) -> None:
    assert bench.root is not None
    (bench.root / "code").symlink_to("src")
    found = replace(bench, restricted=("code/auth/**", "src/db/**")).one(paths=["code"])
    assert items(found) == []
    assert set(left_out(found).values()) == {"restricted by `code/auth/**`", "restricted by `src/db/**`"}


def test_without_git_its_ignore_files_are_applied_here(bench: Bench) -> None:
    write(bench, ".gitignore", "*.rs\n!login.rs\nAGENTS.md\n")
    write(bench, "AGENTS.md", "x\n")
    found = bench.one(paths=["src"])
    assert items(found) == ["src/auth/login.rs", "src/db/store.py"]
    assert left_out(found)["src/auth/middleware.rs"] == "ignored by `.gitignore`"
    assert left_out(found)["AGENTS.md"] == "ignored by `.gitignore`"


def test_an_ignored_file_is_read_only_if_it_is_named(in_git: Bench) -> None:
    write(in_git, ".gitignore", "*.log\nAGENTS.md\n")
    write(in_git, "x.log", "x\n")
    write(in_git, "AGENTS.md", "x\n")
    found = in_git.one(paths=["x.log"])
    assert items(found) == ["x.log"]
    assert left_out(found)["AGENTS.md"] == "ignored by git"


def test_files_of_a_phase_are_bounded_in_all(bench: Bench) -> None:
    found = replace(bench, caps=Caps(total_bytes=20)).one(
        paths=["README.md", "src/auth/middleware.rs", "src/db/store.py"]
    )
    assert items(found) == ["README.md", "src/db/store.py"]


@pytest.mark.parametrize("intent", [Intent.REVIEW, Intent.SUMMARIZE, Intent.COMMIT])
def test_a_judgement_without_paths_is_about_the_working_tree(in_git: Bench, intent: Intent) -> None:
    write(in_git, "src/db/store.py", "x = 2\n")
    found = in_git.one(a_phase("have a look", intent))
    assert paths(found, "diff") == ["src/db/store.py"]
    assert [(item.path, item.required) for item in found.context.items] == [("git diff", True)]


def test_what_a_judgement_is_about_is_restricted_as_a_whole(in_git: Bench, git: Git) -> None:
    write(in_git, "server.key", "K=1\n")
    git("add", "--all", "--force")
    found = in_git.one(a_phase("have a look", Intent.REVIEW))
    assert found.context.items[0].restricted == "*.key"
    assert "K=1" in text_of(found, "git diff")
    assert paths(found) == ["server.key"]


def test_beside_other_paths_the_difference_is_helpful_and_cut(in_git: Bench, git: Git) -> None:
    write(in_git, "server.key", "K=1\n")
    write(in_git, "src/db/store.py", "x = 2\n")
    git("add", "--all")
    found = in_git.one(a_phase("have a look", Intent.REVIEW), paths=["README.md"])
    assert paths(found) == ["README.md"]
    item = next(item for item in found.context.items if item.kind == "git_diff")
    text = text_of(found, "git diff")
    assert (item.required, item.restricted, item.forms) == (False, None, ("src/db/store.py",))
    assert "K=1" not in text
    assert "server.key" not in text
    assert "left out" in text
    assert "+x = 2" in text
    assert left_out(found)["server.key"] == "restricted by `*.key`"


def test_a_renamed_file_is_judged_by_both_names(in_git: Bench, git: Git) -> None:
    write(in_git, "server.key", "K=1\nK=2\nK=3\n")
    git("add", "--all")
    git("commit", "--quiet", "-m", "x")
    git("mv", "server.key", "notes.txt")
    write(in_git, "notes.txt", "K=1\nK=2\nK=4\n")
    found = in_git.one(paths=["README.md"])
    assert items(found) == ["README.md"]
    assert left_out(found)["notes.txt"] == "restricted by `*.key`"


def test_a_plain_question_takes_no_difference_along(in_git: Bench) -> None:
    write(in_git, "README.md", "x\n")
    assert items(in_git.one(a_phase("what is a monad?", Intent.CHAT))) == []
    assert items(in_git.one(a_phase("what is this?", Intent.CHAT), paths=["README.md"])) == ["README.md"]
    words = "what does this diff do to the file?"
    assert items(in_git.one(a_phase(words, Intent.CHAT), paths=["README.md"])) == ["README.md", "git diff"]


def test_a_clean_working_tree_is_said_to_be_clean(in_git: Bench) -> None:
    assert "git diff" in left_out(in_git.one(a_phase("review", Intent.REVIEW)))
    assert "git diff" not in left_out(in_git.one(a_phase("fix it")))


def test_a_given_diff_is_required_and_its_names_are_paths(bench: Bench) -> None:
    found = bench.one(diff=CODE_DIFF)
    assert paths(found) == ["src/x.py"]
    assert [(item.kind, item.required, item.restricted) for item in found.context.items] == [("git_diff", True, None)]
    assert text_of(found, "git diff") == CODE_DIFF


@pytest.mark.parametrize(("diff", "restricted"), [(CODE_DIFF + ENV_DIFF, ".env"), (CODE_DIFF + "K=1\n", UNJUDGED)])
def test_a_given_diff_is_restricted_by_any_part_of_it(bench: Bench, diff: str, restricted: str) -> None:
    found = bench.one(diff=diff)
    assert found.context.items[0].restricted == restricted


def _diff_of(old: str, new: str) -> str:
    return f"--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    "diff",
    [
        _diff_of("x/y/secrets/plan.txt", "x/y/secrets/plan.txt"),
        _diff_of("/tmp/x", "work/secrets/plan.txt"),
        _diff_of("/elsewhere/secrets/plan.txt", "/tmp/x"),
        _diff_of("a/plan.txt", "b/plan.txt"),
        _diff_of("/".join("d" * 200), "x"),
    ],
)
def test_a_name_relative_to_another_folder_is_judged_from_every_one(in_git: Bench, git: Git, diff: str) -> None:
    write(in_git, "secrets/plan.txt", "K\n")
    git("add", "--all")
    assert in_git.one(diff=diff).context.items[0].restricted is not None


@pytest.mark.parametrize("name", ["src/x.py", "brand/new/folder/x.py", "src/secrets/x.py", "new.md"])
def test_ordinary_names_in_a_given_diff_stay_free(in_git: Bench, name: str) -> None:
    write(in_git, "src/secrets/x.py", "a\n")
    assert in_git.one(diff=_diff_of(f"a/{name}", f"b/{name}")).context.items[0].restricted is None


def test_a_diff_from_the_top_is_judged_below_a_workspace_that_is_a_part(in_git: Bench) -> None:
    assert in_git.root is not None
    write(in_git, "pkg/secrets/plan.txt", "K\n")
    write(in_git, "pkg/pkg/secrets/plan.txt", "K\n")
    part = replace(in_git, root=in_git.root / "pkg")
    diff = _diff_of("a/pkg/secrets/plan.txt", "b/pkg/secrets/plan.txt")
    assert part.one(diff=diff).context.items[0].restricted == "secrets/**"


def test_a_given_diff_takes_the_place_of_the_working_tree(in_git: Bench) -> None:
    write(in_git, "README.md", "x\n")
    found = in_git.one(a_phase("review", Intent.REVIEW), diff=CODE_DIFF)
    assert [item.digest for item in found.context.items] == [hashlib.sha256(CODE_DIFF.encode()).hexdigest()]
    assert paths(in_git.one(a_phase("review", Intent.REVIEW), diff=" \n")) == ["README.md"]


def test_an_attachment_is_its_content_and_its_path_a_label(bench: Bench) -> None:
    given = [Attachment(path="README.md", content="other"), Attachment(path="/var/log/server.key", content="K")]
    found = bench.one(attachments=given)
    assert paths(found, "attachment") == ["README.md", "/var/log/server.key"]
    assert text_of(found, "README.md") == "other"
    assert [(item.kind, item.restricted) for item in found.context.items] == [
        ("attachment", None),
        ("attachment", "*.key"),
    ]
    assert ContextKind.ATTACHMENT in found.context.kinds


@pytest.mark.parametrize(
    "label",
    [
        "@.env",
        ".env:1-3",
        ".env#L1-L9",
        " secrets/plan.txt ",
        "`secrets/plan.txt`",
        "@secrets/plan.txt:1-2",
        "secrets\\plan.txt",
        "x\\secrets\\plan.txt",
        "/secrets/plan.txt",
        "~/secrets/plan.txt",
        "project/secrets/plan.txt",
        "file://{root}/secrets/plan.txt",
        "file://{root}/secrets/%70lan.txt",
        "file:{root}/secrets/plan.txt",
        "vscode://file{root}/secrets/plan.txt:3",
        "git:{root}/secrets/plan.txt?ref=HEAD",
        "https://example.invalid/blob/main/secrets/plan.txt#L3",
        "file://other/share/x.txt",
        "../x.txt",
        "/etc/hosts",
        "C:\\x\\y.txt",
        "plan.txt",
        "a?" * 1000,
    ],
)
def test_the_label_of_an_attachment_is_judged_in_every_reading(in_git: Bench, git: Git, label: str) -> None:
    write(in_git, "secrets/plan.txt", "K\n")
    git("add", "--all")
    given = Attachment(path=label.format(root=in_git.root), content="K")
    assert in_git.one(attachments=[given]).context.items[0].restricted is not None


@pytest.mark.parametrize(
    ("label", "path"),
    [
        ("@README.md:1-2", "README.md"),
        ("file://{root}/src/db/store.py", "src/db/store.py"),
        ("{root}/src/db/store.py", "src/db/store.py"),
        ("~/../project/README.md", "README.md"),
        ("https://example.invalid/docs/page.html?x=1", "https:/example.invalid/docs/page.html?x=1"),
        ("Terminal output", "Terminal output"),
    ],
)
def test_an_ordinary_label_stays_free(bench: Bench, label: str, path: str) -> None:
    found = bench.one(attachments=[Attachment(path=label.format(root=bench.root), content="x")])
    assert found.context.items[0].restricted is None
    assert paths(found, "attachment") == [path]


def test_a_label_without_a_workspace_is_judged_by_its_name(environ: dict[str, str]) -> None:
    given = [Attachment(path=path, content="K") for path in ("/home/me/p/secrets/plan.txt", "/home/me/p/x.py")]
    found = Bench(None, environ).one(attachments=given)
    assert [item.restricted for item in found.context.items] == ["secrets/**", None]


def test_a_skill_is_an_item_like_any_other_and_comes_first(bench: Bench) -> None:
    assert bench.root is not None
    write(bench, ".claude/skills/x/SKILL.md", "---\nname: x\n---\nK\n")
    (place,) = skill_places(bench.root)
    found = taken("x", read_skill_file(place, 1000))
    phase = a_phase("/x", Intent.SKILL).model_copy(update={"skill": "x"})
    for restricted, pattern in (((".claude/**",), ".claude/**"), ((), None)):
        patterns = GlobSet(restricted, ignore_case=True)
        task = Task(text="/x", paths=("README.md",))
        request = CollectRequest(task, (phase, a_phase()), bench.root, patterns, bench.environ, skills={"x": found})
        first, second = collect(request)
        item = first.context.items[0]
        assert (item.path, item.kind, item.required) == (".claude/skills/x/SKILL.md", "skill", True)
        assert (item.restricted, item.digest) == (pattern, hashlib.sha256(b"K\n").hexdigest())
        assert first.contents[0].text == "K\n"
        assert [one.kind for one in second.context.items] == ["file"]


def test_the_first_instructions_found_are_helpful(bench: Bench) -> None:
    for name in ("CLAUDE.md", "AGENTS.md", "SMISTA.md", ".smista/SMISTA.md"):
        write(bench, name, name)
        item = bench.one().context.items[-1]
        assert (item.path, item.kind, item.required) == (name, "instructions", False)


def test_instructions_that_the_phase_is_about_come_once(bench: Bench) -> None:
    write(bench, "AGENTS.md", "x")
    assert [item.kind for item in bench.one(paths=["AGENTS.md"]).context.items] == ["file"]


def test_restricted_instructions_are_not_opened(bench: Bench) -> None:
    assert bench.root is not None
    write(bench, ".env", "K=1")
    (bench.root / "AGENTS.md").symlink_to(".env")
    found = bench.one()
    assert items(found) == []
    assert left_out(found)["AGENTS.md"] == "restricted by `.env`"


def test_restricted_files_that_exist_are_named_without_being_opened(bench: Bench) -> None:
    assert bench.root is not None
    for name in (".env", "secrets/x", "deploy/prod.toml", "deep/other.key"):
        write(bench, name, "K")
        (bench.root / name).chmod(0)
    found = replace(bench, restricted=(".env", "secrets/**", "deploy/prod.toml", "*.key", "none")).one()
    assert left_out(found) == {
        ".env": "restricted by `.env`",
        "deploy/prod.toml": "restricted by `deploy/prod.toml`",
        "secrets/": "restricted by `secrets/**`",
    }
    for number in range(30):
        write(bench, f"{number:02}.key", "K")
    assert len(left_out(bench.one())) == 21
    assert "12 more" in left_out(bench.one())


def test_without_a_workspace_no_file_is_read(environ: dict[str, str]) -> None:
    given = [Attachment(path=".env", content="K=1")]
    phase = a_phase("fix the auth middleware", Intent.REVIEW, mentions=("/etc/x.txt", "../x"))
    found = Bench(None, environ).one(phase, paths=["src/auth", "/etc/hosts.txt"], attachments=given, diff=CODE_DIFF)
    assert paths(found) == ["src/auth/", "/etc/hosts.txt", ".env", "src/x.py", "/etc/x.txt", "../x/"]
    assert [(item.kind, item.restricted) for item in found.context.items] == [
        ("git_diff", None),
        ("attachment", ".env"),
    ]
    assert {"src/auth/", "/etc/hosts.txt", "/etc/x.txt"} <= set(left_out(found))


def test_odd_names_become_text_that_every_channel_takes(in_git: Bench, git: Git) -> None:
    assert in_git.root is not None
    for name in (b"src/a\xffb.py", b"src/new\nline.py", b"\xfe.key"):
        (in_git.root / os.fsdecode(name)).write_bytes(b"x \xe4\n" if name.startswith(b"src/a") else b"x\n")
    git("add", "--all")
    found = in_git.one(paths=["src"])
    for content in found.contents:
        content.text.encode()
        "".join((content.item.path, *content.item.forms)).encode()
    for path, reason in left_out(found).items():
        (path + reason).encode()
    assert left_out(found)["src/a\ufffdb.py"] == "binary"
    assert "src/new\nline.py" in items(found)
    assert "\ufffd.key" in left_out(found)


def test_kinds_that_the_caller_names_are_kept(bench: Bench) -> None:
    kinds = bench.one(context=["pull_request"], skill="changelog").context.kinds
    assert kinds == {ContextKind.PULL_REQUEST, ContextKind.SKILL}


def test_a_git_that_fails_costs_only_what_it_would_have_said(
    in_git: Bench, git: Git, tmp_path: Path, environ: dict[str, str]
) -> None:
    write(in_git, "README.md", "changed\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nexit 128\n", encoding="utf-8")
    (tmp_path / "bin" / "git").chmod(0o755)
    broken = replace(in_git, environ=environ | {"PATH": str(tmp_path / "bin")})
    write(in_git, "AGENTS.md", "x\n")
    assert "git diff" in left_out(broken.one(a_phase("review", Intent.REVIEW)))
    assert "src/" in left_out(broken.one(paths=["src"]))
    found = broken.one(a_phase("fix the auth middleware"))
    assert (paths(found), items(found)) == ([], [])  # nobody can say whether AGENTS.md is ignored
    assert "AGENTS.md" in left_out(found)


def test_a_helpful_difference_is_cut_at_the_cap(in_git: Bench) -> None:
    write(in_git, "README.md", "x\n" * 300)
    write(in_git, "src/db/store.py", "x = 2\n")
    found = replace(in_git, caps=Caps(file_bytes=500)).one(paths=["src/auth/login.rs"])
    assert "+x = 2" in text_of(found, "git diff")
    assert left_out(found)["README.md"].startswith("too large")


def test_files_deleted_and_other_repositories_are_named_in_a_directory(in_git: Bench, git: Git) -> None:
    assert in_git.root is not None
    (in_git.root / "src" / "db" / "store.py").unlink()
    write(in_git, "src/inner/x.py", "x\n")
    git("-C", "src/inner", "init", "--quiet")
    git("-C", "src/inner", "add", "x.py")
    git("-C", "src/inner", "commit", "--quiet", "-m", "x")
    git("-c", "advice.addEmbeddedRepo=false", "add", "src/inner")
    found = in_git.one(paths=["src"])
    assert items(found)[:2] == ["src/auth/login.rs", "src/auth/middleware.rs"]
    assert set(left_out(found)) == {"src/db/store.py", "src/inner"}


def test_a_directory_of_too_many_entries_is_not_walked(bench: Bench) -> None:
    found = replace(bench, caps=Caps(walked=2)).one(paths=["src"])
    assert items(found) == []
    assert "src/" in left_out(found)


def test_words_that_forbid_outrank_words_that_name_or_mean(in_git: Bench) -> None:
    phase = a_phase("fix the auth middleware", mentions=("store.py",), avoided=("src/db/store.py",))
    assert items(in_git.one(phase)) == []
    assert items(in_git.one(a_phase("fix the auth middleware", avoided=("src/auth",)))) == []


def test_a_path_named_twice_is_one_path_with_the_forms_of_both(bench: Bench) -> None:
    (fact,) = bench.one(a_phase(mentions=("./README.md",)), paths=["README.md"]).context.paths
    assert (fact.source, fact.forms) == ("call", ("README.md", "./README.md"))


def test_paths_in_words_are_looked_for_up_to_a_number_and_judged_beyond_it(in_git: Bench) -> None:
    missing = tuple(f"q/{number}.py" for number in range(30))
    named = (*missing, "src/db/store.py", "./secrets/plan.txt", "/x/secrets/y.txt", "src/auth/login.rs")
    found = replace(in_git, caps=Caps(mentions=31)).one(a_phase("explain", Intent.CHAT, mentions=named))
    assert items(found) == ["src/db/store.py"]
    judged = {fact.path: fact.forms for fact in found.context.paths}
    assert {"secrets/plan.txt", "/x/secrets/y.txt", "src/auth/login.rs"} <= set(judged)
    assert "secrets/y.txt" in judged["/x/secrets/y.txt"]
    assert len(found.context.left_out) == Caps().listed + 1
    assert left_out(found)["13 more"]


def test_paths_that_words_forbid_stay_forbidden_in_any_number(bench: Bench) -> None:
    avoided = (*(f"q/{number}.py" for number in range(10)), "src/db/store.py", "src/auth/")
    found = replace(bench, caps=Caps(mentions=5)).one(
        a_phase(mentions=("src/db/store.py", "src/auth/login.rs", "README.md"), avoided=avoided)
    )
    assert items(found) == ["README.md"]


def one_given(bench: Bench, name: str, how: str) -> str | None:
    """What restricts a content that came under a name."""
    if how == "diff":
        found = bench.one(diff=f"--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-x\n+y\n")
    else:
        found = bench.one(attachments=(Attachment(path=name, content="x"),))
    (item,) = (item for item in found.context.items if item.required)
    return item.restricted


GIVEN = pytest.mark.parametrize("how", ["diff", "attachment"])


@GIVEN
@pytest.mark.parametrize("name", ["plan.txt", "deep/plan.txt", "PLAN.TXT", "plan"])
def test_a_name_means_a_restricted_file_however_many_files_lie_around_it(
    bench: Bench, in_git: Bench, name: str, how: str
) -> None:
    for file in ("secrets/deep/plan.txt", "secrets/plan"):
        write(bench, file, "x\n")
    write(bench, ".gitignore", "secrets/\nmany/\n")
    for number in range(300):
        write(bench, f"many/{number}", "")
    small = replace(bench, caps=Caps(walked=100, named=1_000))
    assert one_given(small, name, how) == "secrets/**"


@GIVEN
def test_a_name_cannot_be_judged_where_not_every_file_is_looked_at(bench: Bench, in_git: Bench, how: str) -> None:
    for number in range(300):
        write(bench, f"many/{number}", "")
    small = replace(bench, caps=Caps(named=100))
    assert one_given(small, "new.txt", how) == UNPLACED
    assert one_given(bench, "new.txt", how) is None
    assert one_given(small, "README.md", how) is None


def test_instructions_stay_where_git_does_not_say_whether_they_are_ignored(bench: Bench, in_git: Bench) -> None:
    write(bench, "AGENTS.md", "use tabs\n")
    write(bench, ".gitignore", "AGENTS.md\n")
    late = replace(bench, caps=Caps(git_s=0.0))
    assert "AGENTS.md" not in items(late.one())
    assert "AGENTS.md" in {gone.path for gone in late.one().context.left_out}
