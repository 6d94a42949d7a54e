"""The requests of a round, sent to all servers in turn and verified."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import perf_counter

from benchmarks.http.client import Client, Request, Target, prepare
from benchmarks.http.verification import Cache, Verifier
from benchmarks.interleaving import rotated
from benchmarks.pictures import Picture
from benchmarks.rows import Kind, LatencyRow, LatencySample
from benchmarks.runs import Run

PROMPT = "a picture of"
BURST = 8


@dataclass(frozen=True, slots=True)
class Step:
    """Requests to send at once, and the cache state that their answers must have."""

    kind: Kind
    requests: tuple[Request, ...]
    cache: Cache


@dataclass(frozen=True, slots=True)
class Sampling:
    """The uploads of a round: pictures by size, hits of each, and the size of a burst."""

    pictures: Mapping[str, Picture]
    hits: int
    new_prompt: bool = False
    burst: str | None = None

    async def steps(self, size: str) -> list[Step]:
        """Return the requests with one size, with files that no cache knows."""
        picture, serial = self.pictures[size], uuid.uuid4().hex
        cold = await prepare(picture, None, serial)
        steps = [Step("cold", (cold,), "MISS"), *[Step("cached", (cold,), "HIT")] * self.hits]
        if self.new_prompt:
            steps.append(Step("new prompt", (await prepare(picture, PROMPT, serial),), "MISS"))
        if size == self.burst:
            files = [await prepare(picture, None, f"{serial} {each}") for each in range(BURST)]
            steps.append(Step("8 at once", tuple(files), "MISS"))
        return steps


async def sample(
    targets: Sequence[Target],
    sampling: Sampling,
    verifier: Verifier,
    rounds: Iterable[int],
    run: Run[LatencyRow],
) -> None:
    """Measure all servers in turn within each round, so that they share a drift of the machine.

    Round 0 is not recorded: servers allocate their buffers in it. Raises Unavailable and
    WrongAnswer.
    """
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.open(target)) for target in targets]
        said = 0
        for turn, number in enumerate(rounds):
            if number > said:
                run.say(f"round {number} of {run.settings['rounds']}")
                said = number
            for size in sampling.pictures:
                steps = await sampling.steps(size)
                for client in rotated(clients, turn):
                    for step in steps:
                        seconds, phases = await ask(client, step, verifier)
                        row = LatencySample(
                            number, client.target.name, size, step.kind, seconds, phases
                        )
                        run.rows += [row] if number else []


async def ask(client: Client, step: Step, verifier: Verifier) -> tuple[float, dict[str, float]]:
    """Send a step's requests at once; return the seconds of each on average, and its phases.

    Raises Unavailable and WrongAnswer.
    """
    began = perf_counter()
    answers = await asyncio.gather(*(client.must_answer(each) for each in step.requests))
    elapsed = perf_counter() - began
    for request, answer in zip(step.requests, answers, strict=True):
        verifier.check(client.target, request.question, answer, step.cache)
    if len(answers) > 1:
        return elapsed / len(answers), {}
    return answers[0].seconds, dict(answers[0].phases)
