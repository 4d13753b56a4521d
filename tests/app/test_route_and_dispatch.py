"""`route` and `dispatch` decide on the same facts: what one says is routed, the other asks that very model."""

import subprocess
from collections.abc import Sequence

import anyio.to_thread
import pytest
from canaries import CANARIES
from model_server import Reply, serving
from workbench import ALLOWED, NO_PATCHES, Bench, compat, default, ollama

from smista_mcp.app import App
from smista_mcp.core.decision import Decision
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent, Status
from smista_mcp.errors import Code, SmistaError

pytestmark = pytest.mark.anyio

A, B, L = "openai-compat:a/m", "openai-compat:b/m", "ollama/m"
TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
RESTRICTED = '[privacy]\nrestricted_paths = ["secrets/**", ".env"]\n'
STAYS = (
    '[[routing.rules]]\nname = "own"\npriority = 5000\npaths = ["src/auth/**"]\nlocal_only = true\nmodel = "ollama/m"\n'
)
LOOKS = '[[routing.rules]]\nname = "looks"\nintent = ["chat", "analyze"]\nmodel = "ollama/m"\n'
ONLY_B = (
    f'[[routing.rules]]\nname = "b"\npriority = 5000\npaths = ["src/**"]\nonly_models = ["{B}", "{L}"]\nmodel = "{B}"\n'
)
ROUTES: dict[str, str] = {
    "remote": default(A),
    "remote, then local": default(A, L),
    "local, then remote": default(L, A),
    "questions here, the rest remote": LOOKS + default(A),
    "only some models": LOOKS + ONLY_B + default(A, B),
    "or the host": '[routing]\nhandoff = "when_unavailable"\n' + LOOKS + default(A),
}
WORDS = (
    *("What is a unit test?", "Explain src/app.py", "Explain src/gone.py", "Explain image.bin", "Explain dangling.py"),
    *("Explain src/app.py and src/gone.py", "Summarize secrets/plan.txt", "Explain .env", "Explain secrets/"),
    *("Summarize src/gone.py", "Review image.bin", "Review src/auth/login.py", "Review my changes", "Review the diff"),
    *("Write a commit message", "Summarize my staged changes", "Review the unstaged changes", "Review huge.txt"),
    *("Fix src/app.py", "Fix src/new.py", "Fix src/app.py but don't touch .env", 'Explain "docs/my file.md"'),
    *("Explain secrets/plan.txt, then write a README from that", "Explain src/auth/login.py, then fix src/app.py"),
    *("Explain src/app.py, then write docs/app.md from that", "Explain src/gone.py, then write a README from that"),
    *("Explain .env, then plan the migration, then implement it", "Review src/app.py, then fix what you found"),
    *("Review the architecture", "Summarize the benefits of types", "/deploy now", "run the deploy skill"),
    f"Explain what {TOKEN} is for",
    "Review this:\n```python\nx = 1\n```",
)
TASKS = (
    *(Task(text=words) for words in WORDS),
    Task(text="Review it", paths=("src/gone.py",)),
    Task(text="Review it", paths=("src/app.py", "secrets/plan.txt")),
    Task(text="Explain it, then write a README from that", paths=("secrets/plan.txt",)),
    Task(text="Review it", diff="--- a/secrets/x\n+++ b/secrets/x\n@@ -1 +1 @@\n-a\n+b\n"),
    Task(text="Review it", attachments=(Attachment(path="notes.txt", content="some notes"),)),
    Task(text="Make it faster", intent=Intent.EDIT, paths=("src/app.py",)),
    Task(text="Sum it up", intent=Intent.SUMMARIZE),
    Task(text="Do it", skill="nowhere"),
)
AT_RUN_TIME = frozenset({Code.SECRET_DETECTED, Code.EMPTY_COMPLETION, Code.CONTEXT_TRUNCATED})


def git(bench: Bench, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, "-C", str(bench.workspace), *arguments], check=True, capture_output=True)


def tree(bench: Bench, state: str) -> None:
    bench.write("src/app.py", "def run():\n    return 1\n")
    bench.write("src/auth/login.py", "def login():\n    return None\n")
    bench.write("docs/my file.md", "# Notes\n")
    bench.write("secrets/plan.txt", "the plan\n")
    bench.write(".env", "MODE=1\n")
    bench.write("huge.txt", "x" * 1_100_000)
    (bench.workspace / "image.bin").write_bytes(b"\0\1\2" * 50)
    (bench.workspace / "dangling.py").symlink_to("nowhere.py")
    git(bench, "init")
    git(bench, "add", "src", "docs")
    git(bench, "commit", "-m", "first")
    if state != "clean":
        bench.write("src/app.py", "def run():\n    return 2\n")
    if state == "staged":
        git(bench, "add", "src/app.py")
        bench.write("docs/my file.md", "# Notes\n\nmore\n")


async def decided(app: App, task: Task) -> Sequence[Decision] | Code:
    try:
        return (await anyio.to_thread.run_sync(app.route, task)).decisions
    except SmistaError as error:
        return error.code


async def told(app: App, task: Task) -> DispatchAnswer | Code:
    try:
        return await app.dispatch(task)
    except SmistaError as error:
        return error.code


def differences(bench: Bench, task: Task, decisions: Sequence[Decision], answer: DispatchAnswer) -> list[str]:
    """Phases of which `route` said something else than what `dispatch` did."""
    found: list[str] = []
    for decision, phase in zip(decisions, answer.phases, strict=True):
        attempts = bench.trace(phase.trace_id).attempts if phase.trace_id else ()
        first = attempts[0].model if attempts else None
        waits = [answer.phases[index] for index in decision.depends_on if answer.phases[index].status != "completed"]
        same = {
            Status.ROUTED: first == decision.model or (waits and waits[0].status != "refused"),
            Status.REFUSED: (phase.status, phase.code) == ("refused", decision.code),
            Status.HANDOFF: phase.status == "handoff",
            Status.APPROVAL_REQUIRED: phase.status == "approval_required",
        }[decision.status]
        if not same and phase.code not in AT_RUN_TIME:
            said = f"{decision.status} {decision.model} {decision.code}"
            found.append(f"{task.text!r} {decision.phase}: {said}, then {phase.status} {first} {phase.code}")
    return found


STATES = ("clean", "changed", "staged")


@pytest.mark.parametrize(("routes", "state"), [(name, STATES[n % 3]) for n, name in enumerate(ROUTES)], ids=str)
async def test_what_is_routed_is_asked(bench: Bench, routes: str, state: str) -> None:
    tree(bench, state)
    found: list[str] = []
    async with serving(Reply(("from a",))) as a, serving(Reply(("from b",))) as b, serving(Reply(("here",))) as here:
        servers = compat("a", a.v1) + compat("b", b.v1) + ollama(here.root)
        app = bench.app(ROUTES[routes] + STAYS + RESTRICTED + ALLOWED + NO_PATCHES + servers)
        async with app.running():
            for task in TASKS:
                decisions, answer = await decided(app, task), await told(app, task)
                if isinstance(decisions, Code) or isinstance(answer, Code):
                    found += [] if decisions == answer else [f"{task.text!r}: {decisions}, then {answer}"]
                else:
                    found += differences(bench, task, decisions, answer)
    assert "\n".join(found) == ""


@pytest.mark.parametrize("tools", [False, True], ids=["without tools", "with tools"])
@pytest.mark.parametrize("files", [1, 5])
async def test_what_is_routed_fits_with_our_own_words_around_it(bench: Bench, files: int, tools: bool) -> None:
    statuses: dict[Status, int] = {}
    found: list[str] = []
    async with serving(Reply(("here",)), window=2048, tools=tools) as here:
        app = bench.app(default(L) + NO_PATCHES + ollama(here.root))
        async with app.running():
            for lines in range(250, 380, 13):
                paths = tuple(f"src/a_file_with_a_name_{number}.py" for number in range(files))
                for path in paths:
                    bench.write(path, "value = 1\n" * (lines // files))
                task = Task(text="Make it faster", intent=Intent.EDIT, paths=paths)
                decisions, answer = await decided(app, task), await told(app, task)
                assert not isinstance(decisions, Code)
                assert not isinstance(answer, Code)
                found += differences(bench, task, decisions, answer)
                statuses[decisions[0].status] = statuses.get(decisions[0].status, 0) + 1
    assert "\n".join(found) == ""
    assert set(statuses) == {Status.ROUTED, Status.REFUSED}
