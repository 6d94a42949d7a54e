"""Continuous batching: when sequences join the running batch."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from server.captioning.arrays import Logits
from server.captioning.generation.generation import Generation
from tests.server.fakes import PATIENCE
from tests.server.inference.jobs import Job, JobModel, batching, finish, wait
from tests.server.serving import until

pytestmark = pytest.mark.anyio


async def test_sequences_join_a_running_batch() -> None:
    """A new sequence takes its steps with the running ones, as far as batch slots are free."""
    async with batching(batch_size=2) as b:
        first, second, third = jobs = [Job() for _ in range(3)]
        tasks = b.start(first)
        await until(lambda: [first] in b.model.steps)
        tasks += b.start(second, third)
        await until(lambda: [first, second] in b.model.steps)
        assert not third.begun.is_set()
        assert b.batcher.queued == 1

        first.end.set()
        await until(lambda: [second, third] in b.model.steps)

        await finish(tasks, jobs)
        assert max(map(len, b.model.steps)) == 2


async def test_a_burst_takes_its_steps_together() -> None:
    """Sequences that arrive during the first prefill are prefilled before the first step."""
    async with batching(batch_size=3) as b:
        jobs = [Job(held=True), *[Job() for _ in range(3)]]
        tasks = b.start(*jobs)
        await until(lambda: b.batcher.queued == 3)
        jobs[0].go_on.set()
        await until(lambda: b.model.steps != [])
        assert b.model.steps[0] == jobs[:3]

        await finish(tasks, jobs)


class SlowFirstStep(JobModel):
    """Does not return from its first step before `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.stepping, self.go_on = threading.Event(), threading.Event()

    def step(self, generations: Sequence[Generation]) -> list[Logits]:
        self.stepping.set()
        assert self.go_on.wait(PATIENCE)
        return super().step(generations)


async def test_a_burst_does_not_delay_the_running_batch() -> None:
    """Between two steps of a running batch one sequence is prefilled."""
    model = SlowFirstStep()
    async with batching(batch_size=3, model=model) as b:
        first, second, third = jobs = [Job() for _ in range(3)]
        tasks = b.start(first)
        await wait(model.stepping)
        tasks += b.start(second, third)
        await until(lambda: b.batcher.queued == 2)
        model.go_on.set()
        await until(lambda: jobs in model.steps)
        assert model.steps.index([first, second]) < model.steps.index(jobs)

        await finish(tasks, jobs)


async def test_failing_prefills_do_not_delay_the_running_batch() -> None:
    """The running batch takes a step after each prefill that fails."""
    before_failures: list[int] = []

    class Counting(JobModel):
        def prefill(self, *arguments: object) -> Generation:
            if isinstance(arguments[1], bytes) and self.jobs[arguments[1]].failure:
                before_failures.append(len(self.steps))
            return super().prefill(*arguments)  # type: ignore[arg-type]

    async with batching(batch_size=2, model=Counting()) as b:
        first = Job(held=True)
        failing = [Job() for _ in range(3)]
        for job in failing:
            job.failure = ZeroDivisionError()
        tasks = b.start(first)
        failed = b.start(*failing)
        await until(lambda: b.batcher.queued == 3)
        first.go_on.set()
        await asyncio.gather(*failed, return_exceptions=True)
        assert before_failures == [0, 1, 2]

        await finish(tasks, [first])


async def test_batch_slots() -> None:
    """A sequence runs when as many slots are free as it takes; no later one overtakes it."""
    async with batching(batch_size=4) as b:
        first, second, third = jobs = [Job() for _ in range(3)]
        tasks = b.start(first, slots=3) + b.start(second, slots=b.batcher.slots_of(16))
        tasks += b.start(third)
        await until(lambda: [first] in b.model.steps)
        assert b.batcher.queued == 2

        first.end.set()
        await until(lambda: [second] in b.model.steps)
        assert not third.begun.is_set()

        await finish(tasks, jobs)
