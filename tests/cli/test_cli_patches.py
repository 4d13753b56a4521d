"""How a patch is told on a terminal, and where it lies whole."""

from smista_mcp.app.consents import Asked
from smista_mcp.app.outcome import told
from smista_mcp.cli.delegation import _phase as printed  # pyright: ignore[reportPrivateUsage]
from smista_mcp.core.dispatched import DispatchedPhase, Withheld
from smista_mcp.core.explained import UsageReport
from smista_mcp.core.values import Effort, Intent
from smista_mcp.errors import Code

DIFF = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n-a\n+b\n"
PHASE = DispatchedPhase(
    phase=0,
    intent=Intent.EDIT,
    status="completed",
    code=None,
    model="ollama/m",
    answer=None,
    patch=DIFF,
    file_write="ask",
    label=None,
    usage=UsageReport(),
    cost="0",
    trace_id=None,
    effort=Effort.LOW,
)


def test_the_diff_is_printed_once_and_next_says_how_to_apply_it() -> None:
    text = "\n".join(printed(PHASE))
    assert text.count("+++ b/x") == 1
    assert text.startswith(DIFF)
    assert "git apply" in (told([PHASE], Asked(), "j").next or "")


def test_a_patch_that_stays_is_named_by_its_file() -> None:
    kept = Withheld(path="/s/x.md", bytes=9, patch="/s/x.patch")
    phase = PHASE.model_copy(update={"patch": None, "withheld": kept, "code": Code.ANSWER_WITHHELD})
    assert any("git apply /s/x.patch" in line for line in printed(phase))
    assert "/s/x.patch" in (told([phase], Asked(), "j").next or "")


def test_what_did_not_apply_is_told_with_its_reason() -> None:
    told_why = {"patch": None, "answer": "raw", "code": Code.PATCH_DOES_NOT_APPLY, "detail": "the change fits nothing"}
    phase = PHASE.model_copy(update={**told_why, "status": "failed"})
    assert list(printed(phase)) == [f"failed ({Code.PATCH_DOES_NOT_APPLY}): the change fits nothing", "raw"]
    assert "the change fits nothing" in (told([phase], Asked(), "j").next or "")
