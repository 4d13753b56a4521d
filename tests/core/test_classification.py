"""Phases: their order, words, paths, skills; the user's own rules; and the laws that hold for any text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.core.classification import Reader
from smista_mcp.core.policy import ClassificationRule
from smista_mcp.core.reading.prompt import LONGEST_READ
from smista_mcp.core.task import Phase
from smista_mcp.core.values import Confidence, ContextKind, Intent

READER = Reader(skills=frozenset({"changelog", "deploy-check"}))


def names(phases: tuple[Phase, ...]) -> list[str]:
    return [phase.intent.name.value for phase in phases]


def rule(intent: str, *keywords: str, priority: int = 1000, context: tuple[str, ...] = ()) -> ClassificationRule:
    return ClassificationRule.model_validate(
        {"intent": intent, "keywords": list(keywords), "priority": priority, "requires_any_context": list(context)}
    )


# ------------------------------------------------------------------------------------------------- whole examples


def test_a_mixed_task_becomes_ordered_phases_with_their_own_words_paths_and_skill() -> None:
    text = "Plan the new login flow, implement it in src/auth/login.rs with tests, review src/auth, then the changelog"
    phases = READER.read(text)
    assert names(phases) == ["plan", "edit", "test", "review", "commit"]
    assert [phase.text for phase in phases] == [
        "Plan the new login flow",
        "implement it in src/auth/login.rs with tests",
        "implement it in src/auth/login.rs with tests",
        "review src/auth",
        "the changelog",
    ]
    login = ("src/auth/login.rs",)
    assert [phase.mentions for phase in phases] == [(), login, login, ("src/auth",), ()]
    assert [phase.skill for phase in phases] == [None, None, None, None, "changelog"]
    assert [phase.depends_on for phase in phases] == [(), (0,), (1,), (2,), (3,)]


def test_with_tests_is_a_phase_of_its_own_on_the_same_files() -> None:
    edit, test = READER.read("implement it in src/auth/login.rs with tests")
    assert (edit.intent.name, test.intent.name) == (Intent.EDIT, Intent.TEST)
    assert edit.mentions == test.mentions == ("src/auth/login.rs",)


def test_a_whole_program_is_planned_first_and_the_plan_is_marked_as_implied() -> None:
    text = "Build me a simple expense tracker with authentication, add tests, and write a README"
    phases = READER.read(text)
    assert names(phases) == ["plan", "edit", "test", "document"]
    assert [phase.implied for phase in phases] == [True, False, False, False]
    assert phases[0].intent.source == "implied"
    assert phases[0].intent.evidence == ("Build", "tracker")


def test_a_plan_that_is_asked_for_is_not_implied_once_more() -> None:
    phases = READER.read("Plan and build a booking app with payments, then write tests")
    assert names(phases) == ["plan", "edit", "test"]
    assert not any(phase.implied for phase in phases)


def test_small_things_are_not_planned() -> None:
    for text in ("Create a script that counts lines", "Add a button and tests", "Write a program that prints primes"):
        assert not any(phase.implied for phase in READER.read(text))


def test_a_chain_of_short_requests_is_split_in_order() -> None:
    phases = READER.read("plan this, implement it, add tests and write docs")
    assert names(phases) == ["plan", "edit", "test", "document"]
    assert [phase.depends_on for phase in phases] == [(), (0,), (1,), (2,)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fix the off-by-one in the pagination cursor", "edit"),
        ("What does the retry backoff in client.py do?", "chat"),
        ("Why is the checkout test flaky on CI?", "analyze"),
        ("Summarise this 400-line changelog", "summarize"),
        ("Write the release notes for v2.3 from the git log", "commit"),
        ("Bump lodash to 4.17.21 and update the lockfile", "edit"),
        ("Review my staged changes for concurrency bugs, do not edit anything", "review"),
        ("Don't write tests, just plan the migration", "plan"),
        ("Rename getUser to fetchUser across the repo", "format"),
        ("Add docstrings to utils.py", "document"),
        ("Improve error handling in the payment client and make sure nothing breaks", "edit"),
        ("Generate a commit message for the staged diff", "commit"),
        ("The docker build fails with exit code 137", "edit"),
        ("Translate the README to Italian", "document"),
        ("Create a Dockerfile for the API and lint it", "edit format"),
        ("Design, implement, test, document, review, format", "plan edit test document review format"),
        ("Rifattorizza il modulo di autenticazione e scrivi i test", "refactor test"),
        ("Check the latest information about the platform", "analyze"),
    ],
)
def test_prompts_that_keyword_matching_gets_wrong(text: str, expected: str) -> None:
    assert names(READER.read(text)) == expected.split()


# -------------------------------------------------------------------------------------------------- what is known


def test_evidence_is_what_was_typed() -> None:
    (phase,) = READER.read("PLEASE Update the ReadMe")
    assert phase.intent.evidence == ("Update", "ReadMe")
    (phase,) = READER.read("don’t worry – „Refactor“ is only a label; document the API…")
    assert phase.intent.evidence == ("document",)


def test_a_clear_request_is_sure_and_a_symptom_is_not() -> None:
    assert READER.read("refactor the parser")[0].intent.confidence is Confidence.HIGH
    symptom = READER.read("the parser is broken")[0].intent
    assert (symptom.confidence, symptom.runner_up) == (Confidence.MEDIUM, Intent.ANALYZE)


def test_nothing_recognised_is_chat_of_low_confidence_with_a_runner_up() -> None:
    for text in ("", "   ", "the blue one", "...", "```\nfix it\n```"):
        (phase,) = READER.read(text)
        reading = phase.intent
        assert (reading.name, reading.source, reading.confidence) == (Intent.CHAT, "default", Confidence.LOW)
        assert reading.runner_up is Intent.EDIT


def test_a_declared_intent_is_one_phase_with_all_words() -> None:
    text = "Plan it, implement it in src/a.py without touching .env, then write the changelog"
    (phase,) = READER.read(text, intent=Intent.REVIEW)
    assert (phase.intent.name, phase.intent.source, phase.intent.confidence) == ("review", "declared", "high")
    assert (phase.text, phase.mentions, phase.avoided) == (text, ("src/a.py",), (".env",))
    assert phase.skill == "changelog"


# ---------------------------------------------------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("fix @src/app.ts and @lib", ("src/app.ts", "lib")),
        ("update README.md:3-9, README.md#L3-L9 and main.py:12", ("README.md:3-9", "README.md#L3-L9", "main.py:12")),
        ("see [the guide](docs/guide.md#setup), then fix it", ("docs/guide.md",)),
        ("fix file:///home/me/x.py now", ("file:///home/me/x.py",)),
        ("fix `src/a.py` and “src/b.py”.", ("src/a.py", "src/b.py")),
        (
            "edit src\\common\\env.ts, ./run.sh, ../up/x.c and ~/notes.txt",
            ("src\\common\\env.ts", "./run.sh", "../up/x.c", "~/notes.txt"),
        ),
        ("change app/(auth)/[id]/page.tsx and .gitignore", ("app/(auth)/[id]/page.tsx", ".gitignore")),
        ("修复weather.py的错误", ("weather.py",)),
        ("compare https://example.com/a/b.md and http://x.org/c.py", ()),
        ("use Node.js and/or TCP/IP v2.3 e.g. for I/O, see example.com", ()),
        ("fix it:\n```python\nopen('data/input.csv')\n```", ()),
        ('It fails:\nTraceback (most recent call last):\n  File "src/a.py", line 3\n', ()),
    ],
)
def test_mentions_are_the_paths_in_the_words(text: str, mentions: tuple[str, ...]) -> None:
    assert READER.read(text)[0].mentions == mentions


@pytest.mark.parametrize(
    ("text", "avoided", "mentions"),
    [
        ("Fix the login bug, don't touch .env", (".env",), ()),
        ("Refactor src/a.py but leave src/b.py alone", ("src/b.py",), ("src/a.py",)),
        ("Explain src/a.py except src/a_old.py", ("src/a_old.py",), ("src/a.py",)),
        ("edit just src/env.ts, not the .env file", (".env",), ("src/env.ts",)),
        ("fix it without changing lib/core.py", ("lib/core.py",), ()),
        ("Review src/a.py, do not edit src/a.py", (), ("src/a.py",)),
        ("why does src/a.py not load conf/b.toml?", (), ("src/a.py", "conf/b.toml")),
        ("don't forget to update docs/api.md", (), ("docs/api.md",)),
    ],
)
def test_forbidden_paths_are_avoided_and_change_no_intent(
    text: str, avoided: tuple[str, ...], mentions: tuple[str, ...]
) -> None:
    phase = READER.read(text)[0]
    assert (phase.avoided, phase.mentions) == (avoided, mentions)


def test_a_prohibition_holds_for_all_phases() -> None:
    phases = READER.read("Plan the export, then implement it. Never touch config/prod.yml.")
    assert names(phases) == ["plan", "edit"]
    assert all(phase.avoided == ("config/prod.yml",) for phase in phases)


def test_it_means_what_the_phase_before_named() -> None:
    edit, document = READER.read("Add a retry to src/client.py and then document it")
    assert edit.mentions == document.mentions == ("src/client.py",)


# --------------------------------------------------------------------------------------------------------- skills


def test_a_command_runs_the_skill_that_it_names() -> None:
    for text in ("/deploy-check now", "$deploy-check now", "  /Deploy-check".lower()):
        (phase,) = READER.read(text)
        assert (phase.intent.name, phase.intent.source, phase.skill) == ("skill", "command", "deploy-check")
    assert READER.read("/unknown:thing run")[0].skill == "unknown:thing"
    assert READER.read("/deploy-check of src/a.py")[0].mentions == ("src/a.py",)


def test_a_skill_is_named_in_words() -> None:
    for text in ("use the deploy-check skill", "run skill deploy-check", "run deploy-check"):
        (phase,) = READER.read(text)
        assert (phase.intent.name, phase.skill) == ("skill", "deploy-check")
    assert READER.read("run the tidy skill")[0].skill == "tidy"
    assert READER.read("create a skill that reviews code")[0].skill is None


@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("use the deploy-check skill, then commit", [("skill", "deploy-check"), ("commit", None)]),
        ("use deploy-check and fix the parser", [("skill", "deploy-check"), ("edit", None)]),
        ("fix the parser, then use deploy-check", [("edit", None), ("skill", "deploy-check")]),
        ("review src/a.py with the deploy-check skill", [("review", "deploy-check")]),
        ("fix the bug using our deploy-check skill", [("edit", "deploy-check")]),
        ("fix the bug with $deploy-check", [("edit", "deploy-check")]),
        ("could you use deploy-check?", [("skill", "deploy-check")]),
        ("review the deploy-check skill", [("review", None)]),
        ("do not use the deploy-check skill", [("edit", None)]),
        ("fix it, but do not use the deploy-check skill", [("edit", None)]),
        ("do we use deploy-check here?", [("chat", None)]),
        ("what does the deploy-check skill do?", [("chat", None)]),
        ("use the yaml parser, then commit", [("commit", None)]),
    ],
)
def test_a_skill_is_run_where_it_is_used_and_not_where_it_is_spoken_of(
    text: str, phases: list[tuple[str, str | None]]
) -> None:
    assert [(phase.intent.name, phase.skill) for phase in READER.read(text)] == phases


def test_a_given_skill_belongs_to_the_phases_that_name_it_else_to_all() -> None:
    phases = READER.read("Fix the footer, then the changelog", skill="changelog")
    assert [phase.skill for phase in phases] == [None, "changelog"]
    phases = READER.read("Fix the footer and add tests", skill="house-style")
    assert [phase.skill for phase in phases] == ["house-style", "house-style"]
    (phase,) = READER.read("version 2.3", skill="changelog")
    assert (phase.intent.name, phase.intent.source, phase.skill) == ("skill", "declared", "changelog")


# ----------------------------------------------------------------------------------------------------- user rules


def test_a_users_rule_comes_before_the_reader_and_names_itself() -> None:
    reader = Reader(rules=(rule("plan", "unrelated"), rule("review", "security")))
    (phase,) = reader.read("Fix the security of the login form")
    assert (phase.intent.name, phase.intent.source, phase.intent.evidence) == ("review", "rule:2", ("security",))
    assert (phase.intent.confidence, phase.intent.runner_up) == ("high", "edit")


def test_lower_priority_is_tried_first_then_the_order_of_writing() -> None:
    late, early = rule("chat", "login", priority=20), rule("plan", "form", priority=10)
    assert Reader(rules=(late, early)).read("fix the login form")[0].intent.source == "rule:2"
    first, second = rule("chat", "form"), rule("plan", "login")
    assert Reader(rules=(first, second)).read("fix the login form")[0].intent.source == "rule:1"


@pytest.mark.parametrize("word", ["review", "Reviews", "reviewed", "REVIEWING"])
def test_inflections_of_a_keyword_match(word: str) -> None:
    assert Reader(rules=(rule("review", "review"),)).read(f"start {word} now")[0].intent.source == "rule:1"


@pytest.mark.parametrize(
    ("keyword", "text", "matches"),
    [
        ("debug", "we were debugging it", True),
        ("copy", "it copied the file", True),
        ("code review", "do two code reviews of it", True),
        ("code review", "review the code", False),
        ("view", "review it", False),
        ("test", "a contest", False),
        ("plan", "fix src/plan/plan.py", False),
        ("plan", "fix the `plan` label", False),
        ("plan", "Don't plan, fix the label", False),
        ("C++", "port it to C++", True),
        ("评测", "创建评测计划", True),
    ],
)
def test_keywords_are_whole_words_and_phrases_of_what_is_asked(keyword: str, text: str, matches: bool) -> None:
    phases = Reader(rules=(rule("prompt", keyword),)).read(text)
    assert any(phase.intent.source == "rule:1" for phase in phases) is matches


def test_context_and_keyword_must_both_hold_and_any_of_each_suffices() -> None:
    reader = Reader(rules=(rule("review", "look", "inspect", context=("git_diff", "pull_request")),))
    text = "look at the colors"
    assert reader.read(text)[0].intent.source == "reader"
    assert reader.read(text, kinds=frozenset({ContextKind.ATTACHMENT}))[0].intent.source == "reader"
    assert reader.read(text, kinds=frozenset({ContextKind.PULL_REQUEST}))[0].intent.source == "rule:1"
    assert reader.read("describe it", kinds=frozenset({ContextKind.GIT_DIFF}))[0].intent.source == "reader"


def test_a_rule_without_keywords_reads_everything_of_its_context() -> None:
    reader = Reader(rules=(rule("review", context=("git_diff",)),))
    (phase,) = reader.read("plan it and implement it", kinds=frozenset({ContextKind.GIT_DIFF}))
    assert (phase.intent.name, phase.text) == ("review", "plan it and implement it")


def test_a_rule_reads_only_the_phases_whose_words_meet_it() -> None:
    reader = Reader(rules=(rule("analyze", "audit"),))
    phases = reader.read("Plan the export, audit the importer, then write docs")
    assert names(phases) == ["plan", "analyze", "document"]
    assert [phase.intent.source for phase in phases] == ["reader", "rule:1", "reader"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Fix the footer and fix the security of the form",
            [("edit", "Fix the footer"), ("review", "fix the security of the form")],
        ),
        (
            "add a flag, mend the security check, then add a metric",
            [("edit", "add a flag"), ("review", "mend the security check"), ("edit", "add a metric")],
        ),
        (
            "add a flag, mend the security check, add a metric",
            [("edit", "add a flag add a metric"), ("review", "mend the security check")],
        ),
        (
            "Add the export. It should handle the security header.",
            [("review", "Add the export. It should handle the security header.")],
        ),
    ],
)
def test_a_rule_takes_no_neighbour_along_that_the_reader_united_with_its_phase(
    text: str, expected: list[tuple[str, str]]
) -> None:
    phases = Reader(rules=(rule("review", "security"),)).read(text)
    assert [(phase.intent.name, phase.text) for phase in phases] == expected
    (ruled,) = [phase for phase in phases if phase.intent.source == "rule:1"]
    assert (ruled.intent.name, ruled.intent.evidence) == ("review", ("security",))


def test_a_rule_of_the_same_intent_keeps_its_phase_whole() -> None:
    (phase,) = Reader(rules=(rule("edit", "publish"),)).read("fix the parser, then publish the package")
    assert (phase.intent.name, phase.intent.source) == ("edit", "rule:1")


def test_declared_intents_and_commands_stand_above_rules() -> None:
    reader = Reader(rules=(rule("plan", "now"),))
    assert reader.read("fix it now", intent=Intent.EDIT)[0].intent.source == "declared"
    assert reader.read("/lint now")[0].intent.source == "command"


# ----------------------------------------------------------------------------------------------------- long texts


def test_of_a_long_text_both_ends_are_read_and_paths_are_noted_everywhere() -> None:
    filler = "The quick brown fox is not a part of this. " * (LONGEST_READ // 20)
    text = f"Refactor the parser. {filler} see src/deep/inside.py {filler} And then write tests."
    phases = READER.read(text)
    assert names(phases) == ["refactor", "test"]
    assert all("src/deep/inside.py" in phase.mentions for phase in phases)
    assert all(phase.intent.confidence is not Confidence.HIGH for phase in phases)
    assert phases[0].text.startswith("Refactor the parser.")
    assert phases[-1].text.endswith("write tests.")


OUTPUT = 'Traceback (most recent call last):\n  File "plan.py", line 3, in review\nValueError: write tests first'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"find the cause of this:\n{OUTPUT}\nthen add tests", 0),
        (f"find the cause of this:\n```\nadd tests\n{OUTPUT}\n```\nthen add tests", 0),
        (f"find the cause and add tests.\n{OUTPUT}\n", 1),
        (f"{OUTPUT}\nfind the cause. Then add tests.", 0),
    ],
)
def test_pasted_output_stays_with_the_phase_that_it_was_pasted_for(text: str, place: int) -> None:
    phases = READER.read(text)
    assert names(phases) == ["analyze", "test"]
    assert [OUTPUT in phase.text for phase in phases] == [index == place for index in range(2)]


def test_code_in_a_long_text_names_no_path_and_asks_for_nothing() -> None:
    code = "open('data/secret.csv')  # write tests\n" * LONGEST_READ
    (phase,) = READER.read(f"Explain this:\n```\n{code}```\nThanks")
    assert (phase.intent.name, phase.mentions) == ("chat", ())


# ----------------------------------------------------------------------------------------------------------- laws

FRAGMENTS = st.sampled_from(
    "plan|implement it|add tests|review|src/a.py|.env|don't|and|then|, |. |? |\n- |```|`|\"|'|(|)|[|](|/x|$y|@z|1. |if"
    "|why|please|no|try to|i think|修复|测试，|it|first|the|skill|with|commit|://|...|\t|\r\n|é|Ω|🚀|İ|run the"
    "|except".split("|")
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.lists(FRAGMENTS, max_size=60).map(" ".join),
    st.lists(FRAGMENTS, max_size=60).map("".join),
)


@settings(max_examples=300)
@given(text=TEXTS, skill=st.none() | st.just("changelog"), ruled=st.booleans())
def test_any_text_gives_ordered_phases_twice_the_same(text: str, skill: str | None, ruled: bool) -> None:
    reader = Reader(rules=(rule("review", "plan"), rule("skill", "测试")) if ruled else (), skills=READER.skills)
    phases = reader.read(text, skill=skill)
    assert phases == reader.read(text, skill=skill)
    assert [phase.index for phase in phases] == list(range(len(phases)))
    assert phases
    for phase in phases:
        assert all(earlier < phase.index for earlier in phase.depends_on)
        assert all(path in text for path in (*phase.mentions, *phase.avoided))
        assert not set(phase.mentions) & set(phase.avoided)
        assert all(word in text for word in phase.intent.evidence)
        assert phase.intent.confidence is Confidence.HIGH or phase.intent.runner_up is not None or phase.text == ""


REPEATED = (
    "no |try to |i think |and |please |(|[|`|```|'|\"|/(|and fix |to find and |\n|\n- |a/|..|http://"
    "|then test then plan |测试|@|if |that and add |, not |’|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|../|:|-|[a]("
    "|[a](b)|skill |it "
)


@pytest.mark.parametrize("piece", REPEATED.split("|"))
def test_huge_repeats_are_read(piece: str) -> None:
    for size in (2_000, 20_000):
        phases = READER.read(piece * (size // len(piece)))
        assert 1 <= len(phases) <= 30
