"""One caption while its tokens are generated."""

from server.captioning.arrays import KVCache, Logits
from server.captioning.generation.types import DecoderInput, Hypothesis, Search
from server.captioning.model.encoder import EncodedImage


class Generation:
    """The state of one caption between decoder steps: a search and its KV cache.

    It has one row in the decoder, or `num_beams` of them. It serves one thread at a time.
    """

    def __init__(
        self, image: EncodedImage, search: Search, kv_cache: KVCache, num_beams: int = 1
    ) -> None:
        self.image = image
        self.kv_cache = kv_cache
        self.num_beams = num_beams
        self._search = search

    @property
    def decoder_input(self) -> DecoderInput:
        """The tokens that the next decoder step has to process."""
        return self._search.decoder_input

    @property
    def finished(self) -> Hypothesis | None:
        """The token sequence, or None while more steps are needed."""
        return self._search.finished

    def advance(self, logits: Logits) -> None:
        """Choose the next token of every row by its logits float32 [rows, vocab]."""
        self._search.advance(logits)
