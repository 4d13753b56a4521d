"""JSON, with comments or without, changed in place: what is not changed stays as it was written, to the character.

No library that keeps comments is small, kept up and able to change a text in place, so a text is read here with the
place of every value. Each change is read again and compared with what it should have become.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, cast

from smista_mcp.hostfiles.unfit import Unfit

MAX_DEPTH: Final = 200
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]++)
    |(?P<comment>//[^\n\r]*+|/\*(?:[^*]|\*(?!/))*\*/)
    |(?P<string>"[^"\\\x00-\x1f]*+(?:\\[^\x00-\x1f][^"\\\x00-\x1f]*+)*")
    |(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?)(?![0-9A-Za-z_.+-])
    |(?P<word>true|false|null)(?![0-9A-Za-z_])
    |(?P<mark>[][{},:])""",
    re.VERBOSE,
)
_INDENT: Final = "  "
_SPACE: Final = " \t\r\n"

Path = Sequence[str]


class _Token(NamedTuple):
    kind: str
    start: int
    end: int


class _Node(NamedTuple):
    """A value and where it stands; `members` those of an object, `comma` the place of the last comma in it."""

    start: int
    end: int
    value: object
    members: "tuple[_Member, ...]" = ()


class _Member(NamedTuple):
    """A key of an object with its value.

    Attributes:
        start: of the key.
        comma: place of the comma behind the value; None where there is none.
    """

    key: str
    start: int
    node: _Node
    comma: int | None


def read(text: str, *, comments: bool) -> object:
    """The value of a text.

    Args:
        text: without a byte order mark.
        comments: whether comments and a comma at the end are allowed.

    Raises:
        Unfit: it is not JSON, or holds a key twice where smista has to look.
    """
    return _parse(text, comments=comments).value


def put(text: str, path: Path, value: object, *, comments: bool) -> str:
    """The text with a value at a path of keys; objects on the way are made. A blank text becomes a new document.

    Raises:
        Unfit: the text is not JSON, a value on the way is no object, or the change does not come out right.
    """
    if not text.strip():
        return _dumped(_nested(path, value), "", _INDENT, _newline(text)) + _newline(text)
    root = _parse(text, comments=comments)
    depth, node = _deepest(root, path)
    if not isinstance(node.value, dict):
        raise Unfit(f"`{'.'.join(path[:depth]) or 'the document'}` is no object", _line(text, node.start))
    if depth == len(path) - 1 and (member := _member(text, node, path[-1])):
        changed = _replaced(text, root, member, value)
    else:
        changed = _inserted(text, root, node, path[depth], _nested(path[depth + 1 :], value))
    expected = _with(cast("Mapping[str, object]", root.value), path, value)
    return _checked(changed, expected, comments=comments)


def removed(text: str, path: Path, *, comments: bool) -> str:
    """The text without the value at a path; as it was where none is there.

    Raises:
        Unfit: as for `put`.
    """
    if not text.strip():
        return text
    root = _parse(text, comments=comments)
    depth, node = _deepest(root, path)
    member = _member(text, node, path[-1]) if depth == len(path) - 1 and isinstance(node.value, dict) else None
    if member is None:
        return text
    changed = _cut(text, node, member)
    expected = _without(cast("Mapping[str, object]", root.value), path)
    return _checked(changed, expected, comments=comments)


def hidden(text: str, names: Collection[str], ours: str, stand_in: str, *, comments: bool) -> str:
    """The text with a stand-in for each value below a key of one of these names, unless `ours` leads there too.

    Raises:
        Unfit: the text is not JSON.
    """
    shown, at = "", 0
    for node in _below(_parse(text, comments=comments), names, ours, deep=False):
        shown += text[at : node.start] + stand_in
        at = node.end
    return shown + text[at:]


def _below(node: _Node, names: Collection[str], ours: str, *, deep: bool) -> Iterator[_Node]:
    if deep and node.value not in ({}, []) and not node.members:
        yield node
    for member in node.members:
        if member.key != ours:
            yield from _below(member.node, names, ours, deep=deep or member.key in names)


# ------------------------------------------------------------------------------------------------------------- read


def _parse(text: str, *, comments: bool) -> _Node:
    tokens = _tokens(text, comments=comments)
    reader = _Reader(text, tokens, loose=comments)
    node = reader.value(next(tokens, None), 0)
    extra = next(tokens, None)
    if extra is not None:
        raise Unfit("something stands behind the document", _line(text, extra.start))
    return node


def _tokens(text: str, *, comments: bool) -> Iterator[_Token]:
    """The tokens that carry meaning."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        kind = found.lastgroup if found else None
        if found is None or kind is None or (kind == "comment" and not comments):
            shown = text[at : at + 12].partition("\n")[0]
            what = "a comment, which this host does not read" if kind else f"`{shown}`"
            raise Unfit(f"is not JSON at {what}", _line(text, at))
        if kind not in ("space", "comment"):
            yield _Token(text[at] if kind == "mark" else kind, at, found.end())
        at = found.end()


class _Reader:
    """Reads one document from its tokens."""

    def __init__(self, text: str, tokens: Iterator[_Token], *, loose: bool) -> None:
        self._text = text
        self._tokens = tokens
        self._loose = loose

    def value(self, token: _Token | None, depth: int) -> _Node:
        if token is None:
            raise Unfit("ends too early", _line(self._text, len(self._text)))
        if depth > MAX_DEPTH:
            raise Unfit(f"is nested more than {MAX_DEPTH} deep", _line(self._text, token.start))
        if token.kind == "{":
            return self._object(token, depth)
        if token.kind == "[":
            return self._array(token, depth)
        if token.kind in ("string", "number", "word"):
            return _Node(token.start, token.end, self._plain(token))
        raise self._unexpected(token)

    def _plain(self, token: _Token) -> object:
        try:
            return json.loads(self._text[token.start : token.end])
        except ValueError:  # an escape that is none, or a number of thousands of digits
            raise self._unexpected(token) from None

    def _object(self, opening: _Token, depth: int) -> _Node:
        members: list[_Member] = []
        token = next(self._tokens, None)
        while token is not None and token.kind != "}":
            if token.kind != "string":
                raise self._unexpected(token)
            self._expect(":")
            node = self.value(next(self._tokens, None), depth + 1)
            key, start = cast("str", self._plain(token)), token.start
            token, comma = self._behind("}")
            members.append(_Member(key, start, node, comma))
        if token is None:
            raise Unfit("has a `{` without its `}`", _line(self._text, opening.start))
        return _Node(opening.start, token.end, {one.key: one.node.value for one in members}, tuple(members))

    def _array(self, opening: _Token, depth: int) -> _Node:
        values: list[object] = []
        token = next(self._tokens, None)
        while token is not None and token.kind != "]":
            values.append(self.value(token, depth + 1).value)
            token, _ = self._behind("]")
        if token is None:
            raise Unfit("has a `[` without its `]`", _line(self._text, opening.start))
        return _Node(opening.start, token.end, values)

    def _behind(self, closing: str) -> tuple[_Token | None, int | None]:
        """What follows a value: the next token that begins something or closes, and the place of a comma before it."""
        token = next(self._tokens, None)
        if token is None or token.kind == closing:
            return token, None
        if token.kind != ",":
            raise self._unexpected(token)
        after = next(self._tokens, None)
        if after is not None and after.kind == closing and not self._loose:
            raise self._unexpected(token)
        return after, token.start

    def _expect(self, kind: str) -> None:
        token = next(self._tokens, None)
        if token is None or token.kind != kind:
            raise self._unexpected(token)

    def _unexpected(self, token: _Token | None) -> Unfit:
        if token is None:
            return Unfit("ends too early", _line(self._text, len(self._text)))
        written = self._text[token.start : min(token.end, token.start + 12)]
        return Unfit(f"is not JSON at `{written}`", _line(self._text, token.start))


def _deepest(root: _Node, path: Path) -> tuple[int, _Node]:
    """The last object on a path that is there, but for its last key; and how many keys lead to it."""
    node = root
    for depth, key in enumerate(path[:-1]):
        found = [member for member in node.members if member.key == key]
        if len(found) > 1:
            raise Unfit(f"holds the key `{key}` twice")
        if not found:
            return depth, node
        node = found[0].node
    return len(path) - 1, node


def _member(text: str, node: _Node, key: str) -> _Member | None:
    found = [member for member in node.members if member.key == key]
    if len(found) > 1:
        raise Unfit(f"holds the key `{key}` twice", _line(text, found[1].start))
    return found[0] if found else None


# ----------------------------------------------------------------------------------------------------------- change


def _replaced(text: str, root: _Node, member: _Member, value: object) -> str:
    start, end = member.node.start, member.node.end
    if member.node.value == value and type(member.node.value) is type(value):
        return text
    spread = "\n" in text[root.start : root.end]
    written = _dumped(value, _indent_of(text, member.start), _unit(text, root), _newline(text) if spread else "")
    return text[:start] + written + text[end:]


def _inserted(text: str, root: _Node, node: _Node, key: str, value: object) -> str:
    """A member more at the end of an object, behind every comment there, written as its neighbours are."""
    last = node.members[-1] if node.members else None
    trailing = last is not None and last.comma is not None
    inside = node.start + 1 if last is None else last.node.end
    if last is not None and last.comma is not None:
        inside = last.comma + 1
    trivia = text[inside : node.end - 1]
    kept = trivia.rstrip(_SPACE)
    closing = trivia[len(kept) :]
    head = text[:inside] + ("," if last is not None and not trailing else "") + kept
    end = ("," if trailing else "") + (closing if last is not None or kept else "")
    tail = text[node.end - 1 :]
    unit, newline, base = _unit(text, root), _newline(text), _indent_of(text, node.start)
    spread = "\n" in text[node.start : node.members[0].start] + trivia if last else "\n" in text.strip()
    if not spread:
        gap = " " if last is not None or kept else ""
        return f"{head}{gap}{json.dumps(key)}: {_dumped(value, '', unit, '')}{end}{tail}"
    in_line = last is None or not _begins_line(text, last.start)
    indent = base + unit if last is None or in_line else _indent_of(text, last.start)
    if "\n" not in end:
        end = f"{end.rstrip(_SPACE)}{newline}{base}"
    return f"{head}{newline}{indent}{json.dumps(key)}: {_dumped(value, indent, unit, newline)}{end}{tail}"


def _cut(text: str, node: _Node, member: _Member) -> str:
    """The text without a member, its comma, and the space before it; comments around it stay."""
    index, end = node.members.index(member), member.node.end
    before = text[: member.start].rstrip(_SPACE)
    space = text[len(before) : member.start]
    if member.comma is not None:
        between = text[end : member.comma].strip()
        end = member.comma + 1
    else:
        between = ""
        if index:  # it was the last: the comma before it goes
            comma = cast("int", node.members[index - 1].comma)
            before = before[:comma] + before[comma + 1 :]
    after = text[end:]
    if between:
        return f"{before}{space}{between}{_newline(text)}{after}"
    if len(node.members) == 1 and before.endswith("{") and not text[end : node.end - 1].strip():
        return before + text[node.end - 1 :]
    rest = after.lstrip(" \t")
    in_comment = "\n" in space and "//" in before[before.rfind("\n") + 1 :]
    if rest.startswith(("\n", "\r")) or (rest.startswith("}") and not in_comment):
        return before + after
    return before + space + rest


def _checked(changed: str, expected: object, *, comments: bool) -> str:
    try:
        found = _parse(changed, comments=comments).value
    except Unfit:
        found = None
    if found != expected:
        raise Unfit("has a shape that cannot be changed in place safely")
    return changed


def _with(value: Mapping[str, object], path: Path, new: object) -> dict[str, object]:
    key, *rest = path
    inner = value.get(key)
    if rest:
        new = _with(cast("Mapping[str, object]", inner) if isinstance(inner, dict) else {}, rest, new)
    return {**value, key: new}


def _without(value: Mapping[str, object], path: Path) -> dict[str, object]:
    key, *rest = path
    if not rest:
        return {name: inner for name, inner in value.items() if name != key}
    return {**value, key: _without(cast("Mapping[str, object]", value[key]), rest)}


def _nested(path: Path, value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


# ------------------------------------------------------------------------------------------------------------ style


def _dumped(value: object, indent: str, unit: str, newline: str) -> str:
    """A value as JSON over several lines, lists of plain values on one; on one line where `newline` is empty."""
    if newline and isinstance(value, dict) and value:
        inner = indent + unit
        members = cast("Mapping[str, object]", value).items()
        lines = (f"{inner}{json.dumps(key)}: {_dumped(one, inner, unit, newline)}" for key, one in members)
        return "{" + newline + f",{newline}".join(lines) + newline + indent + "}"
    return json.dumps(value, ensure_ascii=False)


def _newline(text: str) -> str:
    """The line end that most lines have."""
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


def _unit(text: str, root: _Node) -> str:
    """One step of indentation, as the first member of the document shows it."""
    if root.members and _begins_line(text, root.members[0].start):
        return _indent_of(text, root.members[0].start) or _INDENT
    return _INDENT


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip(" \t")


def _indent_of(text: str, at: int) -> str:
    """The space at the begin of the line of a place."""
    start = text.rfind("\n", 0, at) + 1
    found = re.match(r"[ \t]*", text[start:at])
    return found[0] if found else ""


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
