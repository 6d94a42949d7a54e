"""Tokens and an encoded picture -> logits of the next token."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.captioning.encoder import EncodedImage, cross_key_values
from server.captioning.manifest import Manifest
from server.captioning.scores import Scores
from server.captioning.sequences import Feed
from server.captioning.sessions import Session, TensorType, key_value_names


class Decoder:
    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        """Raises ModelDirectoryError if the graph isn't what the manifest says."""
        shape = manifest.decoder
        tokens = TensorType("tensor(int64)", (None, None))
        value = TensorType("tensor(float)", (None, shape.heads, None, shape.head_dim))
        self._shape = shape
        self._past_names = key_value_names("past_key_values", shape.layers)
        self._cross_names = key_value_names("cross_key_values", shape.layers)
        self._session = Session(
            path,
            {"input_ids": tokens, "position_ids": tokens, "attention_mask": tokens}
            | dict.fromkeys(self._past_names, value)
            | cross_key_values(shape),
            {"logits": TensorType("tensor(float)", (None, shape.vocab_size))}
            | dict.fromkeys(key_value_names("present", shape.layers), value),
            threads,
        )

    def start(self, image: EncodedImage) -> "Decoding":
        """The decoding of one caption, at its beginning."""
        empty = np.empty((1, self._shape.heads, 0, self._shape.head_dim), np.float32)
        return Decoding(self, image, [empty] * len(self._past_names))

    def step(
        self, feed: Feed, past: list[NDArray[np.float32]], image: EncodedImage
    ) -> tuple[Scores, list[NDArray[np.float32]]]:
        """Logits float32 [rows, vocab] and the past with the feed's tokens in it."""
        rows, new = feed.tokens.shape
        length = past[0].shape[2] + new
        positions = np.arange(length - new, length)
        logits, *present = self._session.run(
            {
                "input_ids": feed.tokens,
                "position_ids": np.broadcast_to(positions, (rows, new)),
                "attention_mask": np.ones((rows, length), np.int64),
                **dict(zip(self._past_names, past, strict=True)),
                **dict(zip(self._cross_names, image.cross_key_values, strict=True)),
            }
        )
        return logits, present


class Decoding:
    """The Step of one caption: remembers the past between feeds."""

    def __init__(
        self, decoder: Decoder, image: EncodedImage, past: list[NDArray[np.float32]]
    ) -> None:
        self._decoder = decoder
        self._image = image
        self._past = past

    def __call__(self, feed: Feed) -> Scores:
        rows = self._past[0].shape[0]
        if not np.array_equal(feed.parents, np.arange(rows)):
            self._past = [each[feed.parents] for each in self._past]
        logits, self._past = self._decoder.step(feed, self._past, self._image)
        return logits
