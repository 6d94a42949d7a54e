"""Bytes and prompt -> caption: the one class the rest of the server knows."""

from collections.abc import Generator, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from server.captioning.caption import Caption, Timings
from server.captioning.generation import greedy_search as search
from server.captioning.generation.decoder_batch import Batch, Turn, turns
from server.captioning.generation.logits_processors import Scores
from server.captioning.generation.types import Hypothesis, SearchSettings
from server.captioning.image.decode import DEFAULT_MAX_PIXELS
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.image.pixel_values import to_pixel_values
from server.captioning.lengths import max_length
from server.captioning.memory import give_back_free_memory
from server.captioning.model.decoder import Decoder
from server.captioning.model.directory import ModelDirectory
from server.captioning.model.encoder import EncodedImage, Encoder
from server.captioning.model.encoder_cache import EncoderCache
from server.captioning.model.tokenizer import PromptTokenizer
from server.captioning.options import GenerationOptions
from server.captioning.threads import available_threads

#: A caption in the making: yields what it wants of the decoder next, and is sent the logits.
Captioning = Generator[Turn, Scores, Caption]


class Captioner:
    """A loaded model. It serves one thread at a time and does not survive a fork."""

    def __init__(
        self,
        directory: ModelDirectory,
        *,
        threads: int,
        max_pixels: int,
        exact_decode: bool,
        batch_size: int,
        encoder_cache_bytes: int,
    ) -> None:
        self.manifest = directory.manifest
        self.digest = directory.manifest.digest
        self.threads = threads
        self.exact_decode = exact_decode
        self._decode_picture = PictureDecoder(
            self.manifest.image, max_pixels=max_pixels, exact_decode=exact_decode
        )
        self._prompts = PromptTokenizer.open(directory.tokenizer, self.manifest)
        self._encoder = Encoder(directory.encoder, self.manifest, threads)
        self._decoder = Decoder(directory.decoder, self.manifest, self._encoder.outputs, threads)
        self._batch = Batch(self._decoder, batch_size)
        self._known = EncoderCache(encoder_cache_bytes)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        threads: int | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        exact_decode: bool = True,
        batch_size: int = 1,
        encoder_cache_bytes: int = 0,
    ) -> "Captioner":
        """Check and load a model directory, with as many threads as the process may use by default.

        With `exact_decode` the pixel values of any picture are transformers' own; without, those of
        large JPEGs are near them and come sooner, as the server has it (image.jpeg_draft).
        Raises ModelDirectoryError.
        """
        return cls(
            ModelDirectory.open(directory),
            threads=threads or available_threads(),
            max_pixels=max_pixels,
            exact_decode=exact_decode,
            batch_size=batch_size,
            encoder_cache_bytes=encoder_cache_bytes,
        )

    def caption(self, image: bytes, prompt: str | None, options: GenerationOptions) -> Caption:
        """Blocking. Raises ImageError, PromptTooLong, and OptionOutOfRange."""
        return search.run(self.start(image, prompt, options), self._step_alone)

    def start(self, image: bytes, prompt: str | None, options: GenerationOptions) -> Captioning:
        """A caption for whoever drives it, by `step`, and others along with it.

        The picture is encoded before the first turn. Raises ImageError, PromptTooLong, and
        OptionOutOfRange then.
        """
        prompt_ids = self._prompts.encode(prompt)
        settings = self._settings(prompt_ids, options)
        started = perf_counter()
        encoded, preprocessed = self._encoded(image)
        encoded_at = perf_counter()
        decoding = self._decode(encoded, prompt_ids, settings)
        del image, encoded  # They are large, and who decodes decides how long that is kept.
        found = yield from decoding
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

    def gather(self, turns: Sequence[Turn]) -> bool:
        """Prepare a step for all captions started so far; whether one more may come to it."""
        return self._batch.gather(turns)

    def step(self, turns: Sequence[Turn]) -> list[Scores]:
        """One step of the decoder for every caption in the making, at most `batch_size` of them."""
        return self._batch.step(turns)

    def preprocess(self, image: bytes) -> NDArray[np.float32]:
        """Pixel values float32 [1, 3, height, width]. Raises ImageError."""
        return to_pixel_values(self._decode_picture(image), self.manifest.image)

    def encode(self, pixel_values: NDArray[np.float32]) -> EncodedImage:
        return self._encoder(pixel_values)

    def generate(
        self, image: EncodedImage, prompt_ids: tuple[int, ...], settings: SearchSettings
    ) -> Hypothesis:
        """The sequence that continues `prompt_ids`."""
        return search.run(self._decode(image, prompt_ids, settings), self._step_alone)

    def warm_up(self) -> None:
        """Run both graphs once, so that the first caption doesn't pay for what they set up.

        What loading them took, and running them doesn't, goes back to the system.
        """
        image = self.manifest.image
        encoded = self.encode(np.zeros((1, 3, image.height, image.width), np.float32))
        prompt_ids = self._prompts.encode(None)
        self.generate(
            encoded, prompt_ids, self._settings(prompt_ids, GenerationOptions(max_new_tokens=2))
        )
        give_back_free_memory()

    def close(self) -> None:
        """Leave the model's memory to the next one. The captioner can't be used any more."""
        self._decode_picture.close()
        del self._encoder, self._decoder, self._batch

    def _encoded(self, image: bytes) -> tuple[EncodedImage, float]:
        """The picture encoded, now or earlier, and the moment when its pixel values were there."""
        digest = sha256(image).digest()
        known = self._known.get(digest)
        if known:
            return known, perf_counter()
        pixel_values = self.preprocess(image)
        preprocessed = perf_counter()
        encoded = self.encode(pixel_values)
        self._known.put(digest, encoded)
        return encoded, preprocessed

    def _decode(
        self, image: EncodedImage, prompt_ids: tuple[int, ...], settings: SearchSettings
    ) -> Generator[Turn, Scores, Hypothesis]:
        return turns(self._decoder.start(image), prompt_ids, settings)

    def _step_alone(self, turn: Turn) -> Scores:
        (logits,) = self.step([turn])
        return logits

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
