"""Routing rules at random, over few patterns, languages and thresholds, so that they often meet."""

from collections.abc import Sequence

from hypothesis import strategies as st

GLOBS = ("src/**", "*.py", "src/a.py", "src/[a-c]*", "a/./b")
LANGUAGES = {"python": ["py", "pyi", "pyw", "ipynb"], "rust": ["rs"]}
MOST_PATHS = 2
"""The largest `min_paths`."""


def lines(values: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


@st.composite
def rule_texts(draw: st.DrawFn) -> str:
    """A rule without its name."""
    said = [f'model = "{draw(st.sampled_from(["ollama/a", "anthropic/claude-opus"]))}"']
    said.append(f"priority = {draw(st.sampled_from([5, 1000]))}")
    if draw(st.booleans()):
        intents = draw(st.lists(st.sampled_from(["edit", "test"]), min_size=1, max_size=2, unique=True))
        said.append(f"intent = {lines(intents)}")
    if draw(st.integers(0, 3)) == 0:
        said.append('skill = "s"')
    if draw(st.booleans()):
        said.append(f"paths = {lines(draw(st.lists(st.sampled_from(GLOBS), min_size=1, max_size=2, unique=True)))}")
    if draw(st.integers(0, 2)) == 0:
        languages = st.sampled_from([*LANGUAGES, "nonesuch"])
        said.append(f"languages = {lines(draw(st.lists(languages, min_size=1, max_size=2, unique=True)))}")
    if draw(st.integers(0, 3)) == 0:
        said.append(f"min_paths = {draw(st.integers(1, MOST_PATHS))}")
    if draw(st.integers(0, 4)) == 0:
        said.append("min_context_tokens = 50")
    if draw(st.integers(0, 4)) == 0:
        said.append("local_only = true")
    return "\n".join(said)
