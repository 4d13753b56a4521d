"""Test files: `NAME.test.toml` beside a policy file. They hold `[[test]]` tables and take no part in any decision."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from smista_mcp.core.effective import PlacedTest
from smista_mcp.core.findings import Finding, FindingCode
from smista_mcp.core.policy import dotted
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer
from smista_mcp.loading.documents import parse
from smista_mcp.loading.files import MAX_BYTES, MAX_FOREIGN_BYTES, Unreadable, read_file
from smista_mcp.loading.layers import WORKSPACE_FILE, LayerFile, Settings

SUFFIX = ".test.toml"
MAX_FILES = 1000
"""Test files that are read from one folder."""
_TABLE = "test"


class Tests(NamedTuple):
    """Cases in the order of files and lines, and everything that is wrong in the files."""

    __test__ = False

    cases: tuple[PlacedTest, ...]
    findings: tuple[Finding, ...]


def files_beside(settings: Settings) -> tuple[LayerFile, ...]:
    """The test files beside the user's own file and in the workspace's folder, by layer and name."""
    found = [LayerFile(Layer.USER, path) for path in _beside(settings.user_file)]
    if settings.workspace is not None:
        root = settings.workspace
        own = {path.resolve() for _, path, *_ in found}
        inner = [path for path in _beside(root / WORKSPACE_FILE) if path.resolve() not in own]
        found += [LayerFile(Layer.WORKSPACE, path, trusted=False, root=root) for path in inner]
    return tuple(found)


def named_files(paths: Sequence[Path]) -> tuple[LayerFile, ...]:
    """Files that a command line names, each once."""
    return tuple(LayerFile(Layer.CALL, path, required=True) for path in dict.fromkeys(paths))


def read_tests(files: Sequence[LayerFile]) -> Tests:
    """Reads test files. A file with an error gives no case."""
    cases: list[PlacedTest] = []
    findings: list[Finding] = []
    for file in files:
        data = read_file(file.path, file.root, most=MAX_BYTES if file.trusted else MAX_FOREIGN_BYTES)
        if data is None:
            if not file.required:
                continue
            data = Unreadable("does not exist", "name a file that does")
        read = _read(data, file)
        cases += read.cases
        findings += read.findings
    return Tests(tuple(cases), tuple(findings))


def _beside(policy: Path) -> list[Path]:
    try:
        names = sorted(path for path in policy.parent.iterdir() if path.name.endswith(SUFFIX))
    except OSError:
        return []
    return names[:MAX_FILES]


def _read(data: bytes | Unreadable, file: LayerFile) -> Tests:
    parsed = parse(data, file.layer, file.shown)
    foreign: list[Finding] = []
    others: tuple[str, ...] = ()
    if not isinstance(data, Unreadable) and not any(f.code is FindingCode.PARSE_ERROR for f in parsed.findings):
        others = tuple(dotted([key]) for key in tomllib.loads(data.decode("utf-8-sig")) if key != _TABLE)
        foreign = [_other(key, parsed.lines.get(key), file) for key in others]
    own = [finding for finding in parsed.findings if not _within(finding.at, others)]
    found = tuple(sorted((*foreign, *own), key=lambda finding: finding.line or 0))
    if parsed.document is None or found:
        return Tests((), found)
    source = LayerDocument(file.layer, parsed.document, file.shown, parsed.lines, digest=parsed.digest)
    return Tests(tuple(_placed(source)), ())


def _placed(source: LayerDocument) -> Iterator[PlacedTest]:
    for index, test in enumerate(source.document.test):
        yield PlacedTest(test, source.origin(_TABLE, index))


def _within(at: str, keys: Sequence[str]) -> bool:
    return any(at == key or at.startswith((f"{key}.", f"{key}[")) for key in keys)


def _other(at: str, line: int | None, file: LayerFile) -> Finding:
    return Finding(
        code=FindingCode.UNKNOWN_KEY,
        at=at,
        layer=file.layer,
        file=file.shown,
        line=line,
        message=f"`{at}` has no place in a test file, which holds `[[test]]` tables only",
        fix="write it into a policy file; a test file changes no decision",
    )
