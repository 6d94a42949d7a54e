import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from server.errors import Draining, Overloaded
from server.scheduling import Worker, open_worker
from tests.server.fakes import PATIENCE
from tests.server.serving import until

pytestmark = pytest.mark.anyio


class Job:
    """Takes steps until it is told to end; says which thread it ran on."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.end = threading.Event()
        self.stopped = threading.Event()

    def __call__(self) -> Generator["Job", str, str]:
        self.begun.set()
        deadline = monotonic() + PATIENCE
        name = ""
        try:
            while not self.end.wait(0.001) and monotonic() < deadline:
                name = yield self
        except GeneratorExit:
            self.stopped.set()
            raise
        return name or threading.current_thread().name


class Steps:
    """Remembers who took part in which step, and who was gathered; fails where it is told to."""

    def __init__(self) -> None:
        self.taken: list[Sequence[Job]] = []
        self.gathered: list[Sequence[Job]] = []
        self.room = True
        self.failure: Exception | None = None

    def __call__(self, jobs: Sequence[Job]) -> list[str]:
        self.taken.append(jobs)
        if self.failure:
            raise self.failure
        return [threading.current_thread().name for _ in jobs]

    def gather(self, jobs: Sequence[Job]) -> bool:
        self.gathered.append(jobs)
        return self.room


def always(_: Sequence[object]) -> bool:
    return True


@asynccontextmanager
async def worker_of(
    steps: Steps, queue_size: int, batch_size: int = 1
) -> AsyncIterator[Worker[Job, str]]:
    async with open_worker(steps, steps.gather, queue_size, batch_size) as worker:
        yield worker


async def wait(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 30)


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
    steps, came = Steps(), threading.Event()
    steps.room = room
    async with worker_of(steps, queue_size=9, batch_size=3) as worker:
        first, *others = jobs = [Job() for _ in range(4)]

        def slow_to_begin() -> Generator[Job, str, str]:
            assert came.wait(PATIENCE)
            return (yield from first())

        callers = [asyncio.create_task(worker.run(slow_to_begin))]
        callers += [asyncio.create_task(worker.run(job)) for job in others]
        await until(lambda: worker.queued == len(others))
        came.set()
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

    async with open_worker(slow_at_first, always, queue_size=9, batch_size=3) as worker:
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
    steps, came = Steps(), threading.Event()
    before_failures: list[int] = []

    def broken() -> Generator[Job, str, None]:
        before_failures.append(len(steps.taken))
        raise ZeroDivisionError
        yield

    async with worker_of(steps, queue_size=9, batch_size=2) as worker:
        first = Job()

        def slow_to_begin() -> Generator[Job, str, str]:
            assert came.wait(PATIENCE)
            return (yield from first())

        caller = asyncio.create_task(worker.run(slow_to_begin))
        failing = [asyncio.create_task(worker.run(broken)) for _ in range(3)]
        await until(lambda: worker.queued == 3)
        came.set()
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


async def test_error_of_the_runtime() -> None:
    """Not even an error outside Exception, or a step that answers too few, ends the thread."""

    class Panic(BaseException):
        pass

    def panics(jobs: Sequence[Job]) -> list[str]:
        raise Panic

    def answers_nobody(jobs: Sequence[Job]) -> list[str]:
        return []

    for step, error in ((panics, Panic), (answers_nobody, ValueError)):
        async with open_worker(step, always, queue_size=0, batch_size=1) as worker:
            for _ in range(2):
                with pytest.raises(error):
                    await worker.run(Job())


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
    monkeypatch.setattr("server.scheduling.perf_counter", lambda: now)
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
        async with open_worker(nothing, always, queue_size=0, batch_size=1) as worker:
            await worker.run(job)
            await until(lambda: not any(each() for each in wanted))
    finally:
        gc.enable()
