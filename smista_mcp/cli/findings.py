"""Findings of `policy check` in words, as JSON, and as annotations of GitHub."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from smista_mcp.cli.printing import one_line, put, put_json, shown_path
from smista_mcp.core.findings import Finding, Severity
from smista_mcp.core.policy import TestTask

_ANNOTATIONS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def put_findings(findings: Sequence[Finding], *, form: str) -> None:
    """Prints findings; `form` is `text`, `json` or `github`."""
    if form == "json":
        put_json({"ok": not has_errors(findings), "findings": [_json(finding) for finding in findings]})
        return
    for finding in findings:
        put(*([_annotation(finding)] if form == "github" else told(finding)))
    put(_counted(findings))


def has_errors(findings: Sequence[Finding]) -> bool:
    """Whether one of them is an error."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def _json(finding: Finding) -> dict[str, object]:
    task = finding.witness
    shown = None if task is None else task.model_dump(mode="json", exclude_defaults=True)
    return {**finding.model_dump(mode="json", exclude={"file"}), "witness": shown}


def told(finding: Finding) -> Iterator[str]:
    """A finding for people: its place, what is wrong, what to write, and a task that shows it."""
    line = f":{finding.line}" if finding.line else ""
    place = f"{shown_path(finding.file) if finding.file else 'policy'}{line}"
    yield one_line(f"{place}: {finding.severity} {finding.code}: {finding.message}")
    if finding.fix:
        yield one_line(f"    {finding.fix}")
    if finding.witness is not None:
        yield one_line(f"    {_pasted(finding.witness)}")


def _pasted(task: TestTask) -> str:
    """The task as a line of a `[[test]]` table."""
    said = task.model_dump(mode="json", exclude_defaults=True)
    # what JSON says of texts, numbers and lists of them is TOML too
    return (
        f"task = {{ {', '.join(f'{key} = {json.dumps(value, ensure_ascii=False)}' for key, value in said.items())} }}"
    )


def _annotation(finding: Finding) -> str:
    place = {"file": finding.file, "line": finding.line, "title": finding.code.value}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in place.items() if value is not None)
    witness = [_pasted(finding.witness)] if finding.witness else []
    text = "\n".join(one_line(part) for part in (finding.message, finding.fix, *witness) if part)
    return f"::{_ANNOTATIONS[finding.severity]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _counted(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "remark"}
    said = [f"{counts[s]} {word}{'' if counts[s] == 1 else 's'}" for s, word in words.items() if counts[s]]
    return ", ".join(said) or "no findings"
