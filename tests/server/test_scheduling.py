import asyncio
import threading
from collections.abc import Callable
from time import monotonic

import pytest

from server.errors import Draining, Overloaded
from server.scheduling import Admission, open_worker
from tests.server.fakes import PATIENCE

pytestmark = pytest.mark.anyio


class Job:
    """Work on the thread that takes until it is told to end, or is cancelled."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.end = threading.Event()
        self.stopped = threading.Event()

    def __call__(self, cancelled: Callable[[], bool]) -> str:
        self.begun.set()
        deadline = monotonic() + PATIENCE
        while not self.end.wait(0.001) and monotonic() < deadline:
            if cancelled():
                self.stopped.set()
                return "stopped"
        return threading.current_thread().name


async def wait(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 30)


async def test_admission_is_bounded() -> None:
    """One request more than the limit is refused, until one has left."""
    admission = Admission(1)
    with admission.admit():
        with pytest.raises(Overloaded) as refusal, admission.admit():
            pass
        assert refusal.value.retry_after >= 1

    with admission.admit():
        assert admission.in_flight == 1


async def test_draining() -> None:
    """Once draining, nobody is admitted, and who is inside stays."""
    admission = Admission(2)
    with admission.admit():
        admission.drain()
        with pytest.raises(Draining), admission.admit():
            pass
        assert admission.in_flight == 1


async def test_work_leaves_the_loop() -> None:
    """Work runs on one thread of its own, one job after the other."""
    async with open_worker(queue_size=9) as worker:
        job = Job()
        job.end.set()

        names = await asyncio.gather(*[worker.run(job) for _ in range(5)])

        assert set(names) == {"captioner_0"}


async def test_error_of_work() -> None:
    """What the work raises reaches the caller."""
    async with open_worker(queue_size=0) as worker:
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda cancelled: 1 / 0)


async def test_queue_is_bounded() -> None:
    """A job beyond the running one and the queue is refused at once, and taken again later."""
    async with open_worker(queue_size=1) as worker:
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


async def test_abandoned_in_the_queue() -> None:
    """A job whose caller leaves while it waits is never begun, and its place is free."""
    async with open_worker(queue_size=1) as worker:
        running, queued, next_one = Job(), Job(), Job()
        first = asyncio.create_task(worker.run(running))
        second = asyncio.create_task(worker.run(queued))
        await wait(running.begun)

        second.cancel()
        await asyncio.wait([second])
        await asyncio.sleep(0)
        third = asyncio.create_task(worker.run(next_one))
        running.end.set()
        next_one.end.set()
        await asyncio.gather(first, third)

        assert not queued.begun.is_set()


async def test_abandoned_while_running() -> None:
    """A running job whose caller leaves gets to know it."""
    async with open_worker(queue_size=0) as worker:
        job = Job()
        caller = asyncio.create_task(worker.run(job))
        await wait(job.begun)

        caller.cancel()

        await wait(job.stopped)


async def test_closing() -> None:
    """Closing drops what is queued and stops what runs."""
    async with open_worker(queue_size=1) as worker:
        running, queued = Job(), Job()
        first = asyncio.create_task(worker.run(running))
        second = asyncio.create_task(worker.run(queued))
        await wait(running.begun)

    assert await first == "stopped"
    with pytest.raises(asyncio.CancelledError):
        await second
    assert not queued.begun.is_set()
