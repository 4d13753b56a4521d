"""`policy test`."""

from collections.abc import Iterator, Sequence

from smista_mcp.app.labelling import labelled
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.findings import told
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import note, one_line, put, put_json, put_notices, shown_path
from smista_mcp.core.findings import Finding
from smista_mcp.core.policy_tests import Difference, TestReport, TestResult, run_tests
from smista_mcp.core.snapshot import rulebook
from smista_mcp.loading.testfiles import files_beside, named_files, read_tests


def test(options: Options) -> int:
    """Runs the `[[test]]` cases of the policy in force and of the test files beside it, or of the files named alone.

    1 where a case fails or a test file cannot be used.
    """
    world = opened(options).world
    book = rulebook(world.book().policy)  # a case comes out the same on every machine, whatever skills are there
    if options.files:
        read = read_tests(named_files(options.files))
        cases = read.cases
    else:
        read = read_tests(files_beside(world.settings))
        cases = (*book.policy.tests, *read.cases)
    report = run_tests(book, world.catalog(book.policy), cases, labelled, world.plugin(book.policy))
    passed = report.passed and not read.findings
    if options.json:
        findings = [finding.model_dump(mode="json") for finding in read.findings]
        put_json({"passed": passed, **report.model_dump(mode="json"), "findings": findings})
    else:
        put(*_lines(report, read.findings))
        for remark in report.notes:
            note(f"note: {remark}")
        put_notices(book.policy.notices)
    return DONE if passed else NO


def _lines(report: TestReport, findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        yield from told(finding)
    for result in report.results:
        yield from _result(result)
    yield from _summary(report, findings)


def _result(result: TestResult) -> Iterator[str]:
    if result.passed:
        yield one_line(f"ok    {result.name}")
        return
    line = f":{result.line}" if result.line else ""
    place = f"[{result.layer}{f' {shown_path(result.file)}{line}' if result.file else ''}]"
    if result.overruled:
        yield one_line(f"other {result.name} {place}: your own files decide otherwise")
        return
    yield one_line(f"FAIL  {result.name} {place}")
    yield "      - expected  + found"
    for difference in result.differences:
        yield from _difference(difference)
    if result.reason:
        yield one_line(f"      because: {result.reason}")


def _difference(difference: Difference) -> Iterator[str]:
    yield one_line(f"      - {difference.field} = {difference.expected}")
    yield one_line(f"      + {difference.field} = {difference.found}")
    if difference.note:
        yield one_line(f"        {difference.note}")


def _summary(report: TestReport, findings: Sequence[Finding]) -> Iterator[str]:
    failed = sum(not (result.passed or result.overruled) for result in report.results)
    if report.results:
        number = len(report.results)
        yield f"{number} {'test' if number == 1 else 'tests'}, {failed} failed"
    elif not findings:
        yield "there are no tests; write some as [[test]] into the policy, or into NAME.test.toml beside it"
    if findings:
        files = len({finding.file for finding in findings})
        yield f"{files} test {'file' if files == 1 else 'files'} cannot be used"
    if report.never_won:
        number = len(report.never_won)
        verb = "never wins" if number == 1 else "never win"
        yield one_line(f"{number} of {report.rules} rules {verb} in a test: {'; '.join(report.never_won)}")
    elif report.rules:
        yield f"each of {report.rules} rules wins in a test"
