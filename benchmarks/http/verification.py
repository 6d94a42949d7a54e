"""Verification of answers: a server that answers wrong must not look fast."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.errors import WrongAnswer
from benchmarks.http.client import Answer, Question, Target
from benchmarks.peers.ours import caption_texts
from benchmarks.pictures import Picture
from benchmarks.processes import process


class Verifier:
    """Holds the expected captions by server: known in advance, else the server's first answer.

    Servers may differ, as one may run the same model in another precision.
    """

    def __init__(self, known: Mapping[str, Mapping[Question, str]]) -> None:
        self.captions = {server: dict(captions) for server, captions in known.items()}

    def check(self, target: Target, question: Question, answer: Answer, *caches: str) -> None:
        """Raises WrongAnswer for an error, another caption, or an X-Cache other than `caches`."""
        if answer.status != 200 or not isinstance(answer.caption, str):
            raise WrongAnswer(
                f"{target.name} answered {question} with status {answer.status} "
                f"({answer.error or 'no message'}) where a caption must be"
            )
        captions = self.captions.setdefault(target.name, {})
        expected = captions.setdefault(question, answer.caption)
        if answer.caption != expected:
            raise WrongAnswer(
                f"{target.name} captioned {question} {answer.caption!r:.80} where the caption is "
                f"{expected!r:.80}; its figures would mean nothing"
            )
        if answer.cache not in caches:
            raise WrongAnswer(
                f"{target.name} answered {question} with {answer.cache} where it must be "
                f"{' or '.join(caches)}; its figures would mean nothing"
            )


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
    found = {}
    for server, directory in directories.items():
        with process() as other:
            captions = other.submit(caption_texts, directory, threads, files).result()
        found[server] = dict(zip(questions, captions, strict=True))
    return found
