"""Picture and prompt -> caption: the model that the server and the other tools use."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from server.captioning.arrays import Logits, Pixels, PixelValues
from server.captioning.caption import Caption
from server.captioning.generation.decoder_batch import DecoderBatch
from server.captioning.generation.generation import Generation
from server.captioning.generation.search import start_search
from server.captioning.generation.settings import resolve_settings
from server.captioning.generation.types import GenerationRequest, Hypothesis
from server.captioning.image.decode import DEFAULT_MAX_PIXELS
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.image.pixel_values import to_pixel_values
from server.captioning.memory import give_back_free_memory
from server.captioning.model.decoder import Decoder
from server.captioning.model.directory import ModelDirectory
from server.captioning.model.encoder import EncodedImage, Encoder
from server.captioning.model.encoder_cache import EncoderCache
from server.captioning.model.tokenizer import PromptTokenizer
from server.captioning.options import GenerationOptions
from server.captioning.threads import available_threads


class BlipCaptioner:
    """A loaded model directory, as a CaptionModel.

    `prefill`, `step` and `warm_up` run the model and belong to one thread at a time. The other
    methods may be called from any thread. The object does not survive a fork.
    """

    def __init__(
        self,
        directory: ModelDirectory,
        *,
        threads: int,
        max_pixels: int,
        exact_decode: bool,
        encoder_cache_bytes: int,
    ) -> None:
        self.manifest = directory.manifest
        self.digest = directory.manifest.digest
        self.threads = threads
        self.exact_decode = exact_decode
        self._picture_decoder = PictureDecoder(
            self.manifest.image, max_pixels=max_pixels, exact_decode=exact_decode
        )
        self._tokenizer = PromptTokenizer.open(directory.tokenizer, self.manifest)
        self._encoder = Encoder(directory.encoder, self.manifest, threads)
        self._decoder = Decoder(directory.decoder, self.manifest, self._encoder.outputs, threads)
        self._batch = DecoderBatch(self._decoder)
        self._encoder_cache = EncoderCache(encoder_cache_bytes)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        threads: int | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        exact_decode: bool = True,
        encoder_cache_bytes: int = 0,
    ) -> "BlipCaptioner":
        """Check and load a model directory. Use all threads that the process may use by default.

        With `exact_decode` the pixel values of every picture equal transformers'. Without it, large
        JPEGs are decoded at a reduced scale, which is faster and close to that. Raises
        ModelDirectoryError.
        """
        return cls(
            ModelDirectory.open(directory),
            threads=threads or available_threads(),
            max_pixels=max_pixels,
            exact_decode=exact_decode,
            encoder_cache_bytes=encoder_cache_bytes,
        )

    def caption(self, image: bytes, prompt: str | None, options: GenerationOptions) -> Caption:
        """Caption one picture. Blocks. Raises ImageError, PromptTooLong and OptionOutOfRange."""
        request = self.resolve(prompt, options)
        return self.finish(self.generate(self.encode(self.decode(image)), request))

    def resolve(self, prompt: str | None, options: GenerationOptions) -> GenerationRequest:
        """Tokenize the prompt and resolve the options.

        Raises PromptTooLong and OptionOutOfRange.
        """
        prompt_ids = self._tokenizer.encode(prompt)
        return GenerationRequest(
            prompt_ids, resolve_settings(len(prompt_ids), options, self.manifest)
        )

    def find_encoded(self, image_digest: bytes) -> EncodedImage | None:
        """Return the picture with this SHA-256 from the encoder cache, or None."""
        return self._encoder_cache.get(image_digest)

    def decode(self, image: bytes) -> Pixels:
        """Decode a picture file. Raises ImageError."""
        return self._picture_decoder(image)

    def prefill(
        self, image: Pixels | EncodedImage, image_digest: bytes, request: GenerationRequest
    ) -> Generation:
        """Encode a picture unless it is encoded, and begin its caption.

        The tokens of the prompt enter the decoder with the first step, which other sequences may
        share.
        """
        if isinstance(image, EncodedImage):
            encoded = image
        else:
            encoded = self.encode(image)
            self._encoder_cache.put(image_digest, encoded)
        return self._begin(encoded, request)

    def step(self, generations: Sequence[Generation]) -> list[Logits]:
        """Run one decoder step. Returns the logits float32 [rows, vocab] of each generation."""
        return self._batch.step(generations)

    def finish(self, hypothesis: Hypothesis) -> Caption:
        """Detokenize a finished sequence."""
        ended = hypothesis.token_ids[-1] == self.manifest.tokens.sep
        return Caption(
            text=self._tokenizer.decode(hypothesis.token_ids),
            token_ids=hypothesis.token_ids,
            confidence=min(1.0, math.exp(fmean(hypothesis.log_probs))),
            finish_reason="stop" if ended else "length",
        )

    def continuation(self, caption: Caption, prompt: str | None) -> str:
        """Return the caption's text without the prompt that it continues."""
        prompt_length = len(self._tokenizer.encode(prompt))
        return self._tokenizer.decode(caption.token_ids[prompt_length:])

    def preprocess(self, image: bytes) -> PixelValues:
        """Return the pixel values of a picture file. Raises ImageError."""
        return to_pixel_values(self.decode(image), self.manifest.image)

    def encode(self, pixels: Pixels) -> EncodedImage:
        """Run the encoder."""
        return self._encoder(to_pixel_values(pixels, self.manifest.image))

    def generate(self, image: EncodedImage, request: GenerationRequest) -> Hypothesis:
        """Generate the token sequence of one picture. Blocks."""
        generation = self._begin(image, request)
        while generation.finished is None:
            (logits,) = self.step([generation])
            generation.advance(logits)
        return generation.finished

    def logits_along(self, image: EncodedImage, token_ids: tuple[int, ...]) -> Logits:
        """Return the logits float32 [tokens, vocab] after each of the given tokens.

        The tokens enter one at a time, so that the decoder computes what it computes for a caption.
        """
        rows, kv_cache = [], self._decoder.empty_kv_cache()
        for token in token_ids:
            logits, kv_cache = self._decoder.step(np.array([[token]]), kv_cache, image)
            rows.append(logits)
        return np.concatenate(rows)

    def warm_up(self) -> None:
        """Run both graphs once, so that the first caption is as fast as the following ones.

        Memory that loading the graphs needed goes back to the system.
        """
        image = self.manifest.image
        pixels = np.zeros((image.height, image.width, 3), np.uint8)
        self.generate(self.encode(pixels), self.resolve(None, GenerationOptions(max_new_tokens=2)))
        give_back_free_memory()

    def close(self) -> None:
        """Release the model's memory. The captioner can't be used afterwards."""
        self._picture_decoder.close()
        del self._encoder, self._decoder, self._batch

    def _begin(self, image: EncodedImage, request: GenerationRequest) -> Generation:
        return Generation(
            image, start_search(request), self._decoder.empty_kv_cache(), request.settings.num_beams
        )
