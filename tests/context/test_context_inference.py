import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.context.inference import Endings, Inferred, complete, infer

FILES = (
    "README.md",
    "docs/guide/index.md",
    "src/auth/middleware.rs",
    "src/auth/session.rs",
    "src/db/token_store.py",
    "src/net/HttpClient.java",
    "src/user-service/handler.ts",
    "tests/auth/session.rs",
    "web/pages/index.md",
    "setup.py",
    ".github/workflows/ci.yml",
)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("refactor the auth middleware", "src/auth/middleware.rs", "auth middleware"),
        ("Refactor the Auth-Middleware, please", "src/auth/middleware.rs", "Auth-Middleware"),
        ("AuthMiddleware is slow", "src/auth/middleware.rs", "AuthMiddleware"),
        ("look at src auth middleware", "src/auth/middleware.rs", "src auth middleware"),
        ("speed up the token store", "src/db/token_store.py", "token store"),
        ("speed up token_store", "src/db/token_store.py", "token_store"),
        ("the http client hangs", "src/net/HttpClient.java", "http client"),
        ("the user service handler", "src/user-service/handler.ts", "user service handler"),
        ("fix the tests auth session", "tests/auth/session.rs", "tests auth session"),
        ("the ci workflows ci", ".github/workflows/ci.yml", "workflows ci"),
    ],
)
def test_words_that_are_a_folder_and_a_stem_mean_that_file(text: str, path: str, words: str) -> None:
    assert infer(text, FILES) == (Inferred(path, words),)


@pytest.mark.parametrize(
    "text",
    [
        "refactor the middleware",
        "refactor the auth",
        "the middleware of auth",
        "fix auth. Middleware comes later",
        "auth, middleware",
        "fix the auth session",
        "set up the project",
        "read the readme",
        "the index",
        "",
    ],
)
def test_words_that_are_too_few_or_mean_several_files_mean_none(text: str) -> None:
    assert infer(text, FILES) == ()


def test_several_files_come_in_the_order_of_the_words() -> None:
    found = infer("move the token store behind the auth middleware", FILES)
    assert [one.path for one in found] == ["src/db/token_store.py", "src/auth/middleware.rs"]


def test_the_longest_run_of_words_counts() -> None:
    files = ("a/token_store.py", "b/token_store.py", "b/store.py")
    assert infer("the token store", files) == ()
    assert infer("the b token store", files) == (Inferred("b/token_store.py", "b token store"),)


_ENDINGS = Endings(FILES)


def test_a_name_is_completed_only_if_one_file_ends_with_it() -> None:
    assert complete("middleware.rs", _ENDINGS) == "src/auth/middleware.rs"
    assert complete("auth/middleware.rs", _ENDINGS) == "src/auth/middleware.rs"
    assert complete("session.rs", _ENDINGS) is None
    assert complete("ware.rs", _ENDINGS) is None
    assert complete("README.md", _ENDINGS) is None


_WORDS = st.sampled_from(["auth", "middleware", "session", "Token", "Store", "x", ",", "src", "\n\n", "ß"])


@given(st.lists(_WORDS).map(" ".join), st.permutations(FILES))
def test_the_order_of_the_files_does_not_matter(text: str, files: list[str]) -> None:
    found = infer(text, files)
    assert found == infer(text, FILES)
    assert all(one.words in text for one in found)
