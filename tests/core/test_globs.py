"""Patterns: git is the oracle."""

import random
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.core.globs import GlobSet, compile_glob, folded, literal_segments, name_matches, refusal

_PIECES = [
    "a",
    "b",
    ".",
    "*",
    "**",
    "/",
    "?",
    "[ab]",
    "[!a]",
    "\\*",
    "**/",
    "/**",
    "[a-c]",
    "c*",
    "ab",
    "[[:alpha:]]",
    "-",
    "]",
    "[",
]
_NAMES = [
    "a",
    "b",
    "ab",
    ".",
    "c",
    "*",
    "-",
    "a.b",
    "]",
    "A",
]  # ASCII: where git counts bytes for `?`, we count characters


def _pattern(rng: random.Random) -> str | None:
    text = "".join(rng.choice(_PIECES) for _ in range(rng.randint(1, 6)))
    # git 2.x compares pointers of two strings where `**` follows a name (`a**/b`), so its answer there is chance
    odd = any(text[i] not in "/*" and text[i + 1 : i + 3] == "**" for i in range(len(text) - 2))
    if text.startswith(("!", "/", "#")) or not text.strip("/") or odd or ("[" in text and "**" in text):
        return None
    return text


def _paths(rng: random.Random) -> list[str]:
    made = {
        "/".join("".join(rng.choice(_NAMES) for _ in range(rng.randint(1, 2))) for _ in range(rng.randint(1, 5)))
        for _ in range(40)
    }
    return sorted(path for path in made if not {".", ".."} & set(path.split("/")))


def _git(repository: Path, pattern: str, paths: list[str]) -> dict[str, bool]:
    (repository / ".gitignore").write_text(pattern + "\n", encoding="utf-8")
    command = ["git", "-C", str(repository), "check-ignore", "--no-index", "-z", "-v", "-n", "--stdin"]
    done = subprocess.run(command, input="\0".join(paths).encode(), capture_output=True, check=False)
    fields = done.stdout.decode().split("\0")
    return {fields[i + 3]: bool(fields[i + 2]) for i in range(0, len(fields) - 1, 4)}


@pytest.mark.parametrize("seed", range(3))
def test_patterns_match_what_git_ignores(tmp_path: Path, seed: int) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    rng = random.Random(seed)  # noqa: S311
    asked = 0
    for pattern in filter(None, (_pattern(rng) for _ in range(120))):
        regex = compile_glob(pattern)
        for path, ignored in _git(tmp_path, pattern, _paths(rng)).items():
            asked += 1
            assert (regex.fullmatch(path) is not None) is ignored, (pattern, path)
    assert asked > 1000


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("src/**", "src/a/b.rs", True),
        ("src/**", "src/", True),
        ("src/auth/**", "src/auth/", True),
        ("src/auth/**", "src/authors/a.rs", False),
        ("*.pem", "deep/down/key.pem", True),
        (".env", "apps/web/.env", True),
        (".env", "apps/.env/x", True),
        ("src/*.rs", "src/a/b.rs", False),
        ("secrets/", "secrets", False),
        ("secrets/", "secrets/a", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/?/c", "a/b/c", True),
        ("a/?/c", "a//c", False),
        ("[a-c-e]x", "dx", False),
        ("[a-c-e]x", "-x", True),
        ("[a-c-e]x", "ex", True),
        ("[c-a]x", "cx", True),
        ("[c-a]x", "bx", False),
        ("[]a]x", "]x", True),
        ("[!]a]x", "]x", False),
        ("[^]a]x", "bx", True),
        ("[[:a]:]x", "a:]x", True),
        ("[[:]x", ":x", True),
        ("[[:]x", "[x", True),
        ("[[:alpha:]-z]x", "-x", True),
        ("[[:space:]]x", "\vx", False),
        ("[[:nope:]]", "n", False),
        ("[a", "[a", False),
        ("a\\", "a\\", False),
        ("a\\\\/", "a\\/", True),
        ("[!/x]b", "ab", True),
        ("[!/x]b", "d/ab", False),
        ("a/**\\/b", "a/x/y/b", True),
        ("a\\/**", "a/x", True),
        ("a/**b", "a/x/b", False),
        ("a**/b", "a/x/b", False),
    ],
)
def test_a_pattern_means_what_gitignore_says(pattern: str, path: str, *, matches: bool) -> None:
    assert (compile_glob(pattern).fullmatch(path) is not None) is matches


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        ("", "`src/**`"),
        ("!a", "`\\!a`"),
        ("!a/**", "leave it out"),
        ("/etc/**", "`etc/**`"),
        ("//etc/x", "`etc/x`"),
        ("\\/etc/x", "`etc/x`"),
        ("/.env", "`.env` (at any depth) or `.env/**`"),
        ("/", "`**`"),
        ("../a", "relative to the workspace"),
        ("a/../b", "relative to the workspace"),
        ("a/..", "relative to the workspace"),
        ("..", "relative to the workspace"),
        ("a/\\.\\./b", "relative to the workspace"),
        ("..\\a", "relative to the workspace"),
        ("a\\..\\b", "relative to the workspace"),
        ("C:\\x", "`src/**`"),
        ("c:/x", "`src/**`"),
        ("\\\\server\\share", "`src/**`"),
        ("~/a", "`\\~/a`"),
        ("~root/a", "`\\~root/a`"),
        ("src/{a,b}/**", "`src/a/**`, `src/b/**`"),
        ("{a,b}{c,d}", "`ac`, `ad`, `bc`, `bd`"),
        ("x{a,{b,c}}", "`xa`, `xb`, `xc`"),
        ("{a,b", None),
        ("a,b}", None),
        ("}{", None),
        ("\\{a,b}", None),
        ("\\\\{a,b}", "`\\\\a`, `\\\\b`"),
        ("[{]a,b[}]", None),
        ("[]{]a,b[}]", None),
        ("{[,],b}", "`[,]`, `b`"),
        ("*.{js,ts}", "`*.js`, `*.ts`"),
        ("{" + ",".join("abcdefghij") + "}", "`h` and 2 more"),
        ("{a,b}" * 40, "`\\{`"),
        ("a\0b", "NUL"),
    ],
)
def test_what_is_refused_says_what_to_write_instead(pattern: str, instead: str | None) -> None:
    said = refusal(pattern)
    assert (instead is None) is (said is None)
    assert instead is None or (said is not None and instead in said)


@pytest.mark.parametrize(
    "pattern", ["src/**", "*.pem", ".env", "\\!a", "a\\{b", "[!a]", "a!", "\\~x", "...", "a..b/..c", "{"]
)
def test_a_sound_pattern_is_accepted(pattern: str) -> None:
    assert refusal(pattern) is None


@given(st.lists(st.sampled_from([*"{},ab[]!\\/.~*"]), max_size=16).map("".join))
def test_what_is_written_instead_of_braces_has_none(pattern: str) -> None:
    said = refusal(pattern)
    if said is not None and "has braces" in said and pattern.count("{") < 3:
        written = re.findall(r"`((?:[^`])*)`", said.partition("one pattern each: ")[2].rpartition(", or ")[0])
        assert written
        assert not any("has braces" in (refusal(one) or "") for one in written if one)


@given(st.text(max_size=40), st.text(max_size=60))
def test_any_text_is_a_pattern_or_is_refused_and_never_raises(pattern: str, path: str) -> None:
    if refusal(pattern) is None:
        compile_glob(pattern).fullmatch(path)


_SEGMENT = st.sampled_from(["a", "b", "env", "x.pem", "y.PEM", "\u017f", "\u0130", "\u212a", "k"])
_PATH = st.lists(_SEGMENT, min_size=1, max_size=4).map("/".join)
_GLOB = st.sampled_from(
    ["a/**", "*.pem", "k", "i", "s/**", "env/", "**/b", "a/*/b", "*", "?", "x.*", "[ab]", "a/b/x.pem", "**/k/*"]
)


@settings(max_examples=1000)
@given(st.lists(_GLOB, max_size=14), _PATH, st.booleans())
def test_the_index_of_a_set_changes_no_answer(globs: list[str], path: str, caseless: bool) -> None:
    each = [p for p in dict.fromkeys(globs) if GlobSet([p], ignore_case=caseless).hits(path)]
    found = GlobSet(globs, ignore_case=caseless)
    assert found.hits(path) is bool(each)
    assert found.first(path) == (each[0] if each else None)


@given(st.lists(_GLOB, min_size=1, max_size=3), _PATH, st.booleans())
def test_a_literal_segment_stands_in_every_match(globs: list[str], path: str, caseless: bool) -> None:
    literals = literal_segments(globs, ignore_case=caseless)
    if literals is not None and GlobSet(globs, ignore_case=caseless).hits(path):
        assert literals & set((folded(path) if caseless else path).split("/"))


def test_hostile_patterns_take_time_linear_in_the_path() -> None:
    # an exponential or quadratic matcher would not end within the test's time-out
    compile_glob("**/a/" * 30 + "b").fullmatch("a/" * 4000 + "c")
    compile_glob("*a" * 200 + "b").fullmatch("a" * 4000)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("anthropic/*", "anthropic/claude-opus-5", True),
        ("*GPT-4*", "openai/gpt-4o", True),
        ("openai/gpt-5", "openai/gpt-5.1", False),
        ("*", "x/y", True),
        ("a*b*c", "a/b/c", True),
        ("a*b*c", "acb", False),
        ("*b", "ab/bb", True),
    ],
)
def test_model_patterns_cross_slashes_and_ignore_case(pattern: str, name: str, *, matches: bool) -> None:
    assert name_matches(pattern, name) is matches


@pytest.mark.parametrize("more", [(), tuple(f"x{number}/**" for number in range(20))])
@pytest.mark.parametrize("pattern", ["geheim/schlu\u0308ssel.txt", "*.schlu\u0308ssel", "schlu\u0308ssel/**"])
def test_a_pattern_that_forbids_holds_in_its_composed_form_too(pattern: str, more: tuple[str, ...]) -> None:
    path = {"g": "geheim/schlüssel.txt", "*": "a/b.Schlüssel", "s": "SCHLÜSSEL/x"}[pattern[0]]
    found = GlobSet((*more, pattern), ignore_case=True)
    assert found.hits(path)
    assert found.first(path) == pattern
    assert found.first(pattern.replace("*", "x")) == pattern
    assert not GlobSet((*more, pattern)).hits(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("a ", "a"),
        ("a ", "a "),
        ("a\\  ", "a "),
        ("a**/b", "ax/y/b"),
        ("a**/b", "ab"),
        ("[a]**//b", "a/b"),
        ("a**/**/b", "a/b"),
        ("a**/b**/c**/d**/e", "ab/x/cde"),
        ("a**/b**/c**/d**/e**/f", "abcdef"),
        ("a**/", "a/x"),
        ("[!a]x", "ax"),
        ("[!A-Z]x", "QX"),
        ("[!kK]x", "kx"),
        ("??", "\u00e9"),
        ("??", "\udcc3\udca9"),
        ("[\u00e0-\u00fc-z-a]x", "ax"),
        ("[\u00e0-\u00fc-[:alpha:]]", "\udca9]"),
        ("stra\u00dfe", "STRA\u1e9eE"),
    ],
)
@pytest.mark.parametrize("more", [(), tuple(f"x{number}/**" for number in range(20))])
def test_a_pattern_that_forbids_holds_in_whatever_way_git_may_take_it(
    pattern: str, path: str, more: tuple[str, ...]
) -> None:
    assert GlobSet((*more, pattern), ignore_case=True).first(path) == pattern


def test_half_a_character_is_judged_like_any_other() -> None:
    assert GlobSet(["*?.pem"], ignore_case=True).hits("\ud800.pem")
    assert not GlobSet(["*?.pem"], ignore_case=True).hits("\ud800.txt")
