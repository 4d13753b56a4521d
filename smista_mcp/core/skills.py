"""What a `SKILL.md` says: the front matter as far as it means something here, and the text that a delegate follows.

The front matter is YAML. Read is the part of it that the Agent Skills format needs: keys with plain, quoted, folded
or literal text, lists, and maps, which mean nothing here. What is not understood is said, and where it speaks of
tools, none is left: a skill may take tools away from a delegate, never give one, and never choose a model.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from smista_mcp.core.values import DELEGATE_TOOLS

_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_-]{0,63})[ ]*:(?:[ ]+(.*))?\Z")
_BLOCK = re.compile(r"[|>](?:[+-]?[1-9]?|[1-9][+-])(?:[ ]+#.*)?\Z")
_WORD = re.compile(r"[^\s,(]+(?:\([^()]*\))?")
_GIT_DIFF = re.compile(r"git(?: diff)?(?::\*| \*)?\Z|\*\Z")
_UNPLAIN = ("&", "*", "!", "%", "@", "`", "{", "}", "]", "|", ">", "?", ",")
_ALLOWED, _DENIED, _MODEL = "allowed-tools", "disallowed-tools", "model"
_SILENT = frozenset(
    (
        *("name", "description", "license", "compatibility", "metadata", "version", "author", "tags"),
        *("argument-hint", "arguments", "when_to_use", "disable-model-invocation", "user-invocable", "paths"),
        *(_ALLOWED, _DENIED, _MODEL),
    )
)
"""Keys that say nothing wrong by having no effect here, or have one."""
_MEANT: Mapping[str, str] = {
    **dict.fromkeys(("read", "read_file", "readfile", "view"), "read_file"),
    **dict.fromkeys(("glob", "ls", "list", "list_files", "list_directory", "listfiles"), "list_files"),
    **dict.fromkeys(("grep", "search", "search_files", "searchfiles"), "search"),
    **dict.fromkeys(("git_diff", "gitdiff"), "git_diff"),
}
"""Our tools by the names that they have in the products which skills are written for."""
_SHELLS = frozenset(("bash", "shell", "run_shell_command", "execute"))


class SkillText(NamedTuple):
    """A `SKILL.md` as it was read.

    Attributes:
        body: what follows the front matter.
        first_line: the line of the file that it begins with, from 1.
        name: as the front matter has it; the skill is known by the name of its folder.
        tools: those of `DELEGATE_TOOLS` that it leaves a delegate; None where it says nothing about tools.
        remarks: what of the front matter has no effect, or is not understood; each without a dot at its end.
    """

    body: str
    first_line: int = 1
    name: str = ""
    description: str = ""
    tools: frozenset[str] | None = None
    remarks: tuple[str, ...] = ()


class BrokenSkill(ValueError):
    """A `SKILL.md` of which nobody can tell where its front matter ends; the text says so."""


_Value = str | tuple[str, ...] | None
"""Text, a list of texts; None where it is a map, or not understood."""


def read_skill(text: str) -> SkillText:
    """Reads a `SKILL.md`; one without front matter is all body.

    Raises:
        BrokenSkill: the front matter has no end.
    """
    lines = text.removeprefix("\ufeff").split("\n")
    if lines[0].rstrip() != "---":
        return SkillText(text.removeprefix("\ufeff"))
    end = next((at for at, line in enumerate(lines) if at and line.rstrip() in ("---", "...")), None)
    if end is None:
        raise BrokenSkill("its front matter has no end: a line `---` is missing")
    fields, odd = _fields([line.rstrip("\r") for line in lines[1:end]])
    name, description = (value if isinstance(value := fields.get(key), str) else "" for key in ("name", "description"))
    return SkillText(
        body="\n".join(lines[end + 1 :]),
        first_line=end + 2,
        name=name,
        description=description,
        tools=frozenset() if _hides_tools(fields, [lines[at + 1] for at in odd]) else _tools(fields),
        remarks=tuple(_remarks(fields, odd)),
    )


def _remarks(fields: Mapping[str, _Value], odd: Sequence[int]) -> Iterable[str]:
    if _MODEL in fields:
        yield "`model` is ignored: which model serves is the policy's to say"
    idle = [key for key in fields if key not in _SILENT]
    if idle:
        yield f"without effect here: {', '.join(f'`{key}`' for key in idle[:6])}{' and more' if len(idle) > 6 else ''}"
    if odd:
        yield f"line {', '.join(str(at + 2) for at in odd[:6])} of its front matter is not understood"


def _hides_tools(fields: Mapping[str, _Value], odd: Iterable[str]) -> bool:
    """Whether it speaks of tools where nobody can tell what it says of them."""
    return any("tool" in line.lower() for line in odd) or any("tool" in key.lower() for key in fields.keys() - _SILENT)


def _tools(fields: Mapping[str, _Value]) -> frozenset[str] | None:
    if _ALLOWED not in fields and _DENIED not in fields:
        return None
    allowed, denied = fields.get(_ALLOWED, "*"), fields.get(_DENIED, "")
    if allowed is None or denied is None:
        return frozenset()
    left = {tool for word in _words(allowed) for tool in _allowed_by(word)}
    return frozenset(left.difference(*(_denied_by(word) for word in _words(denied))))


def _words(value: str | tuple[str, ...]) -> list[str]:
    parts = (value,) if isinstance(value, str) else value
    return [word for part in parts for word in _WORD.findall(part)]


def _allowed_by(word: str) -> tuple[str, ...]:
    """The tools that a word surely gives: one for some files only gives none."""
    if word == "*":
        return DELEGATE_TOOLS
    name, _, scope = word.rstrip(")").partition("(")
    if name.lower() in _SHELLS:
        return ("git_diff",) if not scope or _GIT_DIFF.match(scope) else ()
    tool = _MEANT.get(name.lower())
    return (tool,) if tool is not None and scope in ("", "*", "**") else ()


def _denied_by(word: str) -> tuple[str, ...]:
    """The tools that a word may mean to take."""
    if word == "*":
        return DELEGATE_TOOLS
    name, _, scope = word.rstrip(")").partition("(")
    if name.lower() in _SHELLS:
        return ("git_diff",) if not scope or scope.startswith(("git", "*")) else ()
    tool = _MEANT.get(name.lower())
    return () if tool is None else (tool,)


def _fields(lines: Sequence[str]) -> tuple[dict[str, _Value], list[int]]:
    """Keys with their values, and the places of lines that nothing can be made of."""
    fields: dict[str, _Value] = {}
    odd: list[int] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip() or line.lstrip(" ").startswith("#"):
            at += 1
            continue
        found = _KEY.match(line)
        if found is None:
            odd.append(at)
            at += 1
            continue
        end = _end_of_value(lines, at + 1)
        key = found[1]
        value = _value((found[2] or "").strip(), lines[at + 1 : end])
        if key in fields:
            value = None  # YAML takes no key twice, and whoever does takes either
            odd.append(at)
        fields[key] = value
        if value is None and key not in ("metadata", "hooks"):
            odd.append(at)
        at = end
    return fields, sorted(set(odd))


def _end_of_value(lines: Sequence[str], at: int) -> int:
    """Where the lines of a value end: they are indented, or are those of a list."""
    end = at
    while at < len(lines):
        if lines[at].startswith((" ", "\t", "- ")) or lines[at] == "-":
            end = at + 1
        elif lines[at].strip():
            break
        at += 1
    return end


def _value(text: str, below: Sequence[str]) -> _Value:
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in below):
        return None
    if text.startswith("#"):
        text = ""
    if _BLOCK.match(text):
        return " ".join(line.strip() for line in below if line.strip())
    said = [line for line in below if line.strip() and not line.lstrip().startswith("#")]
    if not text:
        return _listed([line.strip() for line in said])
    whole = " ".join((text, *(line.strip() for line in said)))
    return _flow(whole) if whole.startswith("[") else _scalar(whole)


def _listed(items: Sequence[str]) -> _Value:
    if not items:
        return ""
    if not all(item.startswith("- ") for item in items):
        return None
    found = [_scalar(item[2:].strip()) for item in items]
    texts = tuple(text for text in found if text is not None)
    return texts if len(texts) == len(found) else None


def _flow(text: str) -> _Value:
    inner = text[1:-1] if text.endswith("]") else None
    if inner is None or any(mark in inner for mark in "[]{}#"):
        return None
    items = re.findall(r"\"[^\"\\]*\"|'[^']*'|[^,\"'()]*\([^()]*\)[^,\"'()]*|[^,\"'()]+", inner)
    if "".join(items).replace(",", "") != inner.replace(",", ""):
        return None
    found = [_scalar(item.strip()) for item in items if item.strip()]
    texts = tuple(text for text in found if text is not None)
    return texts if len(texts) == len(found) else None


def _scalar(text: str) -> str | None:
    for quote in ('"', "'"):
        if text.startswith(quote):
            closed = re.fullmatch(rf"{quote}([^{quote}\\]*){quote}(?:[ ]+#.*)?", text)
            return closed[1] if closed else None
    if text.startswith(_UNPLAIN):
        return None
    return re.split(r"[ ]+#", text, maxsplit=1)[0].strip()
