"""One thread for the model, and what errors, departures and closing do to it."""

import asyncio
import gc
import weakref

import pytest

from server.captioning.generation.generation import Generation
from server.errors import Draining
from tests.server.fakes import PATIENCE
from tests.server.inference.jobs import Job, JobModel, batching, finish, wait
from tests.server.serving import until

pytestmark = pytest.mark.anyio


class Panic(BaseException):
    """An error that `except Exception` lets through."""


async def test_the_model_runs_on_one_thread() -> None:
    """All sequences run on the batcher's thread, none on the event loop's."""
    async with batching() as b:
        jobs = [Job() for _ in range(5)]
        await finish(b.start(*jobs), jobs)

        assert {job.thread for job in jobs} == {"batcher"}


@pytest.mark.parametrize("error", [ZeroDivisionError(), Panic()])
async def test_error_of_a_prefill(error: BaseException) -> None:
    """The error of a prefill reaches its caller, and the next sequence runs."""
    async with batching() as b:
        broken, sound = Job(), Job()
        broken.failure = error
        (task,) = b.start(broken)
        with pytest.raises(type(error)):
            await task

        await finish(b.start(sound), [sound])


async def test_error_of_one_sequence() -> None:
    """The error of one sequence's search reaches its caller only."""
    async with batching(batch_size=2) as b:
        broken, sound = Job(), Job()
        broken.defect = ZeroDivisionError()
        tasks = b.start(broken, sound)
        with pytest.raises(ZeroDivisionError):
            await tasks[0]

        await finish(tasks[1:], [sound])


@pytest.mark.parametrize("error", [ZeroDivisionError(), Panic()])
async def test_error_of_a_step(error: BaseException) -> None:
    """The error of a step reaches every sequence of the step and no later one."""
    async with batching(batch_size=2) as b:
        jobs = [Job(), Job()]
        tasks = b.start(*jobs)
        await until(lambda: jobs in b.model.steps)
        b.model.failure = error
        for task in tasks:
            with pytest.raises(type(error)):
                await task

        b.model.failure = None
        later = Job()
        await finish(b.start(later), [later])


async def test_a_step_with_too_few_answers() -> None:
    """A model that returns logits for too few sequences fails the step, not the thread."""
    async with batching() as b:
        b.model.silent = True
        (task,) = b.start(Job())
        with pytest.raises(ValueError, match="zip"):
            await task

        b.model.silent = False
        later = Job()
        await finish(b.start(later), [later])


async def test_abandoned_while_waiting() -> None:
    """A sequence whose caller leaves while it waits is never prefilled."""
    async with batching() as b:
        running, abandoned, following = Job(), Job(), Job()
        first, second = b.start(running, abandoned)
        await wait(running.begun)

        second.cancel()
        await asyncio.wait([second])
        assert b.batcher.queued == 0
        (third,) = b.start(following)
        await finish([first, third], [running, following])

        assert not abandoned.begun.is_set()


async def test_abandoned_while_running() -> None:
    """A running sequence whose caller leaves is stopped; the one beside it continues."""
    async with batching(batch_size=2) as b:
        jobs = [Job(), Job()]
        leaving, staying = b.start(*jobs)
        await until(lambda: jobs in b.model.steps)

        leaving.cancel()

        await wait(jobs[0].stopped)
        await finish([staying], jobs[1:])


async def test_abandoned_during_prefill() -> None:
    """A sequence whose caller leaves during its prefill takes no step."""
    async with batching() as b:
        job = Job(held=True)
        (task,) = b.start(job)
        await wait(job.begun)

        task.cancel()
        await asyncio.wait([task])
        job.go_on.set()

        await wait(job.stopped)
        assert b.model.steps == []


async def test_closing() -> None:
    """Closing drops waiting sequences, stops running ones, and refuses new ones."""
    async with batching() as b:
        running, waiting = Job(), Job()
        tasks = b.start(running, waiting)
        await wait(running.begun)

    for task in tasks:
        with pytest.raises(asyncio.CancelledError):
            await task
    assert running.stopped.is_set()
    assert not waiting.begun.is_set()
    with pytest.raises(Draining):
        await b.batcher.run(b.model.sequence(Job()))


async def test_closing_does_not_wait_for_a_hanging_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing gives up on a step that does not return."""
    monkeypatch.setattr("server.inference.batcher.CLOSE_TIMEOUT", 0.01)
    job = Job(held=True)
    async with asyncio.timeout(PATIENCE):
        async with batching() as b:
            (task,) = b.start(job)
            await wait(job.begun)
    job.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time without progress counts while a prefill hangs, and is 0 without work."""
    now = 100.0
    monkeypatch.setattr("server.inference.batcher.monotonic", lambda: now)
    async with batching() as b:
        job = Job(held=True)
        now = 200.0
        assert b.batcher.seconds_without_progress() == 0
        tasks = b.start(job)
        await wait(job.begun)
        now = 207.0
        assert b.batcher.seconds_without_progress() == 7

        job.go_on.set()
        await finish(tasks, [job])
        await until(lambda: b.batcher.seconds_without_progress() == 0)


class Large:
    """Memory that a generation holds."""


async def test_a_finished_sequence_holds_nothing() -> None:
    """What a generation held is released with its end, without the garbage collector."""
    held: list[weakref.ref[Large]] = []

    class LargeModel(JobModel):
        def prefill(self, *arguments: object) -> Generation:
            generation = super().prefill(*arguments)  # type: ignore[arg-type]
            generation.large = large = Large()  # type: ignore[attr-defined]
            held.append(weakref.ref(large))
            return generation

    gc.disable()
    try:
        async with batching(model=LargeModel()) as b:
            job = Job()
            await finish(b.start(job), [job])
            await until(lambda: held != [] and not any(each() for each in held))
    finally:
        gc.enable()
