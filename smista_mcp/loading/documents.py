"""One policy file: from bytes to a `PolicyDocument`, with every problem found in one pass.

`tomllib` reads and pydantic checks; nothing else happens to a file that is in order.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from smista_mcp.core.findings import Finding, FindingCode, Severity
from smista_mcp.core.policy import PolicyDocument, dotted
from smista_mcp.core.redaction import redacted
from smista_mcp.core.secretscan import scan
from smista_mcp.core.values import Layer
from smista_mcp.loading.files import Unreadable
from smista_mcp.loading.misfits import Misfit, Path, TomlValue, misfits

if TYPE_CHECKING:
    from smista_mcp.loading.positions import KeyLines

MAX_FINDINGS = 1000
"""Findings told of one file; who has more has another problem."""

FOREIGN_TABLES: tuple[tuple[str, ...], ...] = (("router",), ("privacy", "local"), ("local_preferences",))
"""Tables of smista.ai's file that mean nothing here."""

# patterns that few files need are compiled by the first that does: `re` keeps them
_LONG_KEY = r"""(?m:^|[{,])[ \t]*\[{0,2}[ \t]*(?:(?:[\w-]++|"(?>(?:[^"\\\n]++|\\.)*)"|'[^'\n]*+')[ \t]*\.[ \t]*){32}"""
"""No key of a policy has 32 parts; tomllib's time grows with the square of their number."""
_MANY_DOTS = re.compile(r"(?:\.[^.\n]*+){32}")
_ODD_ESCAPE = r"[\x80-\x9f]|\\[bfnrteuUx]"
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_CONTROL_OR_BREAK = r"[\x00-\x1f\x7f-\x9f]"
_AT_LINE = r"\(at line (\d+)"


class Parsed(NamedTuple):
    """What became of one file.

    Attributes:
        document: None where a finding is an error.
        lines: dotted key to line.
        skipped: tables that were left out, because they are another program's.
        digest: SHA-256 of the bytes, in hex.
        rest: where a finding is an error, what is left without the parts that have one; to be checked, never applied.
    """

    document: PolicyDocument | None
    findings: tuple[Finding, ...]
    digest: str
    lines: Mapping[str, int] = MappingProxyType({})
    skipped: tuple[str, ...] = ()
    rest: PolicyDocument | None = None


def parse(data: bytes | Unreadable, layer: Layer, file: str) -> Parsed:
    """Reads one policy file. Never raises; `file` is its name as shown to people."""
    if isinstance(data, Unreadable):
        whole = Finding(
            code=FindingCode.PARSE_ERROR, layer=layer, file=file, message=f"`{file}` {data.message}", fix=data.fix
        )
        return Parsed(None, (whole,), digest="")
    digest = hashlib.sha256(data).hexdigest()
    try:
        text = _text(data)
        raw = _tables(text)
    except _Broken as broken:
        return Parsed(None, (broken.finding(layer, file),), digest)
    return _checked(text, raw, _Place(layer, file, _Lines(text)), digest)


def _checked(text: str, raw: dict[str, TomlValue], place: "_Place", digest: str) -> Parsed:
    skipped = _without_foreign(raw)
    document: PolicyDocument | None = None
    shape: Iterator[Misfit] = iter(())
    try:
        document = PolicyDocument.model_validate(raw)
    except ValidationError as error:
        shape = misfits(error, raw)
    found = chain(_odd_texts(text, raw), _secrets(text, raw), _misplaced(text, raw, place.layer), shape)
    wrong = dict.fromkeys(islice(found, MAX_FINDINGS))
    findings = sorted((_finding(misfit, raw, place) for misfit in wrong), key=lambda finding: finding.line or 0)
    if skipped:
        findings.append(_skipped_finding(skipped, place))
    rest = _rest(raw, [misfit.path for misfit in wrong]) if wrong else None
    return Parsed(None if wrong else document, tuple(findings), digest, place.lines, skipped, rest)


def _rest(raw: dict[str, TomlValue], wrong: Sequence[Path]) -> PolicyDocument | None:
    """The document without the tables that have something wrong; of lists of rules what comes before, for the numbers.

    Takes them out of `raw`.
    """
    for path in wrong:
        match path:
            case ("routing" | "classification" as table, "rules", int(index), *_):
                inner = raw.get(table)
                rules = inner.get("rules") if isinstance(inner, dict) else None
                if isinstance(rules, list):
                    del rules[index:]
            case ("routing", str(key), *_):
                inner = raw.get("routing")
                if isinstance(inner, dict):
                    inner.pop(key, None)
            case (str(key), *_):
                raw.pop(key, None)
            case _:
                return None
    try:
        return PolicyDocument.model_validate(raw)
    except ValidationError:
        return None


class _Lines(Mapping[str, int]):
    """The lines of a text's keys, looked for once somebody asks: most policies are in order, and nobody does."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _found(self) -> "KeyLines":
        from smista_mcp.loading.positions import KeyLines  # noqa: PLC0415

        return KeyLines(self._text)

    def __getitem__(self, key: str) -> int:
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def nearest(self, path: Path) -> int | None:
        """As `KeyLines.nearest`."""
        return self._found.nearest(path)


class _Place(NamedTuple):
    layer: Layer
    file: str
    lines: _Lines


class _Broken(Exception):
    """Bytes that are no TOML text."""

    def __init__(self, message: str, fix: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message, self.fix, self.line = message, fix, line

    def finding(self, layer: Layer, file: str) -> Finding:
        return Finding(
            code=FindingCode.PARSE_ERROR,
            layer=layer,
            file=file,
            line=self.line,
            message=f"the file {self.message}",
            fix=self.fix,
        )


def _text(data: bytes) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Broken(f"is not UTF-8 at byte {error.start}", "save the file as UTF-8", line) from None
    nul = data.find(b"\0")
    if nul >= 0:
        raise _Broken(f"holds a NUL at byte {nul}", "remove it", data.count(b"\n", 0, nul) + 1)
    return text


def _tables(text: str) -> dict[str, TomlValue]:
    long_key = re.search(_LONG_KEY, text) if _MANY_DOTS.search(text) else None
    if long_key:
        line = text.count("\n", 0, long_key.start()) + 1
        raise _Broken("holds a key of more than 32 parts", "write the keys that the documentation names", line)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _Broken("is nested too deeply", "write the keys that the documentation names") from None
    except tomllib.TOMLDecodeError as error:
        found = re.search(_AT_LINE, str(error))
        line = int(found[1]) if found else text.rstrip("\n").count("\n") + 1
        fix = "mend the line, or look whether the one above ends"
        raise _Broken(f"is not TOML: {_shown(str(error))}", fix, line) from None
    except ValueError:  # Python's own, where a number has thousands of digits
        raise _Broken("holds a number that is too long", "write the number in a few digits") from None


def _without_foreign(raw: dict[str, TomlValue]) -> tuple[str, ...]:
    """Takes smista.ai's own tables out of a freshly read document; their dotted keys."""
    found: list[str] = []
    for *above, name in FOREIGN_TABLES:
        table: TomlValue = raw
        for step in above:
            table = table.get(step, "") if isinstance(table, dict) else ""
        if isinstance(table, dict) and name in table:
            del table[name]
            found.append(dotted((*above, name)))
    return tuple(found)


def _odd_texts(text: str, raw: Mapping[str, TomlValue]) -> Iterator[Misfit]:
    """Control characters, which TOML lets in through escapes: they forge lines and colours where a name is shown."""
    if (text.isascii() and "\\" not in text) or not re.search(_ODD_ESCAPE, text):
        return
    for path, value in _texts(raw):
        if re.search(_CONTROL, value) or any(re.search(_CONTROL_OR_BREAK, key) for key in path if isinstance(key, str)):
            yield Misfit(FindingCode.INVALID_TYPE, path, "holds a control character", "write it without")


def _secrets(text: str, raw: Mapping[str, TomlValue]) -> Iterator[Misfit]:
    """Keys and passwords by their look, wherever they stand; the task of a `[[test]]` may hold a made-up one."""
    if not scan(text):
        return
    for path, value in _texts(raw):
        if path[0] != "test" and path[-1] not in ("api_key", "base_url") and scan(value):
            fix = "remove it, have it revoked, and name a variable with `${secret:NAME}` where a key belongs"
            yield Misfit(FindingCode.INLINE_SECRET, path, "holds what looks like a key or a password", fix)


def _misplaced(text: str, raw: Mapping[str, TomlValue], layer: Layer) -> Iterator[Misfit]:
    """What only the organisation can say."""
    if layer is Layer.ORGANISATION or ("locked" not in text and "overridable" not in text):
        return
    message = "means something in an organisation's file only"
    if "locked" in raw:
        yield Misfit(FindingCode.UNKNOWN_KEY, ("locked",), message, "remove it: this file cannot lock keys for others")
    match raw.get("routing"):
        case {"rules": list(rules)}:
            for index, rule in enumerate(rules):
                if isinstance(rule, dict) and "overridable" in rule:
                    path: Path = ("routing", "rules", index, "overridable")
                    fix = "remove it; whether a call may name a model, `[routing] overrides` says"
                    yield Misfit(FindingCode.UNKNOWN_KEY, path, message, fix)
        case _:
            return


def _texts(raw: Mapping[str, TomlValue]) -> Iterator[tuple[Path, str]]:
    """Every string of a document with its path; a loop of its own, because nesting may be deep."""
    waiting: list[tuple[Path, TomlValue]] = [((), dict(raw))]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value
        elif len(path) > 32:
            continue
        elif isinstance(value, dict):
            waiting += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, index), inner) for index, inner in enumerate(value)]


def _finding(misfit: Misfit, raw: Mapping[str, TomlValue], place: _Place) -> Finding:
    at = _shown(dotted(misfit.path))
    colon = ":" if misfit.message.startswith("`") else ""
    return Finding(
        code=misfit.code,
        rules=_rule_names(misfit.path, raw),
        at=at,
        layer=place.layer,
        file=place.file,
        line=place.lines.nearest(misfit.path),
        message=_shown(f"`{at}`{colon} {misfit.message}"),
        fix=_shown(misfit.fix),
    )


def _shown(text: str) -> str:
    """A text that may quote the file, without keys and without what a terminal would obey."""
    return re.sub(_CONTROL, "?", redacted(text))


def _rule_names(path: Path, raw: Mapping[str, TomlValue]) -> tuple[str, ...]:
    match path, raw.get("routing"):
        case ("routing", "rules", int(index), *_), {"rules": list(rules)}:
            rule = rules[index]
            name = rule.get("name") if isinstance(rule, dict) else None
            return (_shown(name),) if isinstance(name, str) and name else ()
        case _:
            return ()


def _skipped_finding(skipped: Sequence[str], place: _Place) -> Finding:
    return Finding(
        code=FindingCode.UNKNOWN_KEY,
        severity=Severity.WARNING,
        at=skipped[0],
        layer=place.layer,
        file=place.file,
        line=place.lines.get(skipped[0]),
        message=f"{', '.join(f'`[{key}]`' for key in skipped)} of smista.ai means nothing here and is skipped",
        fix="remove it where only smista-mcp reads the file",
    )
