"""`SKILL.md`: what of its front matter is understood, what it leaves a delegate, what is said of the rest."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.context.skillfiles import SKILL_NAME
from smista_mcp.core.readtools import narrowed_grants
from smista_mcp.core.skills import BrokenSkill, SkillText, read_skill
from smista_mcp.core.values import DELEGATE_TOOLS, Grant

ALL: frozenset[str] = frozenset(DELEGATE_TOOLS)
NONE: frozenset[str] = frozenset()


def of(front: str, body: str = "Do it.\n") -> SkillText:
    return read_skill(f"---\n{front}\n---\n{body}")


def test_front_matter_and_body_are_told_apart() -> None:
    found = of('name: changelog\ndescription: "Writes it. Use when: releasing"\nlicense: MIT\nmetadata:\n  a: b')
    assert (found.name, found.description) == ("changelog", "Writes it. Use when: releasing")
    assert (found.body, found.first_line, found.tools, found.remarks) == ("Do it.\n", 8, None, ())


@pytest.mark.parametrize(
    ("text", "body", "line"),
    [
        ("Do it.\n", "Do it.\n", 1),
        ("", "", 1),
        ("\ufeff---\nname: x\n---\nA\n---\nB", "A\n---\nB", 4),
        ("---\r\nname: x\r\n---\r\nA\r\n", "A\r\n", 4),
        ("---\n---\nA", "A", 3),
        ("text\n---\nname: x\n---\n", "text\n---\nname: x\n---\n", 1),
    ],
)
def test_where_the_body_begins(text: str, body: str, line: int) -> None:
    found = read_skill(text)
    assert (found.body, found.first_line) == (body, line)


def test_front_matter_without_an_end_is_no_skill() -> None:
    with pytest.raises(BrokenSkill):
        read_skill("---\nname: x\nDo it.\n")


@pytest.mark.parametrize(
    ("front", "tools"),
    [
        ("name: x", None),
        ("allowed-tools: Read", {"read_file"}),
        ("allowed-tools: Bash(git:*) Bash(jq:*) Read", {"read_file", "git_diff"}),
        ("allowed-tools: Read, Grep, Glob", {"read_file", "search", "list_files"}),
        ("allowed-tools:\n  - Bash(git diff *)\n  - read_file", {"read_file", "git_diff"}),
        ("allowed-tools:\n- Grep\n- LS # comment", {"search", "list_files"}),
        ("allowed-tools: [Read, 'Grep']", {"read_file", "search"}),
        ('allowed-tools: "*"', ALL),
        ("allowed-tools: >-\n  Read\n  Grep", {"read_file", "search"}),
        ("allowed-tools: Read\n  Grep", {"read_file", "search"}),
        ("allowed-tools: Write WebFetch Bash(npm:*)", NONE),
        ("allowed-tools:", NONE),
        ("allowed-tools: Read(./docs/**) Glob", {"list_files"}),
        ("allowed-tools: Bash(rm -rf *)", NONE),
        ("disallowed-tools: Bash", ALL - {"git_diff"}),
        ("disallowed-tools: Read(./secrets/**)", ALL - {"read_file"}),
        ("allowed-tools: Read Grep\ndisallowed-tools: Grep", {"read_file"}),
    ],
)
def test_a_skill_leaves_the_tools_that_it_allows(front: str, tools: frozenset[str] | set[str] | None) -> None:
    found = of(front)
    assert found.tools == tools
    assert found.remarks == ()


@pytest.mark.parametrize(
    "front",
    [
        "allowed-tools: *",
        "allowed-tools: {Read: true}",
        "allowed-tools: &all Read",
        "allowed-tools: 'Read",
        "allowed-tools: [Read, [Grep]]",
        "allowed-tools: [Read",
        "allowed-tools:\n  a: Read",
        "allowed-tools:\n\t- Read",
        "allowed-tools: Read\nallowed-tools: Grep",
        '"allowed-tools": Read',
        "  name: x\n  allowed-tools: Read",
        "allowedTools: Read",
        "tools: Read",
        "disallowed-tools: 'Read",
    ],
)
def test_words_about_tools_that_are_not_understood_leave_none_and_are_said(front: str) -> None:
    found = of(front)
    assert found.tools == frozenset()
    assert len(found.remarks) == 1


def test_a_model_is_ignored_and_said_so() -> None:
    found = of("model: opus\nhooks:\n  a:\n    - b\neffort: high\nargument-hint: '[x]'")
    assert len(found.remarks) == 2
    assert "`model`" in found.remarks[0]
    assert "`hooks`, `effort`" in found.remarks[1]
    assert found.tools is None


def test_the_lines_that_are_not_understood_are_named() -> None:
    assert "line 3, 4" in of("name: x\njunk\ndescription: 'it\nlicense: MIT").remarks[0]


@given(st.text(st.sampled_from("-: \n\t#[]{}'\"|>abtoolsREad*,&"), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_skill(f"---\n{text}")
    except BrokenSkill:
        return
    assert f"---\n{text}".endswith(found.body)
    assert found.tools is None or found.tools <= ALL


@pytest.mark.parametrize(("name", "good"), [("a-b.c_1", True), ("A", True), ("-a", False), ("a b", False)])
def test_names_that_can_be_typed(name: str, good: bool) -> None:
    assert bool(re.match(SKILL_NAME, name)) is good


def test_permissions_are_only_narrowed() -> None:
    grants = {"file_read": Grant.ASK, "git": Grant.ALLOW, "shell": Grant.DENY}
    assert narrowed_grants(grants, None) == grants
    assert narrowed_grants(grants, frozenset()) == grants | {"file_read": Grant.DENY, "git": Grant.DENY}
    assert narrowed_grants(grants, frozenset({"search"})) == grants | {"git": Grant.DENY}
    assert narrowed_grants({"git": Grant.DENY}, frozenset(DELEGATE_TOOLS)) == {"git": Grant.DENY}
