"""This project's captioning runtime as a pipeline, and as the reference for captions.

This is the only module of the suite that imports the runtime. In a competitor's process its memory
would count as the competitor's.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.pipeline import Phases, Stopwatch
from server.captioning.captioner import BlipCaptioner
from server.captioning.options import GenerationOptions


class OnnxPipeline:
    """Captions as the server does, with large JPEGs decoded at a fraction of their scale."""

    def __init__(self, directory: Path, threads: int) -> None:
        self._captioner = BlipCaptioner.open(directory, threads=threads, exact_decode=False)

    def caption(self, jpeg: bytes, tokens: int) -> Phases:
        request = self._captioner.resolve(None, GenerationOptions(max_new_tokens=tokens))
        watch = Stopwatch()
        pixels = self._captioner.decode(jpeg)
        preprocess = watch.lap()
        image = self._captioner.encode(pixels)
        encode = watch.lap()
        found = self._captioner.generate(image, request)
        return Phases(preprocess, encode, watch.lap(), found.token_ids[1:])


def caption_texts(
    directory: Path, threads: int, asked: Sequence[tuple[bytes, str | None]]
) -> list[str]:
    """Caption each picture with its prompt, with the options of a request that names none."""
    captioner = BlipCaptioner.open(directory, threads=threads, exact_decode=False)
    options = GenerationOptions()
    return [captioner.caption(image, prompt, options).text for image, prompt in asked]
