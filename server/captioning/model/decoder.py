"""Tokens and an encoded picture -> logits of the next token."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from server.captioning.arrays import ImageArrays, KVCache, Logits, TokenIds
from server.captioning.model.encoder import EncodedImage
from server.captioning.model.manifest import Manifest
from server.captioning.model.session import (
    FLOAT,
    INT64,
    Session,
    Signature,
    TensorType,
    key_value_names,
)


class Decoder:
    def __init__(self, path: Path, manifest: Manifest, image: Signature, threads: int) -> None:
        """Load the graph. `image` are the encoder's outputs.

        Raises ModelDirectoryError if the graph isn't what they and the manifest say.
        """
        shape = manifest.decoder
        tokens = TensorType(INT64, (None, None))
        value = TensorType(FLOAT, (None, shape.heads, None, shape.head_dim))
        self._shape = shape
        self._past_names = key_value_names("past_key_values", shape.layers)
        self._image_names = list(image)
        self._session = Session(path, threads)
        self._session.expect(
            {"input_ids": tokens, "position_ids": tokens, "attention_mask": tokens}
            | dict.fromkeys(self._past_names, value)
            | dict(image),
            {"logits": TensorType(FLOAT, (None, shape.vocab_size))}
            | dict.fromkeys(key_value_names("present", shape.layers), value),
        )

    def empty_kv_cache(self) -> KVCache:
        """Return the KV cache of one row before its first token."""
        empty = np.empty((1, self._shape.heads, 0, self._shape.head_dim), np.float32)
        return [empty] * len(self._past_names)

    def step(
        self, tokens: TokenIds, kv_cache: KVCache, image: EncodedImage
    ) -> tuple[Logits, KVCache]:
        """Run rows of equal length over one picture.

        Takes tokens int64 [rows, new] and a KV cache of as many rows. Returns logits float32 [rows,
        vocab] after the last token, and the KV cache with the tokens in it.
        """
        lengths = [kv_cache[0].shape[2]] * len(tokens)
        return self.run(tokens, kv_cache, lengths, image.arrays)

    def run(
        self, tokens: TokenIds, past: KVCache, lengths: Sequence[int], image: ImageArrays
    ) -> tuple[Logits, KVCache]:
        """Run rows of any lengths, over a picture each or over one for all.

        Args:
            tokens: int64 [rows, new]
            past: the KV cache of as many rows. The tokens of row r are its last `lengths[r]`; what
                is to their left is padding.
            lengths: as many numbers
            image: the encoder's outputs, with as many rows or one

        Returns:
            logits: float32 [rows, vocab], after the last token
            present: the KV cache with the tokens in it
        """
        stored, new = past[0].shape[2], tokens.shape[1]
        padding = stored - np.array(lengths)[:, np.newaxis]
        positions = np.arange(stored + new)
        logits, *present = self._session.run(
            {
                "input_ids": tokens,
                "position_ids": positions[stored:] - padding,
                "attention_mask": (positions >= padding).astype(np.int64),
                **dict(zip(self._past_names, past, strict=True)),
                **dict(zip(self._image_names, image, strict=True)),
            }
        )
        return logits, present
