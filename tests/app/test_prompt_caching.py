"""What later requests begin with is kept by the provider where that pays, and is paid as such."""

import json
from decimal import Decimal
from typing import NamedTuple

import pytest
from caching_server import CachingServer, Said, serving
from workbench import ALLOWED, Bench, default, done, only, reports

from smista_mcp.app import App
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.explained import AttemptReport
from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent

pytestmark = pytest.mark.anyio

MILLION = Decimal(1_000_000)
SPEC = "".join(f"Rule {number}: a parser never guesses, it asks.\n" for number in range(300))
NO_TOOLS = '[tools.permissions]\nfile_read = "deny"\n'
OFF = "prompt_caching = false\n"


class Vendor(NamedTuple):
    """A provider with the prices of one of its models: plain input, written, read, output; USD a million tokens."""

    name: str
    model: str
    variable: str
    prices: tuple[str, str, str, str]

    def policy(self, server: CachingServer, more: str = "", *, extra: str = NO_TOOLS) -> str:
        provider = f'[providers.{self.name}]\nbase_url = "{server.url}"\n{more}'
        return ALLOWED + default(f"{self.name}/{self.model}") + provider + extra

    def app(self, bench: Bench, server: CachingServer, more: str = "", *, extra: str = NO_TOOLS) -> App:
        return bench.app(self.policy(server, more, extra=extra), **{self.variable: "vendor-key"})


CLAUDE = Vendor("anthropic", "claude-opus-5", "ANTHROPIC_API_KEY", ("5", "6.25", "0.5", "25"))
GPT = Vendor("openai", "gpt-5.6-sol", "OPENAI_API_KEY", ("4", "5", "0.4", "20"))
vendors = pytest.mark.parametrize("vendor", [CLAUDE, GPT], ids=lambda vendor: vendor.name)


def bill(vendor: Vendor, used: dict[str, int]) -> Decimal:
    """What a request costs by the vendor's price list, from what its server says that it used."""
    given, written, read, output = map(Decimal, vendor.prices)
    if vendor.name == "anthropic":
        kept, found = used["cache_creation_input_tokens"], used["cache_read_input_tokens"]
        fresh = used["input_tokens"]
    else:
        kept, found = used["cache_write_tokens"], used["cached_tokens"]
        fresh = used["input_tokens"] - kept - found
    return (fresh * given + kept * written + found * read + used["output_tokens"] * output) / MILLION


async def conversation(
    app: App, turns: int, text: str = "What does @docs/spec.md say in part {}?"
) -> list[DispatchAnswer]:
    answers: list[DispatchAnswer] = []
    async with app.running():
        for number in range(turns):
            session = answers[0].session if answers else "new"
            answers.append(await app.dispatch(Task(text=text.format(number), session=session)))
    return answers


def total(answers: list[DispatchAnswer]) -> Decimal:
    assert all(answer.status == "completed" for answer in answers)
    return sum((Decimal(only(answer).cost or "x") for answer in answers), Decimal(0))


def attempts(app: App, answers: list[DispatchAnswer]) -> list[AttemptReport]:
    return [report for answer in answers for report in reports(app, answer)]


@vendors
async def test_a_session_pays_for_what_stays_once(vendor: Vendor, bench: Bench) -> None:
    bench.write("docs/spec.md", SPEC)
    async with serving() as kept:
        app = vendor.app(bench, kept)
        with_cache = await conversation(app, 5)
        receipts = [one.receipt for one in attempts(app, with_cache)]
        usages = [only(answer).usage for answer in with_cache]
    async with serving() as plain:
        without = await conversation(vendor.app(bench, plain, OFF, extra=NO_TOOLS), 5)
    for answers, server in ((with_cache, kept), (without, plain)):
        costs = [Decimal(one.cost or "x") for one in attempts(app, answers)]
        assert costs == [bill(vendor, used) for used in server.billed]
    assert total(with_cache) < Decimal("0.70") * total(without)
    read = [usage.cached_input_tokens or 0 for usage in usages]
    written = [usage.cache_write_tokens or 0 for usage in usages]
    assert read[:2] == [0, 0]  # that a file comes again is seen when it does
    assert all(found > 3 * (usage.input_tokens or 0) / 4 for found, usage in zip(read[2:], usages[2:], strict=True))
    assert (written[0], written[1] > 3000) == (0, True)
    assert 0 < written[4] < 300  # the one turn that is new
    assert [receipt.cache for receipt in receipts if receipt][1:] == ["asked"] * 4


@vendors
async def test_what_a_session_says_of_a_cache_tells_nothing(vendor: Vendor, bench: Bench) -> None:
    bench.write("docs/spec.md", SPEC)
    async with serving() as server:
        app = vendor.app(bench, server)
        answers = await conversation(app, 3)
    keys = {body.get("prompt_cache_key") for body in server.bodies[1:]}
    assert len(keys) == 1
    (key,) = keys
    assert (key is None) == (vendor is CLAUDE)
    for report in attempts(app, answers)[1:]:
        assert report.receipt is not None
        assert report.receipt.cache_key == key
    assert key is None or key not in (answers[0].session, answers[0].trace_id)
    assert f"{answers[0].session}" not in json.dumps(server.bodies)


@vendors
async def test_a_request_that_nothing_follows_writes_nothing(vendor: Vendor, bench: Bench) -> None:
    bench.write("docs/spec.md", SPEC)
    async with serving() as server:
        app = vendor.app(bench, server)
        answer = await done(app, Task(text="What does @docs/spec.md say?"))
        (report,) = reports(app, answer)
    assert only(answer).usage.cache_write_tokens == 0
    assert report.receipt is not None
    assert report.receipt.cache == (None if vendor is CLAUDE else "declined")
    if vendor is CLAUDE:
        assert "cache_control" not in json.dumps(server.bodies)


@vendors
async def test_who_turns_caching_off_sends_no_field_of_it(vendor: Vendor, bench: Bench) -> None:
    bench.write("docs/spec.md", SPEC)
    async with serving() as server:
        app = vendor.app(bench, server, OFF)
        answers = await conversation(app, 3)
    assert "cache" not in json.dumps(server.bodies)
    assert {report.receipt.cache for report in attempts(app, answers) if report.receipt} == {None}


async def test_what_is_too_short_to_be_kept_is_not_marked(bench: Bench) -> None:
    async with serving(Said("Yes.")) as server:
        await conversation(CLAUDE.app(bench, server), 3, "Is {} even?")
    assert "cache_control" not in json.dumps(server.bodies)


async def test_another_model_does_not_find_what_this_one_keeps(bench: Bench) -> None:
    bench.write("docs/spec.md", SPEC)
    async with serving() as server:
        app = CLAUDE.app(bench, server)
        session: str | None = "new"
        async with app.running():
            for model in ("claude-opus-5", "claude-opus-5", "claude-opus-4-8"):
                task = Task(text="What does @docs/spec.md say?", session=session, model=f"anthropic/{model}")
                session = (await app.dispatch(task)).session
    assert ["cache_control" in json.dumps(body) for body in server.bodies] == [False, True, False]


async def test_other_work_in_the_same_session_begins_differently_and_is_not_kept(bench: Bench) -> None:
    bench.write("docs/spec.md", SPEC)
    async with serving() as server:
        app = CLAUDE.app(bench, server)
        session: str | None = "new"
        async with app.running():
            for intent in (Intent.CHAT, Intent.PLAN, Intent.CHAT, Intent.PLAN):
                task = Task(text="@docs/spec.md: what is to be done?", intent=intent, session=session)
                session = (await app.dispatch(task)).session
    assert ["cache_control" in json.dumps(body) for body in server.bodies] == [False, False, True, True]


ROUNDS = [*(Said(reads=f"src/part{number}.py") for number in range(4)), Said("Nothing to mend.")]


@vendors
async def test_the_rounds_of_a_model_pay_for_what_they_repeat_once(vendor: Vendor, bench: Bench) -> None:
    for number in range(4):
        bench.write(f"src/part{number}.py", "".join(f"def rule_{n}(): return {n}\n" for n in range(200)))
    task = Task(text="review how the rules of src are made")
    async with serving(*ROUNDS) as kept:
        answer = await done(vendor.app(bench, kept, extra=""), task)
    async with serving(*ROUNDS) as plain:
        without = await done(vendor.app(bench, plain, OFF, extra=""), task)
    assert (len(kept.billed), len(plain.billed)) == (5, 5)
    assert abs(total([answer]) - sum(bill(vendor, used) for used in kept.billed)) < Decimal("0.000001")
    if vendor is CLAUDE:  # OpenAI keeps unasked
        assert total([answer]) < Decimal("0.65") * total([without])
    assert total([answer]) <= total([without])
    assert (only(answer).usage.cached_input_tokens or 0) > 5000
