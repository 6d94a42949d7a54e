"""Jobs that take their steps together: who joins when, and what they do to each other."""

import asyncio
import threading
from collections.abc import Generator, Sequence

import pytest

from server.inference.batcher import open_batcher
from tests.server.fakes import PATIENCE
from tests.server.inference.steps import Job, Steps, always, wait, worker_of
from tests.server.serving import until

pytestmark = pytest.mark.anyio


async def test_jobs_join_as_they_come() -> None:
    """A job that comes while others are under way takes its steps with theirs, up to the limit."""
    steps = Steps()
    async with worker_of(steps, queue_size=9, batch_size=2) as worker:
        first, second, third = jobs = [Job() for _ in range(3)]
        callers = [asyncio.create_task(worker.run(first))]
        await until(lambda: [first] in steps.taken)
        callers += [asyncio.create_task(worker.run(job)) for job in (second, third)]
        await until(lambda: [first, second] in steps.taken)
        assert not third.begun.is_set()
        assert worker.queued == 1

        first.end.set()
        await until(lambda: [second, third] in steps.taken)

        for job in jobs:
            job.end.set()
        await asyncio.gather(*callers)
        assert max(map(len, steps.taken)) == 2


@pytest.mark.parametrize(("room", "together"), [(True, 3), (False, 1)])
async def test_a_crowd_takes_its_steps_together(room: bool, together: int) -> None:
    """All that came while the first was begun are, before it takes a step, as far as they fit."""
    steps = Steps()
    steps.room = room
    async with worker_of(steps, queue_size=9, batch_size=3) as worker:
        first, *others = jobs = [Job(held=True), *[Job() for _ in range(3)]]
        callers = [asyncio.create_task(worker.run(job)) for job in jobs]
        await until(lambda: worker.queued == len(others))
        first.go_on.set()
        await until(lambda: bool(steps.taken))
        assert steps.taken[0] == jobs[:together]
        assert steps.gathered == [jobs[:count] for count in range(1, together + 1)]

        for job in jobs:
            job.end.set()
        await asyncio.gather(*callers)


async def test_a_crowd_does_not_hold_up_those_under_way() -> None:
    """Between two of their steps one job is begun."""
    steps, stepping, came = Steps(), threading.Event(), threading.Event()

    def slow_at_first(jobs: Sequence[Job]) -> list[str]:
        stepping.set()
        assert came.wait(PATIENCE)
        return steps(jobs)

    async with open_batcher(slow_at_first, always, queue_size=9, batch_size=3) as worker:
        first, second, third = jobs = [Job() for _ in range(3)]
        callers = [asyncio.create_task(worker.run(first))]
        await wait(stepping)
        callers += [asyncio.create_task(worker.run(job)) for job in (second, third)]
        await until(lambda: worker.queued == 2)
        came.set()
        await until(lambda: jobs in steps.taken)
        assert steps.taken.index([first, second]) < steps.taken.index(jobs)

        for job in jobs:
            job.end.set()
        await asyncio.gather(*callers)


async def test_jobs_that_fail_hold_up_nobody() -> None:
    """Who is begun takes a step for each one that fails after it."""
    steps = Steps()
    before_failures: list[int] = []

    def broken() -> Generator[Job, str, None]:
        before_failures.append(len(steps.taken))
        raise ZeroDivisionError
        yield

    async with worker_of(steps, queue_size=9, batch_size=2) as worker:
        first = Job(held=True)
        caller = asyncio.create_task(worker.run(first))
        failing = [asyncio.create_task(worker.run(broken)) for _ in range(3)]
        await until(lambda: worker.queued == 3)
        first.go_on.set()
        await asyncio.gather(*failing, return_exceptions=True)
        assert before_failures == [0, 1, 2]

        first.end.set()
        await caller


async def test_error_of_a_step() -> None:
    """A step that fails is an error of all who took part in it, and of nobody later."""
    steps = Steps()
    async with worker_of(steps, queue_size=0, batch_size=2) as worker:
        jobs = [Job(), Job()]
        callers = [asyncio.create_task(worker.run(job)) for job in jobs]
        await until(lambda: jobs in steps.taken)
        steps.failure = ZeroDivisionError()
        for caller in callers:
            with pytest.raises(ZeroDivisionError):
                await caller
        assert all(job.stopped.is_set() for job in jobs)

        steps.failure = None
        jobs[0].end.set()
        assert await worker.run(jobs[0])


async def test_places() -> None:
    """A job is begun when it has as many places as it asks for; none behind it overtakes it."""
    steps = Steps()
    async with worker_of(steps, queue_size=9, batch_size=4) as worker:
        first, second, third = jobs = [Job() for _ in range(3)]
        callers = [
            asyncio.create_task(worker.run(job, places))
            for job, places in zip(jobs, (3, 9, 1), strict=True)
        ]
        await until(lambda: [first] in steps.taken)
        assert worker.queued == 2

        first.end.set()
        await until(lambda: [second] in steps.taken)
        assert not third.begun.is_set()

        for job in jobs:
            job.end.set()
        await asyncio.gather(*callers)


async def test_leaving_while_another_is_stopped() -> None:
    """Who leaves while somebody before it is being stopped does no harm to those who stay."""
    stopping, stopped = threading.Event(), threading.Event()

    def slow_to_stop() -> Generator[Job, str, None]:
        try:
            while True:
                yield other
        finally:
            stopping.set()
            stopped.wait(PATIENCE)

    async with worker_of(Steps(), queue_size=0, batch_size=3) as worker:
        other, stays = Job(), Job()
        callers = [asyncio.create_task(worker.run(each)) for each in (slow_to_stop, other, stays)]
        await wait(stays.begun)
        callers[0].cancel()
        await wait(stopping)
        callers[1].cancel()
        await asyncio.wait(callers[:2])
        stopped.set()
        await wait(other.stopped)

        stays.end.set()
        assert await callers[2] == "captioner"
