"""Jobs: work that several callers wait for, or none."""

import logging

import anyio
import pytest

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.dispatch.jobs import KEPT, MAX_RUNNING, Job, Jobs, Wait
from smista_mcp.dispatch.standing import Progress
from smista_mcp.errors import Code, InvalidTask, NotFound

pytestmark = pytest.mark.anyio

DONE = DispatchAnswer(status="completed", code=None, phases=())


async def at_once(job: Job) -> DispatchAnswer:
    del job
    return DONE


async def never(job: Job) -> DispatchAnswer:
    del job
    await anyio.sleep_forever()
    raise AssertionError


async def ending(event: anyio.Event) -> None:
    event.set()


def numbered() -> "list[str]":
    return [f"job{number}" for number in range(10_000, 0, -1)]


async def test_the_answer_of_a_job_names_the_job() -> None:
    async with anyio.create_task_group() as group:
        answer = await Jobs(group, numbered().pop).run("a", at_once)
        assert answer == DONE.model_copy(update={"job_id": "job1"})


async def test_work_that_is_asked_for_twice_is_done_once() -> None:
    done: list[str] = []
    both, go = anyio.Event(), anyio.Event()

    async def work(job: Job) -> DispatchAnswer:
        done.append(job.job_id)
        if len(done) == 2:
            both.set()
        await go.wait()
        return DONE

    answers: list[str | None] = []
    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)

        async def ask(key: str) -> None:
            answers.append((await known.run(key, work)).job_id)

        for key in ("a", "b", "a"):
            group.start_soon(ask, key)
        await both.wait()
        go.set()
    assert sorted(done) == ["job1", "job2"]
    assert sorted(filter(None, answers)) == ["job1", "job1", "job2"]


async def test_an_expected_failure_is_told_to_everyone_who_asks_and_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(job: Job) -> DispatchAnswer:
        del job
        raise InvalidTask("no")

    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        with pytest.raises(InvalidTask):
            await known.run("a", work)
        with pytest.raises(InvalidTask):
            await known.join("job1")
    assert caplog.records == []


async def test_a_defect_is_told_and_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async def work(job: Job) -> DispatchAnswer:
        del job
        raise ZeroDivisionError("the words of the task")

    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        with pytest.raises(ZeroDivisionError):
            await known.run("a", work)
        assert (await known.run("b", at_once)).status == "completed"
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    assert "ZeroDivisionError at test_jobs.py:" in record.getMessage()
    assert "words" not in record.getMessage()


async def test_a_defect_that_nobody_waits_for_ends_nothing_else() -> None:
    async def work(job: Job) -> DispatchAnswer:
        del job
        raise ZeroDivisionError

    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        assert (await known.run("a", work, Wait(limit_s=0))).status == "running"
        job = known.find("job1")
        assert job is not None
        await job.ended.wait()
        with pytest.raises(ZeroDivisionError):
            await known.join("job1", Wait(limit_s=0))


async def test_a_job_whose_only_caller_went_is_cancelled_and_says_so() -> None:
    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        with anyio.move_on_after(0.01):
            await known.run("a", never)
        with anyio.fail_after(2):
            answer = await known.join("job1")
            assert (answer.status, answer.code) == ("failed", Code.CANCELLED)


async def test_a_caller_whose_time_is_up_leaves_the_job_running() -> None:
    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        answer = await known.run("a", never, Wait(limit_s=0.01))
        job = known.find("job1")
        assert job is not None
        assert (answer.status, job.lives, job.waiting) == ("running", True, 0)
        group.cancel_scope.cancel()


async def test_a_caller_is_told_at_once_when_the_job_ends() -> None:
    go = anyio.Event()

    async def work(job: Job) -> DispatchAnswer:
        del job
        await go.wait()
        return DONE

    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop, beat_s=60.0)
        assert (await known.run("a", work, Wait(limit_s=0))).status == "running"
        group.start_soon(ending, go)
        with anyio.fail_after(5):
            await known.join("job1")


async def test_progress_is_what_the_work_says_and_how_long_it_takes() -> None:
    told: list[Progress] = []
    enough = anyio.Event()

    async def listener(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 2:
            enough.set()

    async def work(job: Job) -> DispatchAnswer:
        job.standing.phase, job.standing.phases = 1, 3
        job.standing.message, job.standing.tokens = "writing", 42
        await enough.wait()
        return DONE

    async with anyio.create_task_group() as group:
        await Jobs(group, numbered().pop, beat_s=0.01).run("a", work, Wait(listener))
    first, second = told[:2]
    assert (first.phase, first.phases, first.message, first.tokens) == (1, 3, "writing", 42)
    assert 0 < first.seconds < second.seconds


async def test_the_oldest_ended_jobs_are_forgotten_and_running_ones_are_not() -> None:
    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        await known.run("runs", never, Wait(limit_s=0))
        for number in range(KEPT + 10):
            await known.run(f"key{number}", at_once)
        assert known.find("job1") is not None
        assert known.find("job2") is None
        assert (await known.join(f"job{KEPT + 11}", Wait(limit_s=0))).status == "completed"
        with pytest.raises(NotFound) as failure:
            await known.join("job2", Wait(limit_s=0))
        assert failure.value.code is Code.JOB_NOT_FOUND
        group.cancel_scope.cancel()


async def test_a_job_answers_its_owner_alone() -> None:
    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        answer = await known.run("a", at_once, owner="pipe x")
        assert answer.job_id is not None
        assert known.find(answer.job_id, "pipe x") is not None
        for other in ("pipe y", "http x", ""):
            assert known.find(answer.job_id, other) is None
            with pytest.raises(NotFound) as failure:
                await known.join(answer.job_id, owner=other)
            assert failure.value.code is Code.JOB_NOT_FOUND
        assert (await known.join(answer.job_id, owner="pipe x")) == answer


async def test_the_same_work_of_another_owner_is_another_job() -> None:
    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        ids = {(await known.run("a", never, Wait(limit_s=0), owner=owner)).job_id for owner in ("x", "y")}
        assert len(ids) == 2
        group.cancel_scope.cancel()


async def test_of_too_many_jobs_the_last_is_refused_until_one_has_ended() -> None:
    go = anyio.Event()

    async def work(job: Job) -> DispatchAnswer:
        del job
        await go.wait()
        return DONE

    async with anyio.create_task_group() as group:
        known = Jobs(group, numbered().pop)
        running = [await known.run(str(key), work, Wait(limit_s=0)) for key in range(MAX_RUNNING)]
        refused = await known.run("more", work, Wait(limit_s=0))
        assert (refused.status, refused.code, refused.job_id) == ("refused", Code.PROVIDER_RATE_LIMITED, None)
        for other in range(3):  # nobody can take up the places of the others, but together they can
            for key in range(MAX_RUNNING):
                assert (await known.run(str(key), work, Wait(limit_s=0), owner=str(other))).status == "running"
        assert (await known.run("0", work, Wait(limit_s=0), owner="late")).status == "refused"
        assert refused.next
        assert (await known.run("0", work, Wait(limit_s=0))).job_id == running[0].job_id
        go.set()
        for one in running:
            assert one.job_id is not None
            await known.join(one.job_id)
        assert (await known.run("more", work)).status == "completed"
