"""Paths of cases are judged as those of a call over a workspace in which they exist."""

import pytest
from deciding import book
from workbench import Bench

from smista_mcp.app.labelling import labelled
from smista_mcp.context.collection import CollectRequest, collect
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.task import Task
from smista_mcp.errors import Code, SmistaError

FILES = ("src/auth/login.py", "src/api.py", ".env", "certs/server.pem", "docs/guide.md")
POLICY = book('[routing.default]\nmodel = "ollama/tiny"\n')


def both(bench: Bench, task: Task) -> tuple[tuple[PhaseContext, ...], tuple[PhaseContext, ...]]:
    for file in FILES:
        bench.write(file, "x = 1\n" * 9)
    phases = POLICY.reader.read(task.text, intent=task.intent)
    request = CollectRequest(task, phases, bench.workspace, POLICY.guard.unsendable, {})
    return tuple(one.context for one in collect(request)), labelled(task, phases, POLICY)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("fix it", ("src/api.py",)),
        ("fix it", ("./src//auth/../api.py", "@docs/guide.md")),
        ("fix src/auth/login.py", ("src/api.py",)),
        ("fix src/auth/login.py:3-9", ()),
        ("fix src/api.py, don't touch .env", ()),
        ("explain certs/server.pem", (".env",)),
        ("review src/api.py and then write docs/guide.md", ("src/auth/login.py",)),
    ],
)
def test_the_labels_are_those_of_a_call(text: str, paths: tuple[str, ...], bench: Bench) -> None:
    real, label = both(bench, Task(text=text, paths=paths))
    for one, other in zip(real, label, strict=True):
        assert [(p.path, p.required) for p in other.paths] == [(p.path, p.required) for p in one.paths]
        assert [i.forms[0] for i in other.items] == [i.forms[0] for i in one.items if i.required]
        avoided = {p.path for p in one.paths if not p.required}
        assert list(other.left_out) == [g for g in one.left_out if g.path in avoided]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "~/x", "file:///etc/passwd", "@../x"])
def test_a_path_that_leads_out_is_refused_as_a_call_would_be(path: str) -> None:
    task = Task(text="fix it", paths=(path,))
    with pytest.raises(SmistaError) as refused:
        labelled(task, POLICY.reader.read(task.text), POLICY)
    assert refused.value.code is Code.PATH_OUTSIDE_WORKSPACE
