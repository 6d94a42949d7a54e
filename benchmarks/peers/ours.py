"""This project's own runtime, as the server uses it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers.pipeline import Phases, Stopwatch
from server.captioning.captioner import Captioner
from server.captioning.generation.logits_processors import Scores, TokenIds
from server.captioning.generation.types import SearchSettings


@dataclass(frozen=True, slots=True)
class FixedLength(SearchSettings):
    """A search in which no caption ends before its greatest length: the end is never chosen."""

    def process(self, scores: Scores, token_ids: TokenIds) -> Scores:
        endless = SearchSettings.process(self, scores, token_ids).copy()
        endless[:, self.end_token] = -np.inf
        return endless


class OnnxPipeline:
    def __init__(self, directory: Path, threads: int) -> None:
        self._captioner = Captioner.open(directory, threads=threads, exact_decode=False)
        self._tokens = self._captioner.manifest.tokens

    def caption(self, jpeg: bytes, tokens: int) -> Phases:
        settings = FixedLength(end_token=self._tokens.sep, max_length=1 + tokens)
        watch = Stopwatch()
        pixel_values = self._captioner.preprocess(jpeg)
        preprocess = watch.lap()
        encoded = self._captioner.encode(pixel_values)
        encode = watch.lap()
        found = self._captioner.generate(encoded, (self._tokens.start,), settings)
        return Phases(preprocess, encode, watch.lap(), found.token_ids[1:])
