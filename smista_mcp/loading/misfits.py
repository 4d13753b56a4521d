"""What pydantic refuses in a policy file, in the words of findings: code, place, what is wrong, what to write."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from smista_mcp.core.findings import FindingCode
from smista_mcp.core.nearness import closest
from smista_mcp.core.policy import PolicyDocument, dotted
from smista_mcp.core.values import Intent, Value

if TYPE_CHECKING:
    from datetime import date, time

Path = tuple[str | int, ...]
TomlValue: TypeAlias = "str | int | float | bool | date | time | list[TomlValue] | dict[str, TomlValue]"

_LATER = frozenset(
    {
        ("routing", "adaptive"),
        ("secrets",),
        ("ledger", "content"),
    }
)
"""Keys that a policy may have one day; a policy that needs one must not be read as if it were not there."""
_CREDENTIALS = frozenset({"access_token", "apikey", "auth", "headers", "key", "passwd", "password", "secret", "token"})
_KINDS = {
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "model_type": "a table",
    "dict_type": "a table",
}
_BY_KEY = {
    **dict.fromkeys(("paths", "restricted_paths", "free_paths", "blocked_paths"), FindingCode.INVALID_GLOB),
    **dict.fromkeys(("model", "models", "fallbacks", "only_models", "same_as", "to"), FindingCode.INVALID_MODEL_REF),
}


class Misfit(NamedTuple):
    """One thing that is wrong, before it has a line. `message` goes on after the key."""

    code: FindingCode
    path: Path
    message: str
    fix: str = ""


def misfits(error: ValidationError, raw: Mapping[str, TomlValue]) -> Iterator[Misfit]:
    """Every complaint of pydantic about a document, in its order."""
    for detail in error.errors(include_url=False, include_input=False):
        misfit = _misfit(detail, raw)
        if misfit is not None:
            yield misfit


def _misfit(detail: ErrorDetails, raw: Mapping[str, TomlValue]) -> Misfit | None:
    kind, message = detail["type"], detail["msg"]
    loc = tuple(part for part in detail["loc"] if part != "[key]")
    path, value = _resolved(loc, raw)
    if kind == "too_short" and value:
        return None  # pydantic counts what is left of a list whose elements it has already complained about
    if kind == "extra_forbidden":
        found = _unknown_key(path)
    elif kind == "missing":
        message, fix = f"has no `{loc[-1]}`, which it needs", f"add `{loc[-1]} = ...`"
        found = Misfit(FindingCode.INVALID_TYPE, path, message, fix)
    elif kind in ("enum", "literal_error"):
        found = _unknown_word(detail, path, value)
    elif kind in set(FindingCode):
        found = _own(FindingCode(kind), path, message)
    elif kind in _KINDS:
        tables = kind == "tuple_type" and _table(path) is not None
        what = "a list of tables" if tables else _KINDS[kind]
        fix = f"write it as `[[{dotted(path)}]]` with keys below" if tables else _example(kind, path)
        found = Misfit(FindingCode.INVALID_TYPE, path, f"is not {what}", fix)
    else:
        found = _out_of_bounds(kind, path, value, detail)
    return found


def _resolved(loc: Sequence[str | int], raw: Mapping[str, TomlValue]) -> tuple[Path, TomlValue]:
    """The part of pydantic's location that the document has, and what stands there."""
    value: TomlValue = dict(raw)
    for depth, part in enumerate(loc):
        match value, part:
            case dict(), str(name) if name in value:
                value = value[name]
            case list(), int(index) if index < len(value):
                value = value[index]
            case _:
                return tuple(loc[:depth]), value
    return tuple(loc), value


def _unknown_key(path: Path) -> Misfit:
    *above, last = path
    key = str(last)
    if _shape(path) in _LATER:
        message = "is not supported by this version of smista-mcp"
        return Misfit(FindingCode.UNKNOWN_KEY, path, message, f"remove `{key}`: a policy is never applied in part")
    if key.lower().replace("-", "") in _CREDENTIALS and "providers" in path:
        fix = 'put the key into a variable NAME and write `api_key = "${secret:NAME}"`'
        return Misfit(FindingCode.INLINE_SECRET, path, "is no key of a policy, and a credential has no place here", fix)
    table = _table(tuple(above))
    known = sorted(table.model_fields) if table else []
    close = closest(key.lower(), known, cutoff=0.6)
    if close:
        return Misfit(FindingCode.UNKNOWN_KEY, path, "is not known", f"did you mean `{close}`?")
    elsewhere = next((place for place, names in _homes() if key in names), None)
    if elsewhere:
        return Misfit(FindingCode.UNKNOWN_KEY, path, "is not known here", f"`{key}` belongs into {elsewhere}")
    return Misfit(FindingCode.UNKNOWN_KEY, path, "is not known", f"known here: {', '.join(known)}")


def _shape(path: Path) -> Path:
    """The path without numbers and without the names of providers."""
    names = tuple(part for part in path if isinstance(part, str))
    return (names[0], names[-1]) if names[0] == "providers" else names


def _unknown_word(detail: ErrorDetails, path: Path, value: TomlValue) -> Misfit:
    expected = str(detail.get("ctx", {}).get("expected", "")).replace("'", "`")
    if "[key]" in detail["loc"]:
        return Misfit(FindingCode.UNKNOWN_KEY, path, "is not known", f"known here: {expected}")
    if not isinstance(value, str):
        return Misfit(FindingCode.INVALID_TYPE, path, "is not text in quotes", f"write {expected}")
    words = [word.strip("` ") for word in expected.replace(" or ", ", ").split(",")]
    close = closest(value.lower(), words, cutoff=0.5)
    fix = f"did you mean `{close}`? It is one of {expected}" if close else f"write {expected}"
    intents = set(words) == set(Intent)
    code, kind = (FindingCode.UNKNOWN_INTENT, "intent") if intents else (FindingCode.INVALID_ENUM, "value of it")
    return Misfit(code, path, f"is `{_shown(value)}`, which is no {kind}", fix)


def _own(code: FindingCode, path: Path, text: str) -> Misfit:
    """A refusal in our own words: what is wrong, and after the last semicolon what to write."""
    message, semicolon, fix = text.rpartition("; ")
    return Misfit(code, path, message, fix) if semicolon else Misfit(code, path, text, "write it without")


def _out_of_bounds(kind: str, path: Path, value: TomlValue, detail: ErrorDetails) -> Misfit:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    code = _BY_KEY.get(key, FindingCode.INVALID_TYPE)
    limits = {name: bound for name, bound in detail.get("ctx", {}).items() if isinstance(bound, int)}
    if kind == "string_pattern_mismatch":
        message = "is blank, or holds a line break or a control character"
        return Misfit(code, path, message, "write it on one line")
    if kind in ("too_short", "string_too_short"):
        return Misfit(code, path, "is empty", "write at least one, or leave the key out")
    most = next((limits[name] for name in ("le", "lt", "max_length") if name in limits), None)
    least = next((limits[name] for name in ("ge", "gt", "min_length") if name in limits), None)
    if most is not None and isinstance(value, str | list):
        return Misfit(code, path, f"is longer than {most}", f"keep it to {most}")
    if most is not None:
        return Misfit(code, path, f"is more than {most}", f"write {most} or less")
    if least is not None:
        return Misfit(code, path, f"is less than {least}", f"write {least} or more")
    return Misfit(code, path, f"is not well formed ({kind})", "write what the documentation of this key shows")


def _example(kind: str, path: Path) -> str:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    several = bool(path) and isinstance(path[-1], int)
    examples = {
        "string_type": f'write `{key} = "..."`' if not several else 'write `"..."`',
        "bool_type": f"write `{key} = true`",
        "int_type": f"write `{key} = 1`",
        "tuple_type": f'write `{key} = ["..."]`',
    }
    return examples.get(kind, "write it as `[table]` with keys below, or as `{ key = value }`")


def _shown(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:60]}…"


def _table(path: Path) -> type[Value] | None:
    """The model of the table at a path; names of classes, providers and models are the user's own."""
    table: type[Value] = PolicyDocument
    named = False
    for part in path:
        if isinstance(part, int) or named:
            named = False
            continue
        field = table.model_fields.get(part)
        inner = _model(field.annotation) if field else None
        if field is None or inner is None:
            return None
        named = get_origin(field.annotation) is dict
        table = inner
    return table


def _model(annotation: object) -> type[Value] | None:
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return annotation
    inner = (_model(argument) for argument in get_args(annotation))
    return next((model for model in inner if model is not None), None)


def _homes() -> Iterator[tuple[str, frozenset[str]]]:
    """Every table with the names of its keys, to tell where a misplaced key belongs."""
    waiting: list[tuple[str, type[Value]]] = [("", PolicyDocument)]
    while waiting:
        place, table = waiting.pop(0)
        yield (f"`[{place}]`" if place else "the top of the file"), frozenset(table.model_fields)
        for name, field in table.model_fields.items():
            inner = _model(field.annotation)
            if inner is not None and name != "test":
                suffix = ".NAME" if get_origin(field.annotation) is dict else ""
                waiting.append((f"{place}.{name}{suffix}" if place else f"{name}{suffix}", inner))
