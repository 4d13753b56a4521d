"""Tokens of a prompt: words, signs, and spans that are not language (code, quotes, addresses, paths, pasted output).

A masked span is one token, so that a word inside it never counts. Every character that is not blank belongs to
exactly one token, in order, so that offsets can be found again.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

from smista_mcp.core.reading.vocabulary import (
    BREAK,
    CJK,
    GERUND,
    MASK,
    NOUN,
    NUM,
    OPENER,
    PAST,
    PATH,
    STOP,
    UNKNOWN_WORD,
    VERB,
    WORDS,
    Word,
)

_LETTER: Final = r"[^\x00-@\[-`{-\x7f]"
"""ASCII letters and all that is not ASCII, once `plain` has made ASCII of the signs."""
_CJK: Final = r"\u3005-\u30ff\u3400-\u9fff\uac00-\ud7ff\uf900-\ufaff"


def _pattern(letters: str, unspaced: str) -> re.Pattern[str]:
    # Python before 3.11.5 loses characters in possessive repeats of groups (python/cpython#106052): `(?>...)` it is.
    sign = r"\s,;!?()\[\]{}<>\"`" + unspaced
    return re.compile(
        rf"{letters}++(?>(?:'[A-Za-z]++)?)(?![0-9A-Za-z_/\\(@=+#-]|[.:][0-9A-Za-z_/])"  # a whole word
        r"|,"
        r"|\n[\s\-*•●○·▪#>]*+(?>(?:\d{1,2}[.)](?=\s))?)"  # a line break with the marks of a list
        r"|```(?>(?:[^`]++|`(?!``))*)(?:```|\Z)"
        r"|`[^`\n]*+`"
        r'|"[^"\n]{1,400}+"'
        r"|'[^'\n]{2,200}+'(?![A-Za-z])"
        r"|\[[^\[\]\n]{0,400}+\]\([^)\s]{1,1000}+\)"  # a markdown link
        r"|\.++(?![0-9A-Za-z_/\\])|[!?;:]++"
        r"|[A-Za-z][A-Za-z0-9+.-]{1,15}+://[^\s<>\"'`)\]]*+"
        r"|[ei]\.[eg]\.?(?![0-9A-Za-z_/])"
        + (rf"|[{unspaced}]++" if unspaced else "")
        + rf"|(?>(?:[^{sign}.:]++|[.:](?=[^{sign}.:])|\.\.(?=[/\\])"  # a path, a number, an identifier
        + r"|(?<=/)[(\[][\w.-]{1,100}+[)\]])+)"
        r"|\S"
    )


FIRST_UNSPACED: Final = "\u3040"
"""The first character of the scripts whose words no blank parts; none of the others below names more than a word."""
_TOKEN: Final = _pattern(_LETTER, "")


@cache
def _unspaced_token() -> re.Pattern[str]:
    return _pattern(rf"[^\x00-@\[-`{{-\x7f{_CJK}]", _CJK)


@cache
def _output() -> re.Pattern[str]:
    return re.compile(
        r"\s*+(?:at \S+ ?\(|File \"|Traceback \(|\d{4}-\d\d-\d\d[T ]\d|\[\d\d|[$%>❯] |>>>|⎿|●|[|+]|npm ERR|error\["
        r"|Caused by:|[A-Z][A-Za-z]{1,30}+\(|diff --git|@@ |(?:\+\+\+|---) [ab]/|\d++ \|"
        r"|[A-Za-z.]{1,80}+(?:(?<=Error)|(?<=Exception)|(?<=Warning)): )"
    )


@cache
def _place() -> re.Pattern[str]:
    """A line that tells a place in a program, below which a log shows the source."""
    return re.compile(
        r"\s*+(?:File \"[^\"]{1,400}+\", line \d|/[^\s:(]{1,400}+:\d++\Z"
        r"|(?=[^\s:(]{0,400}+[:(])[^\s:(./\\]{0,100}+[./\\][^\s:(]{1,400}+[:(]\d++(?>(?:[:,]\d++){0,2})\)?"
        r":? (?:- )?(?:error|warning|note)\b)"
    )


@cache
def _code() -> re.Pattern[str]:
    """How a line begins that is code and no prose."""
    return re.compile(
        r"(?:async )?def \w|class \w++ ?[(:{]|(?:export )?(?:const|let|var) \w++ ?[=:;]|from \S++ import "
        r"|func(?:tion)? ?\w*+\(|(?:public|private|protected|static) [\w<>\[\] ]++[({=;]"
        r"|fn \w++\(|//|/\*|#include|@\w++(?:\(|\Z)|[\w.\[\]]++ [+-]?:?= "
    )


_CALL: Final = re.compile(r"(?:await |return )?[\w.$]++\(")
_NUMBERED: Final = re.compile(r"\s*+\d++(?:  |\t|\Z)")
_ITEM: Final = re.compile(r"[-*•] |\d++[.)] ")
_DEEP: Final = ("    ", "\t")
"""How a line of an indented block begins."""
_SUFFIX: Final = re.compile(r"(?::\d+(?:[-:]\d+)*|#L?\d+(?:-L?\d+)?)\Z", re.ASCII)
_EXTENSION: Final = re.compile(r"[A-Za-z0-9_\])~-]\.([A-Za-z][A-Za-z0-9_]{0,9})\Z")
_SIGNS: Final = {
    **dict.fromkeys("’‘", "'"),
    **dict.fromkeys("“”«»„「」《》", '"'),
    **dict.fromkeys("—–，、", ","),
    **dict.fromkeys("\u00a0\u3000\u200b\ufeff¿¡", " "),
    **dict.fromkeys("\u2028\u2029", "\n"),
    "…": "!",
    "。": "!",
    "！": "!",
    "？": "?",
    "；": ";",
    "：": ":",
    "（": "(",
    "）": ")",
    "【": "[",
    "】": "]",
}
"""Signs of typography to the ASCII ones that they stand for, one for one.

A stop that is no ASCII one ends a sentence and is never part of a name, as "." is in `.env`.
"""
_NOT_FILES: Final = frozenset(
    "node.js next.js vue.js nuxt.js three.js d3.js react.js express.js chart.js discord.js ember.js p5.js moment.js"
    " alpine.js backbone.js asp.net socket.io e.g i.e u.s a.m p.m vs.code".split()
)
_NOT_EXTENSIONS: Final = frozenset("com org net io dev ai app co uk de fr it eu gov edu me info".split())
_NOT_PATHS: Final = frozenset(
    "and/or he/she she/he his/her him/her w/o w/ n/a yes/no i/o ci/cd ui/ux ux/ui tcp/ip read/write input/output on/off"
    " true/false before/after pros/cons add/remove import/export client/server request/response 24/7 either/or a/b km/h"
    " /s".split()
)
_TEST_WORDS: Final = frozenset(("test", "tests", "unittest", "unittests", "e2e"))
_DOC_WORDS: Final = frozenset(("docs", "doc", "readme", "documentation", "comment", "docstring"))
_PROMPT_FOLDERS: Final = frozenset(("prompts", "skills", "agents"))
_DOCUMENT_WORDS: Final = {
    "changelog": "commit",
    "roadmap": "roadmap",
    **dict.fromkeys(("skill", "prompt", "prompts"), "prompt"),
    **dict.fromkeys(("plan", "plans", "prd", "spec", "specs", "tasks", "proposal"), "plan"),
}
"""Words in the name of a document to its noun class; any other document is prose."""
_PROSE_ENDINGS: Final = (".md", ".rst", ".adoc", ".txt", ".docx")
_LISTS: Final = ("requirements", "constraints", "robots", "cmakelists", "cmake_lists", "cmake-lists")
"""Beginnings of names of text files that a program reads."""
_PROMPT_ENDINGS: Final = (".mdc", ".cursorrules", ".prompt")
_PATH_WORD: Final = re.compile(r"[a-z0-9]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where the words of a name in camel case meet ("testParser.py")."""


class Token(NamedTuple):
    """A token that is not a plain known word: what it is, and the path it names, if any."""

    word: Word
    path: str = ""


_LINE: Final = Token(Word(BREAK))
_END: Final = Token(Word(STOP))
_MASKED: Final = Token(Word(MASK))
_NUMBER: Final = Token(Word(NUM))
_PASSED_OVER: Final = Token(Word(OPENER))
_PLAIN: Final = Token(UNKNOWN_WORD)


def plain(text: str) -> str:
    """The same text, as long as before, with ASCII signs in place of typographic ones."""
    if not text.isascii():
        for sign, plainly in _SIGNS.items():  # several times faster than str.translate
            text = text.replace(sign, plainly)
    return text


def tokens(text: str) -> list[str]:
    """The tokens of a plain text in order; only blanks lie between them."""
    if not text.isascii() and any(FIRST_UNSPACED <= c <= "\ufaff" for c in text):
        return _unspaced_token().findall(text)
    return _TOKEN.findall(text)


def without_output(text: str) -> str:
    """The same text, as long as before, with the lines blanked that look like pasted output of a program, or like code.

    A log shows lines of source below a place in it; they are material as well, and so is a block of indented code.
    """
    if "\n" not in text:
        return text
    lines = text.split("\n")
    output = _output()
    is_log = [output.match(line) is not None for line in lines]
    if any(is_log) or "\n  " in text or "\n\t" in text or ": error" in text or " - error" in text:
        _mark_source(lines, is_log)
        _mark_code(lines, is_log)
    if not any(is_log):
        return text
    return "\n".join(" " * len(line) if log else line for line, log in zip(lines, is_log, strict=True))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _mark_source(lines: list[str], is_log: list[bool]) -> None:
    """Mark the lines of source that a log shows below a place ("File …, line 3", "app.ts:3:5 - error")."""
    place = _place()
    floor = -1  # the indent of the place that the lines belong to; -1 outside
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        if place.match(line):
            floor = _indent(line)
        elif floor >= 0 and not _ITEM.match(line.lstrip()) and (_indent(line) > floor or _NUMBERED.match(line)):
            is_log[i] = True
        else:
            floor = -1


def _mark_code(lines: list[str], is_log: list[bool]) -> None:
    """Mark the blocks of indented lines that hold code, unless all of the text is indented or they hold a list."""
    if all(line.startswith(_DEEP) for line in lines if line.strip()):
        return
    start, fenced = -1, False
    for i, line in enumerate([*lines, "."]):
        if "```" in line and line.count("```") % 2:
            fenced = not fenced
        if not line.strip():
            continue
        if line.startswith(_DEEP) and not fenced and "```" not in line:
            start = i if start < 0 else start
            continue
        if start >= 0 and _is_code(lines[start:i]):
            is_log[start:i] = [True] * (i - start)
        start = -1


def _is_code(block: list[str]) -> bool:
    said = [line.strip() for line in block if line.strip()]
    if any(_ITEM.match(line) for line in said):
        return False
    code = _code()
    return any(code.match(line) or (_CALL.match(line) and line[-1] in ");:{,(") for line in said)


def _named(path: str) -> str:
    """The path that a chunk names, with its line range, or nothing."""
    found = path.rstrip(".:'*_~") if path[-1] in ".:'*_~" else path
    if not found or found.lower() in _NOT_PATHS:
        return ""
    suffix = _SUFFIX.search(found)
    bare = found[: suffix.start()] if suffix else found
    if "/" in bare or "\\" in bare:
        return found if any(c.isalpha() for c in bare) and not bare.startswith(("//", "</", "/>")) else ""
    if bare.startswith("."):
        return found if bare[1:2].isalpha() else ""
    extension = _EXTENSION.search(bare)
    if extension is None or "(" in bare or bare.lower() in _NOT_FILES:
        return ""
    return "" if extension.group(1).lower() in _NOT_EXTENSIONS or "@" in bare else found


def _path_noun(path: str) -> str:
    low = _HUMP.sub("_", path).lower().replace("\\", "/")
    if low.endswith(_PROMPT_ENDINGS):
        return "prompt"
    folders, _, name = low.rstrip("/").rpartition("/")
    places = _PATH_WORD.findall(folders)
    words = _PATH_WORD.findall(name.partition(".")[0])
    if low.endswith(_PROSE_ENDINGS) and not name.startswith(_LISTS):
        if not _PROMPT_FOLDERS.isdisjoint(places):
            return "prompt"
        return next((_DOCUMENT_WORDS[word] for word in words if word in _DOCUMENT_WORDS), "doc")
    if "." not in name:
        places += words
    if not _TEST_WORDS.isdisjoint((*places, *words[:1], *words[-1:])) or ".test." in name or ".spec." in name:
        return "test"
    return "" if _DOC_WORDS.isdisjoint((*places, *words)) else "doc"


def _path_token(path: str) -> Token:
    return Token(Word(PATH, "", _path_noun(path)), path)


@cache
def _blank_path() -> re.Pattern[str]:
    """A path with blanks, as it may stand in quotes: folders and a file with an extension, or a folder with its `/`."""
    name = r"[\w.@+~#()&-][\w.@+~#()& -]{0,100}"
    return re.compile(
        rf"(?:[.~]?/)?(?:{name}/){{1,30}}(?:{name}\.[A-Za-z]\w{{0,9}})?|\w[\w-]*(?: [\w-]+){{1,3}}\.[A-Za-z]\w{{0,9}}"
    )


def _quoted(token: str) -> Token:
    inner = token.strip("`\"' \n") if not token.startswith("```") else ""
    if " " in inner:
        suffix = _SUFFIX.search(inner)
        bare = inner[: suffix.start()] if suffix else inner
        if len(bare) <= 400 and _blank_path().fullmatch(bare):
            return _path_token(inner)
    elif inner:
        if inner.startswith("file://"):
            return _path_token(inner)
        path = "" if "://" in inner or inner.endswith(")") else _named(inner)
        if path:
            return _path_token(path)
    return _MASKED


def _link(token: str) -> Token:
    if not token.endswith(")"):
        return _PLAIN
    target = token[token.rindex("](") + 2 : -1].strip("<>")
    if "://" in target and not target.startswith("file://"):
        return _MASKED
    if "#" in target and not _SUFFIX.search(target):
        target = target[: target.index("#")]
    return _path_token(target) if target and not target.startswith(("#", "mailto:")) else _MASKED


def _chunk(token: str) -> Token:
    """A run of other characters: a number, a path, a hyphenated word, an identifier."""
    if token[0].isdigit() and token.strip(".)%:").isdigit():
        return _NUMBER
    if "://" in token:
        return _path_token(token.rstrip(".,;:")) if token.startswith("file://") else _MASKED
    if token.startswith("@"):
        path = token[1:].rstrip(".:'*")
        return _path_token(path) if path and not path.startswith(("(", "{", "@")) else _PLAIN
    path = _named(token)
    if path:
        return _path_token(path)
    low = token.lower().strip("*_~'")
    known = WORDS.get(low) or WORDS.get(low.replace("-", ""))
    if known is None and "'" in low and not low.endswith("'s"):
        known = WORDS.get(low.replace("'", ""))  # "le'ts"
    if known is None and "-" in low:
        tail = WORDS.get(low.rpartition("-")[2])
        if tail is not None and (tail.noun or tail.role in (VERB, NOUN)):
            return Token(Word(NOUN if tail.noun else UNKNOWN_WORD.role, "", tail.noun))
        if low.startswith("re-"):
            known = WORDS.get(low[3:])
        elif tail is not None and tail.role in (GERUND, PAST):
            known = UNKNOWN_WORD
    return Token(known or UNKNOWN_WORD)


def token(text: str) -> Token:
    """What a token that is no plain known word is."""
    first = text[0]
    if first == "\n":
        return _LINE
    if first in "`\"'":
        return _quoted(text) if len(text) > 2 else _PASSED_OVER
    if first in ".!?;:":
        if len(text) > 1 and first == "." and text.strip("."):
            return _chunk(text)
        return _END
    if first == "[":
        return _link(text)
    if FIRST_UNSPACED <= first <= "\ud7ff":
        return Token(Word(CJK))
    if len(text) == 1 or not any(c.isalnum() for c in text):
        return Token(UNKNOWN_WORD if text.isalpha() else Word(OPENER))
    return _chunk(text)


def paths(chunks: Iterable[str]) -> list[str]:
    """The paths among the tokens of a stretch that is not read otherwise."""
    found: list[str] = []
    for chunk in chunks:
        if not chunk.isalpha() and len(chunk) > 1:
            path = token(chunk).path
            if path:
                found.append(path)
    return found
