"""Captions of shared decoder steps equal captions made one at a time."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from server.captioning.caption import Caption
from server.captioning.captioner import BlipCaptioner
from server.captioning.generation.generation import Generation
from server.captioning.options import GenerationOptions
from tests.committed_model import EXAMPLES
from tests.server.captioning.pictures import encoded, noise

SIZE = 3

OPTIONS = (
    GenerationOptions(),
    GenerationOptions(max_new_tokens=2),
    GenerationOptions(repetition_penalty=1.5),
    GenerationOptions(num_beams=3),
)
PROMPTS = (None, "a picture of", "a", "a photo of a dog and a cat")


@dataclass(frozen=True)
class Case:
    image: bytes
    prompt: str | None
    options: GenerationOptions

    def begin(self, captioner: BlipCaptioner) -> Generation:
        request = captioner.resolve(self.prompt, self.options)
        return captioner.prefill(captioner.decode(self.image), self.image[-32:], request)

    def alone(self, captioner: BlipCaptioner) -> Caption:
        return captioner.caption(self.image, self.prompt, self.options)


@pytest.fixture(scope="module")
def batching(model_directory: Path) -> BlipCaptioner:
    return BlipCaptioner.open(model_directory, threads=1)


def cases(count: int, rng: random.Random) -> Iterator[Case]:
    for index in range(count):
        image = EXAMPLES[index].read_bytes() if index < len(EXAMPLES) else encoded(noise(index))
        yield Case(image, rng.choice(PROMPTS), rng.choice(OPTIONS))


def captions(captioner: BlipCaptioner, waiting: list[Case], rng: random.Random) -> list[Caption]:
    """Caption the cases in steps that they share; each joins between two steps at random."""
    made: dict[int, Caption] = {}
    running: dict[int, Generation] = {}
    numbers = iter(range(len(waiting)))
    while len(made) < len(waiting):
        while len(running) < SIZE and (not running or rng.random() < 0.4):
            if (number := next(numbers, None)) is None:
                break
            running[number] = waiting[number].begin(captioner)
        order = rng.sample(sorted(running), len(running))
        steps = captioner.step([running[n] for n in order])
        for number, logits in zip(order, steps, strict=True):
            running[number].advance(logits)
            if hypothesis := running[number].finished:
                made[number] = captioner.finish(hypothesis)
                del running[number]
    return [made[number] for number in range(len(waiting))]


def comparable(caption: Caption) -> tuple[object, ...]:
    return caption.token_ids, caption.finish_reason, pytest.approx(caption.confidence, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_shared_steps(captioner: BlipCaptioner, batching: BlipCaptioner, seed: int) -> None:
    """Mixed prompts, lengths and beams that join at random change no token of any caption."""
    rng = random.Random(seed)
    waiting = list(cases(16, rng))
    together = captions(batching, waiting, rng)
    for case, caption in zip(waiting, together, strict=True):
        assert comparable(caption) == comparable(case.alone(captioner))


def test_an_abandoned_caption_leaves_its_row(
    captioner: BlipCaptioner, batching: BlipCaptioner
) -> None:
    """A caption that takes no more steps makes room and does not change the others."""
    rng = random.Random(0)
    gone, stays, comes = [replace(case, prompt=None) for case in cases(3, rng)]
    generations = [gone.begin(batching), stays.begin(batching)]
    for _ in range(2):
        for each, logits in zip(generations, batching.step(generations), strict=True):
            each.advance(logits)
    running = {"stays": generations[1], "comes": comes.begin(batching)}
    made = {}
    while running:
        names = list(running)
        for name, logits in zip(names, batching.step([running[n] for n in names]), strict=True):
            running[name].advance(logits)
            if hypothesis := running[name].finished:
                made[name] = hypothesis.token_ids
                del running[name]
    assert made["stays"] == stays.alone(captioner).token_ids
    assert made["comes"] == comes.alone(captioner).token_ids


def test_a_picture_is_stored_once(batching: BlipCaptioner) -> None:
    """Members of a batch keep no KV cache beside that of their row."""
    generations = [
        Case(encoded(noise(n)), None, GenerationOptions()).begin(batching) for n in (0, 1)
    ]
    batching.step(generations)
    assert [generation.kv_cache for generation in generations] == [[], []]
