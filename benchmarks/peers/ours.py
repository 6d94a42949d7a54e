"""This project's own runtime, as the server uses it."""

from pathlib import Path

from benchmarks.peers.pipeline import Phases, Stopwatch
from server.captioning.captioner import Captioner
from server.captioning.sequences import SearchSettings

#: No vocabulary has it, so no caption ends before its greatest length.
NO_TOKEN = -1


class OnnxPipeline:
    def __init__(self, directory: Path, threads: int) -> None:
        self._captioner = Captioner.open(directory, threads=threads)
        self._prompt_ids = (self._captioner.manifest.tokens.start,)

    def caption(self, jpeg: bytes, tokens: int) -> Phases:
        settings = SearchSettings(end_token=NO_TOKEN, max_length=len(self._prompt_ids) + tokens)
        watch = Stopwatch()
        pixel_values = self._captioner.preprocess(jpeg)
        preprocess = watch.lap()
        encoded = self._captioner.encode(pixel_values)
        encode = watch.lap()
        found = self._captioner.generate(encoded, self._prompt_ids, settings)
        return Phases(preprocess, encode, watch.lap(), found.token_ids[len(self._prompt_ids) :])
