"""A model whose sequences begin, step and finish when a test says so."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np

from server.captioning.arrays import Logits, Pixels
from server.captioning.generation.generation import Generation
from server.captioning.generation.types import (
    DecoderInput,
    GenerationRequest,
    Hypothesis,
    SearchSettings,
)
from server.captioning.model.encoder import EncodedImage
from server.inference import sequence as inference
from server.inference.batcher import ContinuousBatcher, open_batcher
from tests.server.fakes import PATIENCE, FakeModel

REQUEST = GenerationRequest((0,), SearchSettings(end_token=1, max_length=9))


class Job:
    """A caption that steps until `end` is set.

    A `held` job does not finish its prefill before `go_on` is set. `stopped` is set when the
    batcher drops the job before its end. `failure` is raised by its prefill, `defect` by a step.
    """

    def __init__(self, *, held: bool = False) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        if not held:
            self.go_on.set()
        self.end = threading.Event()
        self.stopped = threading.Event()
        self.failure: BaseException | None = None
        self.defect: Exception | None = None
        self.thread = ""


class JobSearch:
    """A search that finishes when its job's end is set."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.decoder_input = DecoderInput.of_prompt((0,))
        self.finished: Hypothesis | None = None

    def advance(self, logits: Logits) -> None:
        if self._job.defect:
            raise self._job.defect
        self._job.thread = threading.current_thread().name
        if self._job.end.is_set():
            self.finished = Hypothesis((0, 1), (0.0,), np.float32(0))

    def __del__(self) -> None:
        if self.finished is None:
            self._job.stopped.set()


class JobGeneration(Generation):
    def __init__(self, job: Job) -> None:
        super().__init__(EncodedImage(()), JobSearch(job), [])
        self.job = job


class JobModel(FakeModel):
    """Remembers the jobs of every step; raises `failure` in a step while there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[bytes, Job] = {}
        self.steps: list[list[Job]] = []
        self.failure: BaseException | None = None
        self.silent = False

    def sequence(self, job: Job, slots: int = 1) -> inference.Sequence:
        digest = str(len(self.jobs)).encode()
        self.jobs[digest] = job
        return inference.Sequence(np.zeros((1, 1, 3), np.uint8), digest, REQUEST, slots)

    def prefill(
        self, image: Pixels | EncodedImage, image_digest: bytes, request: GenerationRequest
    ) -> Generation:
        job = self.jobs[image_digest]
        job.begun.set()
        assert job.go_on.wait(PATIENCE)
        if job.failure:
            raise job.failure
        return JobGeneration(job)

    def step(self, generations: Sequence[Generation]) -> list[Logits]:
        self.steps.append([each.job for each in generations if isinstance(each, JobGeneration)])
        if self.failure:
            raise self.failure
        threading.Event().wait(0.001)  # Leaves the interpreter to the test.
        return [] if self.silent else [np.zeros((1, 1), np.float32)] * len(generations)


class Batching:
    """A batcher over a JobModel."""

    def __init__(self, model: JobModel, batcher: ContinuousBatcher) -> None:
        self.model = model
        self.batcher = batcher

    def start(self, *jobs: Job, slots: int = 1) -> list[asyncio.Task[Hypothesis]]:
        """Submit jobs in order; their tasks."""
        return [
            asyncio.create_task(self.batcher.run(self.model.sequence(job, slots))) for job in jobs
        ]


@asynccontextmanager
async def batching(batch_size: int = 1, model: JobModel | None = None) -> AsyncIterator[Batching]:
    model = model or JobModel()
    async with open_batcher(model, batch_size) as batcher:
        yield Batching(model, batcher)


async def wait(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE)


async def finish(tasks: list[asyncio.Task[Hypothesis]], jobs: Sequence[Job]) -> None:
    """Let jobs end, and wait for their tasks."""
    for job in jobs:
        job.end.set()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*tasks)
