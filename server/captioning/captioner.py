"""Bytes and prompt -> caption: the one class the rest of the server knows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from server.captioning import images, search
from server.captioning.decoder import Decoder
from server.captioning.encoder import EncodedImage, Encoder
from server.captioning.lengths import max_length
from server.captioning.model_directory import ModelDirectory
from server.captioning.options import GenerationOptions
from server.captioning.pixel_values import to_pixel_values
from server.captioning.prompts import Prompts
from server.captioning.sequences import Hypothesis, SearchSettings
from server.captioning.threads import available_threads


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds."""

    preprocess: float
    encode: float
    decode: float


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and how it came about.

    `token_ids` is the whole sequence, prompt included, as generate() returns it. `confidence` is
    the mean log-probability of the generated tokens, [SEP] included, each under the softmax of the
    decoder's logits before any penalty. `finish_reason` is "length" where the caption was cut off.
    """

    text: str
    token_ids: tuple[int, ...]
    confidence: float
    finish_reason: Literal["stop", "length"]
    timings: Timings


def never() -> bool:
    return False


class Captioner:
    """A loaded model. It serves one thread at a time and does not survive a fork."""

    def __init__(self, directory: ModelDirectory, threads: int, max_pixels: int) -> None:
        self.manifest = directory.manifest
        self.digest = directory.manifest.digest
        self.threads = threads
        self._max_pixels = max_pixels
        self._prompts = Prompts.open(directory.tokenizer, self.manifest)
        self._encoder = Encoder(directory.encoder, self.manifest, threads)
        self._decoder = Decoder(directory.decoder, self.manifest, threads)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        threads: int | None = None,
        max_pixels: int = images.DEFAULT_MAX_PIXELS,
    ) -> "Captioner":
        """Check and load a model directory, with as many threads as the process may use by default.

        Raises ModelDirectoryError.
        """
        return cls(ModelDirectory.open(directory), threads or available_threads(), max_pixels)

    def check(self, prompt: str | None, options: GenerationOptions) -> None:
        """Raises PromptTooLong or OptionOutOfRange where `caption` would, without any inference."""
        self._settings(self._prompts.encode(prompt), options)

    def caption(
        self,
        image: bytes,
        prompt: str | None,
        options: GenerationOptions,
        cancelled: Callable[[], bool] = never,
    ) -> Caption:
        """Blocking. Raises ImageError, PromptTooLong, OptionOutOfRange, and Cancelled."""
        prompt_ids = self._prompts.encode(prompt)
        settings = self._settings(prompt_ids, options)
        started = perf_counter()
        pixel_values = self.preprocess(image)
        preprocessed = perf_counter()
        encoded = self.encode(pixel_values)
        encoded_at = perf_counter()
        found = self.generate(encoded, prompt_ids, settings, cancelled)
        decoded = perf_counter()
        return Caption(
            text=self._prompts.decode(found.token_ids),
            token_ids=found.token_ids,
            confidence=fmean(found.log_probs),
            finish_reason="stop" if found.token_ids[-1] == settings.end_token else "length",
            timings=Timings(
                preprocess=preprocessed - started,
                encode=encoded_at - preprocessed,
                decode=decoded - encoded_at,
            ),
        )

    def preprocess(self, image: bytes) -> NDArray[np.float32]:
        """Pixel values float32 [1, 3, height, width]. Raises ImageError."""
        return to_pixel_values(images.decode(image, self._max_pixels), self.manifest.image)

    def encode(self, pixel_values: NDArray[np.float32]) -> EncodedImage:
        return self._encoder(pixel_values)

    def generate(
        self,
        image: EncodedImage,
        prompt_ids: tuple[int, ...],
        settings: SearchSettings,
        cancelled: Callable[[], bool] = never,
    ) -> Hypothesis:
        """The sequence that continues `prompt_ids`. Raises Cancelled between two decoder steps."""
        return search.run(search.start(prompt_ids, settings), self._decoder.start(image), cancelled)

    def warm_up(self) -> None:
        """Run both graphs once, so that the first caption doesn't pay for what they set up."""
        image = self.manifest.image
        encoded = self.encode(np.zeros((1, 3, image.height, image.width), np.float32))
        prompt_ids = self._prompts.encode(None)
        self.generate(
            encoded, prompt_ids, self._settings(prompt_ids, GenerationOptions(max_new_tokens=2))
        )

    def close(self) -> None:
        """Give the model's memory back. The captioner can't be used any more."""
        del self._encoder, self._decoder

    def _settings(self, prompt_ids: tuple[int, ...], options: GenerationOptions) -> SearchSettings:
        return SearchSettings(
            end_token=self.manifest.tokens.sep,
            max_length=max_length(len(prompt_ids), options, self.manifest),
            num_beams=options.num_beams,
            repetition_penalty=options.repetition_penalty,
            no_repeat_ngram_size=options.no_repeat_ngram_size,
            length_penalty=options.length_penalty,
            early_stopping=self.manifest.generation.early_stopping,
        )
