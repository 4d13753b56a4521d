"""What a phase is about is found by its words, and where there is nothing of it no model is asked to make it up."""

import subprocess

import anyio
import anyio.to_thread
import pytest
from canaries import CANARIES
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, done, ollama, only

from smista_mcp.core.decision import Decision
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent, Status
from smista_mcp.errors import Code, SmistaError

A = "openai-compat:a/m"
POLICY = default("anthropic/claude-sonnet") + ALLOWED
TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
REFUSED = (Status.REFUSED, Code.INVALID_TASK)


def git(bench: Bench, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, "-C", str(bench.workspace), *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(bench: Bench) -> Bench:
    """A repository with two files and a clean tree."""
    git(bench, "init")
    bench.write("a.py", "a = 1\n")
    bench.write("b.py", "b = 1\n")
    git(bench, "add", ".")
    git(bench, "commit", "-m", "first")
    return bench


def decision(bench: Bench, task: Task | str) -> Decision:
    app = bench.app(POLICY, ANTHROPIC_API_KEY="made-up")
    (found,) = app.route(Task(text=task) if isinstance(task, str) else task).decisions
    return found


def named(bench: Bench, words: str) -> set[str]:
    """The files of the difference that a phase is about."""
    app = bench.app(POLICY, ANTHROPIC_API_KEY="made-up")
    found = app.route(Task(text=words))
    (phase,) = app.explain(found.decisions[0].decision_id).phases
    assert phase.decision.status is Status.ROUTED
    (item,) = [one for one in phase.decision.context.included if one.kind == "git_diff"]
    assert item.reason == "required"
    return {path for path in ("a.py", "b.py", "c.py") if path in _sent(bench, words)}


def _sent(bench: Bench, words: str) -> str:

    async def sent() -> str:
        async with serving() as server:
            await done(bench.app(default(A) + compat("a", server.v1) + ALLOWED), Task(text=words))
            return server.heard[0].text

    return anyio.run(sent)


@pytest.fixture
def changed(repository: Bench) -> Bench:
    """`a.py` is changed and staged, `b.py` changed, `c.py` new."""
    repository.write("a.py", "a = 2\n")
    git(repository, "add", "a.py")
    repository.write("b.py", "b = 2\n")
    repository.write("c.py", "c = 2\n")
    return repository


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ("Review my changes", {"a.py", "b.py"}),
        ("Review the staged changes", {"a.py"}),
        ("Write a commit message for what is staged", {"a.py"}),
        ("Summarize `git diff --cached`", {"a.py"}),
        ("Review the changes I have not staged yet", {"b.py"}),
        ("Review the unstaged changes", {"b.py"}),
        ("Review staged and unstaged changes", {"a.py", "b.py"}),
    ],
)
def test_words_choose_the_difference(changed: Bench, words: str, files: set[str]) -> None:
    assert named(changed, words) == files


def test_what_is_staged_of_a_repository_without_commits_is_seen(bench: Bench) -> None:
    git(bench, "init")
    bench.write("a.py", "a = 1\n")
    bench.write("b.py", "b = 1\n")
    git(bench, "add", "a.py")
    assert named(bench, "Review the staged changes") == {"a.py"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("Review the staged changes", "nothing is staged"),
        ("Review my changes that are not staged", "there are no changes that are not staged"),
        ("Write a commit message", "the working tree has no changes"),
    ],
)
def test_of_a_clean_tree_nobody_is_asked(repository: Bench, words: str, says: str) -> None:
    found = decision(repository, words)
    assert (found.status, found.code, found.model) == (*REFUSED, None)
    assert says in found.reason
    assert "`diff`" in found.reason


@pytest.mark.parametrize("words", ["Review", "Please review this", "Sum up the changes", "Review the last commit"])
def test_bare_words_are_about_what_has_changed(repository: Bench, words: str) -> None:
    assert (found := decision(repository, words)).status is Status.REFUSED, found.intent
    repository.write("a.py", "a = 2\n")
    assert decision(repository, words).status is Status.ROUTED


@pytest.mark.anyio
async def test_the_whole_code_is_something_for_who_can_look_at_it(repository: Bench) -> None:
    words = Task(text="Review the code")
    assert (await _routed(repository, words, tools=True), await _routed(repository, words, tools=False)) == (
        Status.ROUTED,
        Status.REFUSED,
    )


async def _routed(bench: Bench, task: Task, *, tools: bool) -> Status:
    async with serving(tools=tools) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        (found,) = (await anyio.to_thread.run_sync(app.route, task)).decisions
    return found.status


@pytest.mark.parametrize(
    "task",
    [
        Task(text="Review the architecture"),
        Task(text="Summarize the benefits of types"),
        Task(text="Review this:\n```python\nx = 1\n```"),
        Task(text="Write a commit message for: the parser takes empty lines now"),
        Task(text="Review a.py"),
        Task(text="Review it", paths=("a.py",)),
        Task(text="Review that", attachments=(Attachment(path="n.txt", content="x"),)),
        Task(text="Review this", diff="--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"),
    ],
    ids=lambda task: task.text,
)
def test_what_says_what_it_is_about_needs_no_changes(repository: Bench, task: Task) -> None:
    assert decision(repository, task).status is Status.ROUTED


def test_a_step_that_builds_on_another_needs_no_changes(repository: Bench) -> None:
    app = repository.app(POLICY, ANTHROPIC_API_KEY="made-up")
    decisions = app.route(Task(text="Explain a.py, then summarize it")).decisions
    assert [one.status for one in decisions] == [Status.ROUTED] * len(decisions)


def test_new_files_are_named_where_they_are_all_there_is(repository: Bench) -> None:
    repository.write("c.py", "c = 1\n")
    found = decision(repository, "Review my changes")
    assert (found.status, found.code) == REFUSED
    assert "`c.py`" in found.reason


def test_a_change_of_a_file_that_is_not_there_yet_is_asked_for(repository: Bench) -> None:
    assert decision(repository, Task(text="Write c.py", intent=Intent.EDIT)).status is Status.ROUTED


@pytest.mark.parametrize("words", ["Explain gone.py", "Review image.bin", "Summarize gone.py and lost.py"])
def test_what_cannot_be_read_is_refused_before_it_is_dispatched(repository: Bench, words: str) -> None:
    (repository.workspace / "image.bin").write_bytes(b"\0\1" * 9)
    found = decision(repository, words)
    assert (found.status, found.code) == REFUSED
    assert all(f"`{name}`" in found.reason for name in words.split() if "." in name)


@pytest.mark.parametrize(
    "words", ['Explain "docs/my file.md"', "Review `docs/my file.md:1-1`", "Explain “docs/my file.md”"]
)
def test_a_path_in_quotes_may_have_blanks(repository: Bench, words: str) -> None:
    repository.write("docs/my file.md", "# Notes\n")
    found = decision(repository, words)
    assert any(one.path.startswith("docs/my file.md") for one in found.context.included)


def test_a_restricted_path_in_quotes_stays_here(repository: Bench) -> None:
    repository.write("secrets/my key.txt", "x\n")
    restricted = '[privacy]\nrestricted_paths = ["secrets/**"]\n'
    app = repository.app(restricted + POLICY, ANTHROPIC_API_KEY="made-up")
    (found,) = app.route(Task(text='Explain "secrets/my key.txt"')).decisions
    assert (found.status, found.code) == (Status.REFUSED, Code.RESTRICTED_CONTENT)


def test_quoted_words_that_name_no_file_are_words(repository: Bench) -> None:
    found = decision(repository, 'Explain "cannot open index.js" to me')
    assert (found.status, found.context.excluded) == (Status.ROUTED, ())


@pytest.mark.parametrize("words", ["/deploy now", "$deploy now", "run the deploy skill"])
def test_a_command_that_is_no_skill_is_refused(repository: Bench, words: str) -> None:
    with pytest.raises(SmistaError) as failure:
        decision(repository, words)
    assert failure.value.code is Code.UNKNOWN_SKILL
    assert "`intent`" in failure.value.fix
    assert decision(repository, Task(text=words, intent=Intent.CHAT)).status is Status.ROUTED


def test_a_secret_of_a_difference_is_named_by_file_and_line(repository: Bench) -> None:
    repository.write("a.py", "".join(f"n{number} = {number}\n" for number in range(40)))
    git(repository, "commit", "-am", "more")
    lines = [f"n{number} = {number}\n" for number in range(40)]
    lines[30] = f'token = "{TOKEN}"\n'
    repository.write("a.py", "".join(lines))
    repository.write("b.py", "b = 2\n")
    found = decision(repository, "Review my changes")
    assert (found.status, found.code) == (Status.REFUSED, Code.SECRET_DETECTED)
    assert "in line 31 of `a.py`" in found.reason


def test_a_secret_that_was_taken_out_is_named_by_the_line_that_it_had(repository: Bench) -> None:
    repository.write("a.py", f'a = 1\ntoken = "{TOKEN}"\n')
    git(repository, "commit", "-am", "oops")
    repository.write("a.py", "a = 1\n")
    assert "in line 2 of `a.py` (as it was)" in decision(repository, "Review my changes").reason


@pytest.mark.anyio
async def test_nobody_is_sent_what_is_refused(repository: Bench) -> None:
    async with serving(Reply(("made up",))) as server:
        told = await done(repository.app(default(A) + compat("a", server.v1) + ALLOWED), Task(text="Review my changes"))
    assert (only(told).status, only(told).code, server.heard) == ("refused", Code.INVALID_TASK, [])
