"""Verification of answers: a server that answers wrong must not look fast."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from benchmarks.errors import WrongAnswer
from benchmarks.http.client import Answer, Question, Target
from benchmarks.peers.ours import caption_texts
from benchmarks.pictures import Picture
from benchmarks.processes import process

Cache = Literal["MISS", "HIT"]


class Verifier:
    """Holds the expected captions by server: known in advance, else the server's first answer.

    Servers may differ, as one may run the same model in another precision.
    """

    def __init__(self, known: Mapping[str, Mapping[Question, str]]) -> None:
        self.captions = {server: dict(captions) for server, captions in known.items()}

    def check(self, target: Target, question: Question, answer: Answer, cache: Cache) -> None:
        """Raises WrongAnswer for an error, another caption, or another source than `cache`."""
        self.check_caption(target, question, answer)
        source = cache_of(target, answer)
        if source != cache:
            raise WrongAnswer(_source(target, question, source, cache))

    def check_new(self, target: Target, question: Question, answer: Answer) -> None:
        """Raises WrongAnswer for an error, another caption, or a hit for a file never sent before.

        The server may state MISS or another source that is no hit.
        """
        self.check_caption(target, question, answer)
        if cache_of(target, answer) == "HIT":
            raise WrongAnswer(_source(target, question, "HIT", "MISS"))

    def check_caption(self, target: Target, question: Question, answer: Answer) -> None:
        """Raises WrongAnswer for an error or another caption."""
        if answer.status != 200:
            raise WrongAnswer(
                f"{target.name} answered {question} with status {answer.status} "
                f"({answer.error or 'no message'}) where a caption must be"
            )
        if not isinstance(answer.caption, str):
            raise WrongAnswer(f"{target.name} answered {question} without a caption")
        captions = self.captions.setdefault(target.name, {})
        expected = captions.setdefault(question, answer.caption)
        if answer.caption != expected:
            raise WrongAnswer(
                f"{target.name} captioned {question} {answer.caption!r:.80} where the caption is "
                f"{expected!r:.80}; its figures would mean nothing"
            )


def cache_of(target: Target, answer: Answer) -> str:
    """Return MISS, HIT, or whatever else the server states.

    Raises WrongAnswer if X-Cache and the body contradict each other.
    """
    if answer.x_cache is None:
        if target.states_cache:
            return "no X-Cache header"
        return "HIT" if answer.cached else "MISS"
    if (answer.x_cache == "HIT") != bool(answer.cached):
        raise WrongAnswer(
            f"{target.name} contradicts itself: X-Cache is {answer.x_cache}, cached is "
            f"{answer.cached}"
        )
    return answer.x_cache


def _source(target: Target, question: Question, source: str, cache: Cache) -> str:
    return (
        f"{target.name} answered {question} with {source} where it must be {cache}; "
        f"{_CONSEQUENCES[cache]}"
    )


_CONSEQUENCES = {
    "MISS": "it never saw this file, so it would look fast without captioning it",
    "HIT": "it captioned this file before, so its cache does not work",
}


def reference_captions(
    directories: Mapping[str, Path],
    threads: int,
    pictures: Sequence[Picture],
    prompts: Sequence[str | None],
) -> dict[str, dict[Question, str]]:
    """Caption every picture with every prompt, without a server; return the captions by server.

    `directories` names each server's model directory. Raises ModelDirectoryError.
    """
    asked = [(picture, prompt) for picture in pictures for prompt in prompts]
    questions = [Question(picture.name, prompt) for picture, prompt in asked]
    files = [(picture.jpeg, prompt) for picture, prompt in asked]
    texts: dict[Path, dict[Question, str]] = {}
    for directory in dict.fromkeys(directories.values()):
        with process() as call:
            captions = call(caption_texts, directory, threads, files)
        texts[directory] = dict(zip(questions, captions, strict=True))
    return {server: texts[directory] for server, directory in directories.items()}
