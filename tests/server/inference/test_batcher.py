"""One thread for all work, the bounded queue before it, and the end of both."""

import asyncio
import gc
import weakref
from collections.abc import Generator, Sequence
from typing import NoReturn

import pytest

from server.errors import Draining, Overloaded
from server.inference.batcher import open_batcher
from tests.server.inference.steps import Job, Steps, always, wait, worker_of
from tests.server.serving import until

pytestmark = pytest.mark.anyio


async def test_work_leaves_the_loop() -> None:
    """Jobs run on one thread of their own."""
    async with worker_of(Steps(), queue_size=9) as worker:
        job = Job()
        job.end.set()

        names = await asyncio.gather(*[worker.run(job) for _ in range(5)])

        assert set(names) == {"captioner"}


async def test_error_of_work() -> None:
    """What a job raises reaches its caller."""

    def broken() -> Generator[Job, str, None]:
        yield Job()
        raise ZeroDivisionError

    async with worker_of(Steps(), queue_size=0) as worker:
        with pytest.raises(ZeroDivisionError):
            await worker.run(broken)


async def test_error_of_the_runtime() -> None:
    """Nothing ends the thread: no error outside Exception, no step that answers too few."""

    class Panic(BaseException):
        pass

    def panics(jobs: Sequence[Job]) -> NoReturn:
        raise Panic

    def answers_nobody(jobs: Sequence[Job]) -> list[str]:
        return []

    for step, gather, error in (
        (panics, always, Panic),
        (answers_nobody, always, ValueError),
        (Steps(), panics, Panic),
    ):
        async with open_batcher(step, gather, queue_size=0, batch_size=1) as worker:
            for _ in range(2):
                with pytest.raises(error):
                    await worker.run(Job())


async def test_queue_is_bounded() -> None:
    """A job beyond the running one and the queue is refused at once, and taken again later."""
    async with worker_of(Steps(), queue_size=1) as worker:
        running, queued, late = Job(), Job(), Job()
        callers = [asyncio.create_task(worker.run(job)) for job in (running, queued)]
        await wait(running.begun)
        assert worker.queued == 1

        with pytest.raises(Overloaded) as refusal:
            await worker.run(late)
        assert refusal.value.retry_after >= 1

        for job in (running, queued, late):
            job.end.set()
        await asyncio.gather(*callers)
        assert await worker.run(late)


async def test_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that those before need, though a crowd ends all at once."""
    now = 0.0
    monkeypatch.setattr("server.inference.batcher.perf_counter", lambda: now)
    async with worker_of(Steps(), queue_size=0, batch_size=4) as worker:
        for _ in range(3):
            jobs = [Job() for _ in range(4)]
            callers = [asyncio.create_task(worker.run(job)) for job in jobs]
            for job in jobs:
                await wait(job.begun)

            with pytest.raises(Overloaded) as refusal:
                await worker.run(Job())

            now += 20
            for job in jobs:
                job.end.set()
            await asyncio.gather(*callers)

        assert refusal.value.retry_after == 20


async def test_abandoned_in_the_queue() -> None:
    """A job whose caller leaves while it waits is never begun, and its place is free."""
    async with worker_of(Steps(), queue_size=1) as worker:
        running, queued, next_one = Job(), Job(), Job()
        first = asyncio.create_task(worker.run(running))
        second = asyncio.create_task(worker.run(queued))
        await wait(running.begun)

        second.cancel()
        await asyncio.wait([second])
        await asyncio.sleep(0)
        assert worker.queued == 0
        third = asyncio.create_task(worker.run(next_one))
        running.end.set()
        next_one.end.set()
        await asyncio.gather(first, third)

        assert not queued.begun.is_set()


async def test_abandoned_while_running() -> None:
    """A running job whose caller leaves is stopped, and the one beside it is not."""
    steps = Steps()
    async with worker_of(steps, queue_size=0, batch_size=2) as worker:
        left, kept = jobs = [Job(), Job()]
        leaving, staying = (asyncio.create_task(worker.run(job)) for job in jobs)
        await until(lambda: jobs in steps.taken)

        leaving.cancel()

        await wait(left.stopped)
        kept.end.set()
        assert await staying == "captioner"


async def test_closing() -> None:
    """Closing drops what is queued and stops what runs."""
    async with worker_of(Steps(), queue_size=1) as worker:
        running, queued = Job(), Job()
        callers = [asyncio.create_task(worker.run(job)) for job in (running, queued)]
        await wait(running.begun)

    for caller in callers:
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert running.stopped.is_set()
    assert not queued.begun.is_set()
    with pytest.raises(Draining):
        await worker.run(Job())


class Large:
    """What a job wants: an encoded picture takes 11 MB and more."""


async def test_a_job_that_ended_holds_nothing() -> None:
    """What a job wanted is gone with it, and doesn't wait for the garbage collector."""
    wanted: list[weakref.ref[Large]] = []

    def nothing(wants: Sequence[Large]) -> Sequence[None]:
        return [None for _ in wants]

    def job() -> Generator[Large, None, None]:
        for _ in range(3):
            large = Large()
            wanted.append(weakref.ref(large))
            yield large

    gc.disable()
    try:
        async with open_batcher(nothing, always, queue_size=0, batch_size=1) as worker:
            await worker.run(job)
            await until(lambda: not any(each() for each in wanted))
    finally:
        gc.enable()
