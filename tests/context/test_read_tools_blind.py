"""What a remote model is told is a function of what it may see: what it may not may be anything."""

import base64
import subprocess
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.context.looking import NOT_AVAILABLE, View
from smista_mcp.context.readtools import ReadTools
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.survey import Caps, Survey
from smista_mcp.core.floor import Sight
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.readtools import CAPS, READ_TOOLS
from smista_mcp.core.secretscan.memory import Scans

Pair = tuple[Callable[[], ReadTools], Callable[[], ReadTools]]
TOKENS = ("gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "gh" + "p_" + "Zq8kkP0sTr7Vw2xLm4Nb6Yc3Ud5Fe9Ga1Hi7")
SEEN = {
    "src/a.py": "one\ntwo\nthree\n",
    "src/deep/b.txt": "two = 2\nsecret words, and none\n",
    "README.md": "# two\n",
    ".gitignore": "target/\nbuild2/\n*.log\n",
    ".smistaignore": "drafts/\nold*\n",
}
NAMED = ("notes.txt", "src/key.py")
"""Files whose names may be seen, and whose contents may not."""


def _rows(seed: int, count: int) -> list[str]:
    body = base64.b64encode(b"".join(sha256(bytes([seed, n])).digest() for n in range(count))).decode()
    return [body[at : at + 64] for at in range(0, len(body), 64)]


def _key(rows: Sequence[str]) -> str:
    return (
        "two\n-----BEGIN RSA PRIVATE KEY-----\n" + "".join(f"{r}\n" for r in rows) + "-----END RSA PRIVATE KEY-----\n"
    )


def _world(first: bool) -> dict[str, str]:
    """What may not be seen, in one workspace and in the other."""
    rows = _rows(first, 40 if first else 90)
    mine = {
        "notes.txt": _key(rows),
        "src/key.py": f"two\ntoken = '{TOKENS[first]}'\n" + "free\n" * (9 if first else 30),
    }
    if first:
        names = (".env", "secrets/alpha.txt", "target/x.txt", "drafts/a.md", "a.log", "src/old.txt", f"{TOKENS[0]}.txt")
    else:
        names = (
            "secrets/beta/one.txt",
            "secrets/beta/two.txt",
            "src/.env",
            "build2/y.txt",
            "vault.pem",
            "old/q",
            "b.log",
        )
    return {**SEEN, **mine, **{name: f"two words of {name}\n" for name in names}}


def _changed(name: str, text: str, *, first: bool) -> str:
    if name == "notes.txt":
        rows = _rows(first, 40 if first else 90)
        return text.replace(rows[9], rows[9][::-1])
    if name == "src/a.py":
        return text + "four\n"
    return text + "more two\n" if name in (".env", "src/key.py", "secrets/beta/one.txt") else text


def _made(folder: Path, *, first: bool, in_git: bool) -> Callable[[], ReadTools]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    root = (folder / ("first" if first else "second")).resolve()
    world = _world(first)

    def write(name: str, text: str) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")

    for name, text in world.items():
        write(name, text)
    if in_git:
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
            who = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(root)]
            subprocess.run([*who, *words], check=True, capture_output=True, env=environ)
        for name, text in world.items():
            write(name, _changed(name, text, first=first))
    patterns = GlobSet((".env", "secrets/**", "*.pem"), ignore_case=True)

    def judge(forms: Sequence[str]) -> Sight | None:
        return Sight("restricted") if any(map(patterns.hits, forms)) else None

    def tools() -> ReadTools:
        view = View(True, READ_TOOLS, judge, SecretLabels(Scans()))
        return ReadTools(Survey(root, patterns, Caps(), environ), view, CAPS, lambda: 0.0)

    return tools


@pytest.fixture(scope="module", params=["git", "no git"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("alike")
    in_git = request.param == "git"
    return _made(folder, first=True, in_git=in_git), _made(folder, first=False, in_git=in_git)


NAMES = sorted({*_world(first=True), *_world(first=False)})
FOLDERS = sorted({name.rpartition("/")[0] for name in NAMES} | {"nowhere", ".git", "src/none"})
WORDS = [
    TOKENS[0],
    TOKENS[1],
    _rows(1, 40)[9],
    _rows(0, 90)[9],
    "two words of secrets/alpha.txt",
    "secret words",
    "free",
]


def _pieces(texts: Sequence[str]) -> st.SearchStrategy[str]:
    """Texts, beginnings of them, and beginnings with something else behind."""
    cut = st.sampled_from(texts).flatmap(lambda text: st.integers(1, max(1, len(text))).map(lambda n: text[:n]))
    return st.sampled_from(texts) | cut | st.tuples(cut, st.sampled_from(["x", "*", "/", "/**", "0"])).map("".join)


PATHS = _pieces([*NAMES, *filter(None, FOLDERS)]) | st.sampled_from(
    [
        ".",
        "",
        "..",
        "../x",
        "/etc/passwd",
        "~/x",
        ".git/config",
        "nothing.txt",
        "src//a.py",
        "notes.txt:3-5",
        "SECRETS/alpha.txt",
    ]
)
LINES = st.integers(1, 60)
CALLS = st.one_of(
    st.tuples(st.just("read_file"), st.fixed_dictionaries({"path": PATHS}, optional={"first_line": LINES})),
    st.tuples(st.just("list_files"), st.fixed_dictionaries({}, optional={"path": PATHS, "pattern": _pieces(NAMES)})),
    st.tuples(
        st.just("search"),
        st.fixed_dictionaries(
            {"text": _pieces(WORDS) | st.sampled_from(["two", "e", "-"])},
            optional={"path": PATHS, "pattern": _pieces(NAMES), "ignore_case": st.booleans()},
        ),
    ),
    st.tuples(st.just("git_diff"), st.fixed_dictionaries({}, optional={"path": PATHS})),
)


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(CALLS, min_size=1, max_size=8))
def test_two_workspaces_that_differ_in_what_is_kept_back_look_the_same(
    pair: Pair, calls: list[tuple[str, dict[str, object]]]
) -> None:
    first, second = pair[0](), pair[1]()
    for tool, given_ in calls:
        one, other = (tools.run(tool, given_, 10**9) for tools in (first, second))
        assert (tool, given_, one.text, one.name, one.forms) == (tool, given_, other.text, other.name, other.forms)
    assert first.exhausted == second.exhausted


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SEEN])
def test_a_name_that_is_there_in_one_is_answered_alike(pair: Pair, name: str) -> None:
    for path in (name, name.rpartition("/")[0] or name):
        for tool, more in (("read_file", {}), ("list_files", {}), ("git_diff", {}), ("search", {"text": "two"})):
            one, other = (make().run(tool, {"path": path, **more}, 10**9) for make in pair)
            assert one.text == other.text


def test_what_is_there_and_may_not_be_seen_is_as_what_is_not_there(pair: Pair) -> None:
    for path in (*NAMED, "secrets", "target", "target/x.txt", "nothing", "nothing.txt"):
        assert pair[0]().run("read_file", {"path": path}, 10**9).text == NOT_AVAILABLE
