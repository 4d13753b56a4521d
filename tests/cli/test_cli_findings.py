"""How findings of `policy check` are printed."""

from pathlib import Path

import pytest
from command_line import Here

LARGE = """\
[[routing.rules]]
name = "stays"
languages = ["rust"]
local_only = true
model = "ollama/a"
[[routing.rules]]
name = "goes"
priority = 5
skill = ["go", "on"]
min_paths = 3
min_context_tokens = 60000
model = "anthropic/claude-opus"
[routing.default]
model = "ollama/a"
"""


def test_a_task_that_is_shown_can_be_pasted_into_a_test(here: Here, home: Path) -> None:
    own = home / "config.toml"
    own.write_text(LARGE, encoding="utf-8")
    told = here("policy", "check")
    assert "warning local_only_overlap" in told.out
    (line,) = [line.strip() for line in told.out.splitlines() if line.strip().startswith("task = ")]
    test = f'[[test]]\nname = "shown"\n{line}\nexpect = {{ rule = "goes", code = "restricted_content" }}\n'
    own.write_text(f"{LARGE}{test}", encoding="utf-8")
    assert here("policy", "test").status == 0


def test_a_program_gets_only_what_the_task_says(here: Here, home: Path) -> None:
    (home / "config.toml").write_text(LARGE, encoding="utf-8")
    (finding,) = here("policy", "check", "--json").json["findings"]
    assert finding["witness"] == {
        "text": "so",
        "intent": "chat",
        "skill": "go",
        "paths": ["a.rs", "a2.rs", "a3.rs"],
        "context_tokens": 59_999,
    }


def test_findings_become_annotations_of_github(here: Here, tmp_path: Path) -> None:
    odd = tmp_path / "a,b:100%.toml"
    odd.write_text(LARGE.replace("languages", 'languages = ["nonesuch"]\nlanguages_ = 1\n#'), encoding="utf-8")
    told = here("policy", "check", "--user", str(odd), "--format", "github")
    place = str(odd).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    first, *_, count = told.out.splitlines()
    assert first.startswith(f"::error file={place},line=4,title=unknown_key::")
    assert "%0A" in first
    assert (told.status, count) == (1, "1 error")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('[[routing.rules]]\nname = "100% of it"\nlanguages = ["nonesuch"]\nmodel = "ollama/a"\n', "::warning "),
        (
            "".join(f'[[routing.rules]]\nname = "100% {n}"\npaths = ["{n}/**"]\nmodel = "ollama/{n}"\n' for n in "ab"),
            "::notice ",
        ),
    ],
)
def test_each_severity_has_its_annotation_and_no_text_ends_it(text: str, command: str, here: Here, home: Path) -> None:
    (home / "config.toml").write_text(f'{text}[routing.default]\nmodel = "ollama/x"\n', encoding="utf-8")
    told = here("policy", "check", "--format", "github")
    (line,) = [line for line in told.out.splitlines() if line.startswith("::")]
    assert line.startswith(command)
    assert "100%25 " in line
    assert told.status == 0


def test_what_is_missing_hangs_at_the_top_of_the_own_file(here: Here, home: Path) -> None:
    (home / "config.toml").write_text("# nothing\n[privacy]\n", encoding="utf-8")
    told = here("policy", "check", "--format", "github")
    assert told.out.startswith(f"::error file={home / 'config.toml'},line=1,title=default_missing::")


def test_a_finding_about_no_file_has_no_place(here: Here) -> None:
    told = here("policy", "check", "--preset", "nonesuch", "--format", "github")
    assert told.out.startswith("::error title=invalid_enum::")


def test_people_and_programs_cannot_be_answered_at_once(here: Here) -> None:
    assert here("policy", "check", "--json", "--format", "github").status == 2
    assert here("policy", "check", "--format", "xml").status == 2
    assert here("policy", "check", "--format", "text").status == here("policy", "check").status


@pytest.mark.parametrize("flag", ["--user", "--org"])
def test_a_named_file_whose_preset_is_none_is_told_so_on_its_line(here: Here, tmp_path: Path, flag: str) -> None:
    file = tmp_path / "named.toml"
    file.write_text(f'# a comment\npreset = "balancd"\n{LARGE}', encoding="utf-8")
    told = here("policy", "check", flag, str(file), "--json")
    found = {(one["code"], one["at"], one["line"]): one["fix"] for one in told.json["findings"]}
    assert "`balanced`" in found["invalid_enum", "preset", 2]
    assert told.status == 1
