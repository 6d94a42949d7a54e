"""The captions that servers have to answer, from the model itself and without any server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.http.client import Question
from benchmarks.pictures import Picture
from benchmarks.processes import process
from server.captioning.caption import Caption
from server.captioning.captioner import Captioner
from server.captioning.options import GenerationOptions


@dataclass(frozen=True, slots=True)
class References:
    """By server; `tokens` are those of a caption without prompt, [SEP] included, on average."""

    captions: dict[str, dict[Question, str]]
    tokens: dict[str, float]


def reference_captions(
    directories: Mapping[str, Path],
    threads: int,
    pictures: Sequence[Picture],
    prompts: Sequence[str | None],
) -> References:
    """Of the servers of which `directories` names the model: every picture with every prompt.

    None, which stands for no prompt, has to be among `prompts`.
    """
    captions: dict[Path, dict[Question, Caption]] = {}
    for directory in dict.fromkeys(directories.values()):
        with process() as call:
            captions[directory] = call(
                _caption_all, directory, threads, list(pictures), list(prompts)
            )
    found = {server: captions[directory] for server, directory in directories.items()}
    return References(
        captions={server: _texts(each) for server, each in found.items()},
        tokens={server: _mean_tokens(each) for server, each in found.items()},
    )


def _texts(captions: Mapping[Question, Caption]) -> dict[Question, str]:
    return {question: caption.text for question, caption in captions.items()}


def _mean_tokens(captions: Mapping[Question, Caption]) -> float:
    """Without the token that every caption starts with: it is given."""
    return fmean(
        len(caption.token_ids) - 1
        for question, caption in captions.items()
        if question.prompt is None
    )


def _caption_all(
    directory: Path, threads: int, pictures: list[Picture], prompts: list[str | None]
) -> dict[Question, Caption]:
    # Large JPEGs as servers decode them by default.
    captioner = Captioner.open(directory, threads=threads, exact_decode=False)
    options = GenerationOptions()
    return {
        Question(picture.name, prompt): captioner.caption(picture.jpeg, prompt, options)
        for picture in pictures
        for prompt in prompts
    }
