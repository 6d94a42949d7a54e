"""Captions made together are those made one at a time."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from server.captioning.caption import Caption
from server.captioning.captioner import Captioner, Captioning
from server.captioning.generation.decoder_batch import Turn
from server.captioning.options import GenerationOptions
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

    def start(self, captioner: Captioner) -> Captioning:
        return captioner.start(self.image, self.prompt, self.options)

    def alone(self, captioner: Captioner) -> Caption:
        return captioner.caption(self.image, self.prompt, self.options)


@pytest.fixture(scope="module")
def batching(model_directory: Path) -> Captioner:
    return Captioner.open(model_directory, threads=1, batch_size=SIZE)


def cases(count: int, rng: random.Random) -> Iterator[Case]:
    for index in range(count):
        yield Case(encoded(noise(index)), rng.choice(PROMPTS), rng.choice(OPTIONS))


def captions(captioner: Captioner, waiting: list[Case], rng: random.Random) -> list[Caption]:
    """Captions in the order of the cases, which come in and leave between steps at random."""
    made: dict[int, Caption] = {}
    in_hand: dict[int, Captioning] = {}
    wants = {}
    numbers = iter(range(len(waiting)))
    while len(made) < len(waiting):
        while len(in_hand) < SIZE and (not in_hand or rng.random() < 0.4):
            if (number := next(numbers, None)) is None:
                break
            in_hand[number] = waiting[number].start(captioner)
            wants[number] = next(in_hand[number])
            if rng.random() < 0.5:
                captioner.gather([wants[n] for n in sorted(in_hand)])
        order = rng.sample(sorted(in_hand), len(in_hand))
        for number, logits in zip(order, captioner.step([wants[n] for n in order]), strict=True):
            try:
                wants[number] = in_hand[number].send(logits)
            except StopIteration as stop:
                made[number] = stop.value
                del in_hand[number], wants[number]
    return [made[number] for number in range(len(waiting))]


def comparable(caption: Caption) -> tuple[object, ...]:
    return caption.token_ids, caption.finish_reason, pytest.approx(caption.confidence, rel=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_captions_made_together(captioner: Captioner, batching: Captioner, seed: int) -> None:
    """Mixed prompts, lengths and beams, joining as they come, change no token of any caption."""
    rng = random.Random(seed)
    waiting = list(cases(16, rng))
    together = captions(batching, waiting, rng)
    for case, caption in zip(waiting, together, strict=True):
        expected = case.alone(captioner)
        assert comparable(caption) == comparable(expected)


def test_a_caption_given_up_leaves_its_row(captioner: Captioner, batching: Captioner) -> None:
    """Who stops taking steps makes room, and the others' captions stay what they are."""
    rng = random.Random(0)
    gone, stays, comes = [replace(case, prompt=None) for case in cases(3, rng)]
    first, second = gone.start(batching), stays.start(batching)
    _, logits = batching.step([next(first), next(second)])
    first.close()
    third = comes.start(batching)
    wants = {second: second.send(logits), third: next(third)}
    made = {}
    while wants:
        order = list(wants)
        for each, logits in zip(order, batching.step([wants[e] for e in order]), strict=True):
            try:
                wants[each] = each.send(logits)
            except StopIteration as stop:
                made[each] = stop.value
                del wants[each]
    assert made[second].token_ids == stays.alone(captioner).token_ids
    assert made[third].token_ids == comes.alone(captioner).token_ids


@pytest.mark.parametrize(("prompt", "room"), [(None, True), ("a picture of", False)])
def test_what_is_gathered_lies_in_memory_once(
    batching: Captioner, prompt: str | None, room: bool
) -> None:
    """In the rows of the next step; a prompt takes a step of its own, and no other may wait."""
    started = [
        Case(encoded(noise(number)), each, GenerationOptions()).start(batching)
        for number, each in enumerate((None, None, prompt))
    ]
    wants: list[Turn] = []
    answers = []
    for captioning in started:
        wants.append(next(captioning))
        answers.append(batching.gather(wants))
    assert answers == [True, True, room]
    assert [want.decoding.image.nbytes > 0 for want in wants] == [False, False, not room]
    for captioning in started:
        captioning.close()
