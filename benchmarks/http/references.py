"""The captions that servers have to answer, from the model itself and without any server."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.http.client import Question
from benchmarks.pictures import Picture
from benchmarks.processes import process
from server.captioning.captioner import Captioner
from server.captioning.options import GenerationOptions


def reference_captions(
    directories: Mapping[str, Path],
    threads: int,
    pictures: Sequence[Picture],
    prompts: Sequence[str | None],
) -> dict[str, dict[Question, str]]:
    """By server, of which `directories` names the model: every picture with every prompt."""
    captions = {}
    for directory in dict.fromkeys(directories.values()):
        with process() as call:
            captions[directory] = call(
                _caption_all, directory, threads, list(pictures), list(prompts)
            )
    return {server: captions[directory] for server, directory in directories.items()}


def _caption_all(
    directory: Path, threads: int, pictures: list[Picture], prompts: list[str | None]
) -> dict[Question, str]:
    captioner = Captioner.open(directory, threads=threads)
    options = GenerationOptions()
    return {
        Question(picture.name, prompt): captioner.caption(picture.jpeg, prompt, options).text
        for picture in pictures
        for prompt in prompts
    }
