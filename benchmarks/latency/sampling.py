"""The requests of a round, sent to all servers in turn and verified."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from time import perf_counter

from benchmarks.http.client import Client, Request, Target, look_up, prepare
from benchmarks.http.verification import Verifier
from benchmarks.pictures import Picture
from benchmarks.rounds import rotated
from benchmarks.rows import Kind, LatencyRow, LatencySample
from benchmarks.runs import Run

PROMPT = "a picture of"
BURST = 8


async def sample(
    targets: Sequence[Target],
    pictures: Mapping[str, Picture],
    kinds: Mapping[str, Sequence[Kind]],
    verifier: Verifier,
    rounds: Iterable[int],
    run: Run[LatencyRow],
) -> None:
    """Measure all servers in turn within each round, so that they share a drift of the machine.

    `pictures` and `kinds` are by upload size. "cold" must come first: the others but "8 at once"
    ask for its file again. The tutorial's server has no look-up "by digest". Round 0 is not
    recorded: servers allocate their buffers in it. Raises WrongAnswer.
    """
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client.open(target)) for target in targets]
        said = 0
        for turn, number in enumerate(rounds):
            if number > said:
                run.say(f"round {number} of {run.settings['rounds']}")
                said = number
            for size, picture in pictures.items():
                serial = uuid.uuid4().hex
                requests = {kind: await requests_of(picture, kind, serial) for kind in kinds[size]}
                for client in rotated(clients, turn):
                    for kind in kinds[size]:
                        if kind == "by digest" and client.target.name == "tutorial":
                            continue
                        took = await ask(client, kind, requests[kind], verifier)
                        row = LatencySample(number, client.target.name, size, kind, *took)
                        run.rows += [row] if number else []


async def requests_of(picture: Picture, kind: Kind, serial: str) -> list[Request]:
    """Return the requests to send at once; only those of "8 at once" have files of their own."""
    if kind == "by digest":
        return [look_up(picture, serial)]
    serials = [f"{serial} {each}" for each in range(BURST)] if kind == "8 at once" else [serial]
    prompt = PROMPT if kind == "new prompt" else None
    return [await prepare(picture, prompt, each) for each in serials]


async def ask(
    client: Client, kind: Kind, requests: Sequence[Request], verifier: Verifier
) -> tuple[float, dict[str, float]]:
    """Send requests at once; return the mean seconds, and the phases of a lone request.

    Raises WrongAnswer.
    """
    began = perf_counter()
    answers = await asyncio.gather(*(client.ask(each) for each in requests))
    elapsed = perf_counter() - began
    for request, answer in zip(requests, answers, strict=True):
        cache = "HIT" if kind in ("cached", "by digest") else "MISS"
        verifier.check(client.target, request.question, answer, cache)
    if len(answers) > 1:
        return elapsed / len(answers), {}
    return answers[0].seconds, answers[0].phases
