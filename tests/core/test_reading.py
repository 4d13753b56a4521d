"""What the reader makes of prompts: one table of prompts by intent, and the traps that keywords fall into."""

from pathlib import Path

import pytest

from smista_mcp.core.classification import Reader

READER = Reader(skills=frozenset({"deploy-check"}))

PROMPTS = [
    line.replace("\\n", "\n").split("|", 1)
    for line in (Path(__file__).parent / "prompts.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def intents(text: str) -> list[str]:
    return [phase.intent.name.value for phase in READER.read(text)]


@pytest.mark.parametrize(("expected", "prompt"), PROMPTS)
def test_a_prompt_is_read_as_the_work_that_it_asks_for(expected: str, prompt: str) -> None:
    assert intents(prompt) == expected.split(",")


def test_a_noun_is_no_verb() -> None:
    assert intents("Implement the test plan of the review team") == ["edit"]
    assert intents("based on the new documentation please update the client") == ["edit"]


def test_words_in_paths_identifiers_code_and_quotes_do_not_count() -> None:
    assert intents("Delete src/review/plan_selector.rs") == ["edit"]
    assert intents("the call to cleanupReviewPrompts() crashes") == ["edit"]
    assert intents('Change the label "Review the plan and test it" to "Done"') == ["edit"]
    assert intents("Remove the `git commit` call from the deploy script") == ["edit"]
    assert intents("Make this faster:\n```\n# TODO: write tests and document the plan\nreview()\n```") == ["edit"]
    assert intents("see https://example.com/review/test/plan.md and adopt the colors") == ["edit"]


def test_pasted_output_does_not_count() -> None:
    pasted = 'Traceback (most recent call last):\n  File "plan.py", line 3, in review\nValueError: write tests first'
    assert intents(f"It crashes on start:\n{pasted}") == ["edit"]


def test_review_may_mean_to_judge_to_read_or_to_look_for_the_cause() -> None:
    assert intents("review the error handling") == ["review"]
    assert intents("review the last commits to understand what changed") == ["analyze"]
    assert intents("review where the request is lost") == ["analyze"]


def test_check_is_analysis_judgement_or_test_by_what_follows() -> None:
    assert intents("check the disk usage of the build agents") == ["analyze"]
    assert intents("check that the translation is correct") == ["review"]
    assert intents("check that the login works") == ["test"]


def test_a_question_is_no_request_and_a_polite_request_is_no_question() -> None:
    assert intents("how would you add caching here?") == ["chat"]
    assert intents("does the parser handle comments?") == ["chat"]
    assert intents("could you add caching here?") == ["edit"]
    assert intents("can't you just inline it?") == ["refactor"]


def test_why_asks_for_the_cause_of_a_fault_and_for_the_reason_of_a_choice() -> None:
    assert intents("why does the parser crash on empty input?") == ["analyze"]
    assert intents("why do we keep two queues?") == ["chat"]


def test_acknowledgement_and_context_come_before_the_main_clause() -> None:
    prompt = "Great, that works now. Since all tests pass and the review is done, we should archive the old docs."
    assert intents(prompt) == ["document"]


def test_conditions_and_reported_states_ask_for_nothing() -> None:
    assert intents("once the tests are green, update the version number") == ["edit"]
    assert intents("the plan was reviewed yesterday, so start with the schema") == ["edit"]


def test_a_negated_verb_is_removed_and_the_rest_still_counts() -> None:
    assert intents("don't give me a plan, just implement it") == ["edit"]
    assert intents("No refactoring please, only fix the date bug") == ["edit"]
    assert intents("Never mind the docs. Do not review or test anything, explain the cache to me.") == ["chat"]


def test_a_bare_symptom_is_a_request_to_repair() -> None:
    for symptom in ("the page is blank on Safari", "sorting doesn't work any more", "now the footer is missing"):
        assert intents(symptom) == ["edit"]


def test_a_wish_is_a_request() -> None:
    assert intents("the export should contain the customer name") == ["edit"]
    assert intents("the README should mention the licence") == ["document"]
    assert intents("I would like to have a test for the empty case") == ["test"]


def test_the_object_decides_what_a_general_verb_means() -> None:
    objects = {
        "endpoint": "edit",
        "test": "test",
        "README": "document",
        "spec": "plan",
        "system prompt": "prompt",
        "changelog": "commit",
        "summary": "summarize",
    }
    for thing, intent in objects.items():
        assert intents(f"write the {thing}") == [intent]
        assert intents(f"please create a new {thing} for the billing module") == [intent]


def test_clauses_part_at_verbs_and_not_between_nouns() -> None:
    assert intents("update the docs and comments") == ["document"]
    assert intents("add a field and a column for the tax rate") == ["edit"]
    assert intents("write a script that loads the users and tests every password rule") == ["edit"]


def test_words_of_order_decide_the_order() -> None:
    assert intents("Implement the importer, but write the tests first") == ["test", "edit"]
    assert intents("update the manual first and then the code") == ["document", "edit"]
    assert intents("commit what we have, then fix the footer") == ["commit", "edit"]


def test_equal_neighbours_are_one_phase() -> None:
    (phase,) = READER.read("Add a column, then add the filter and wire it up")
    assert phase.intent.name.value == "edit"


def test_the_word_behind_a_slash_does_not_count() -> None:
    (phase,) = READER.read("/refactor-views and then try the login again")
    assert (phase.intent.name.value, phase.intent.source, phase.skill) == ("skill", "command", "refactor-views")
    assert intents("/tmp is full, delete the old archives") == ["edit"]


def test_slips_of_the_pen_in_words_that_decide_are_forgiven() -> None:
    assert intents("reafctor the scheduler") == ["refactor"]
    assert intents("summarzie the thread") == ["summarize"]
    assert intents("can yuo udpate teh readme") == ["document"]


@pytest.mark.parametrize(
    "prompt",
    [
        "認証機能を実装してテストを書いてください",
        "このcommitは何ですか?",
        "なぜテストが失敗するのか調査して",
        "testを追加して",
        "READMEを更新して、変更を提交してください",
    ],
)
def test_japanese_is_not_read_as_chinese(prompt: str) -> None:
    (phase,) = READER.read(prompt)
    assert (phase.intent.name.value, phase.intent.confidence.value) == ("chat", "low")


def test_a_sign_of_japanese_in_another_language_changes_nothing() -> None:
    assert intents("translate the label ログアウト to English in the header") == ["edit"]
    assert intents("重构这个用户登录模块の代码并且更新一下文档") == intents(
        "重构这个用户登录模块的代码并且更新一下文档"
    )


def test_a_stop_of_another_script_is_no_dot_of_a_name() -> None:
    for text in ("修复登录。update the README", "修复登录…update the README"):
        edit, document = READER.read(text)
        assert (edit.intent.name.value, document.intent.name.value) == ("edit", "document")
        assert (edit.mentions, document.mentions) == ((), ())


def test_what_needs_the_conversation_is_not_guessed() -> None:
    for prompt in ("the second one", "I think that is specific to Windows", "42"):
        (phase,) = READER.read(prompt)
        assert (phase.intent.name.value, phase.intent.source, phase.intent.confidence.value) == (
            "chat",
            "default",
            "low",
        )
        assert phase.intent.runner_up is not None


@pytest.mark.parametrize(
    "prompt",
    [
        "Dodaj przycisk wylogowania",
        "ログアウトボタンを追加して",
        "thêm nút đăng xuất",
        "הוסף כפתור יציאה",
        "로그아웃 버튼을 추가해 줘",
    ],
)
def test_a_language_without_a_table_is_not_guessed(prompt: str) -> None:
    (phase,) = READER.read(prompt)
    assert phase.intent.confidence.value == "low"


@pytest.mark.parametrize(
    ("prompt", "intent"),
    [
        ("agrega un botón para salir", "edit"),
        ("¿por qué falla la prueba de login?", "analyze"),
        ("por que o login falha?", "analyze"),
        ("perché il login non funziona?", "analyze"),
        ("escribe pruebas para el parser", "test"),
        ("actualiza la documentación", "document"),
        ("revisa mi código", "review"),
        ("adicione testes para o parser", "test"),
        ("corrija o erro na tela de login", "edit"),
        ("explique como funciona o cache", "chat"),
        ("correggi l'errore nel modulo", "edit"),
        ("scrivi i test per il parser", "test"),
        ("spiega come funziona la cache", "chat"),
        ("重构这个模块", "refactor"),
        ("写一个测试", "test"),
        ("解释一下这段代码", "chat"),
    ],
)
def test_common_requests_in_other_languages(prompt: str, intent: str) -> None:
    assert intents(prompt) == [intent]
