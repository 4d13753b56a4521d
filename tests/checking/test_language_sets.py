"""The files of a language as a set of paths: the same files as `language_of` means."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smista_mcp.core.globs.search import PathSet, find_path
from smista_mcp.core.languages import BY_EXTENSION, LANGUAGES, language_of


def files_of(language: str) -> PathSet:
    return PathSet.of_extensions(extension for extension, name in BY_EXTENSION.items() if name == language)


def alone(path: str) -> PathSet:
    """That file, and what would lie below it."""
    return PathSet([re.sub(r"([\\*?\[])", r"\\\1", path)])


SEGMENTS = st.text("ab.PyRsk\u212a", min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))
EXTENSIONS = st.sampled_from(["", ".py", ".PY", ".rs", ".Rs", ".kt", ".\u212at", ".c++", ".py.rs", "."])


@given(st.lists(SEGMENTS, max_size=2), SEGMENTS, EXTENSIONS, st.sampled_from(["python", "rust", "kotlin", "cpp"]))
@example([], ".py", "", "python")
@example(["a.py"], "b", "", "python")
def test_a_file_is_in_the_set_of_its_language_alone(
    folders: list[str], name: str, extension: str, language: str
) -> None:
    path = "/".join(["x", *folders, name + extension])
    inside = find_path([files_of(language), alone(path)], [PathSet([f"{'/'.join('?*' for _ in path.split('/'))}/?*"])])
    assert inside == (path if language_of(path) == language else None)


def test_every_language_has_files_and_shares_none() -> None:
    for language in LANGUAGES:
        found = find_path([files_of(language)])
        assert found is not None
        assert language_of(found) == language
        others = [files_of(other) for other in LANGUAGES - {language}]
        assert all(find_path([files_of(language), other]) is None for other in others[:5])


@pytest.mark.parametrize("glob", ["*.rs", "*.RS", "*.rS"])
def test_an_extension_counts_in_any_case(glob: str) -> None:
    found = find_path([PathSet.of_extensions(["rs"]), PathSet([glob])])
    assert found is not None
    assert found.endswith(glob[1:])
