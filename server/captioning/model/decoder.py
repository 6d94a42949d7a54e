"""Tokens and an encoded picture -> logits of the next token."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.captioning.generation.logits_processors import Scores, TokenIds
from server.captioning.generation.types import Feed
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

#: The key and the value of every decoder layer, or what stands for them.
Values = list[NDArray[Any]]


class Decoder:
    def __init__(self, path: Path, manifest: Manifest, cross: Signature, threads: int) -> None:
        """`cross` is what the encoder puts out.

        Raises ModelDirectoryError if the graph isn't what that and the manifest say.
        """
        shape = manifest.decoder
        tokens = TensorType(INT64, (None, None))
        value = TensorType(FLOAT, (None, shape.heads, None, shape.head_dim))
        self._shape = shape
        self._past_names = key_value_names("past_key_values", shape.layers)
        self._cross_names = list(cross)
        self._session = Session(path, threads)
        self._session.expect(
            {"input_ids": tokens, "position_ids": tokens, "attention_mask": tokens}
            | dict.fromkeys(self._past_names, value)
            | dict(cross),
            {"logits": TensorType(FLOAT, (None, shape.vocab_size))}
            | dict.fromkeys(key_value_names("present", shape.layers), value),
        )

    def start(self, image: EncodedImage) -> "Decoding":
        """The decoding of one picture, at its beginning."""
        empty = np.empty((1, self._shape.heads, 0, self._shape.head_dim), np.float32)
        return Decoding(self, image, [empty] * len(self._past_names))

    def run(
        self, tokens: TokenIds, past: Values, lengths: Sequence[int], cross: Values
    ) -> tuple[Scores, Values]:
        """Logits float32 [rows, vocab] after the last of `tokens`, and the past with them in it.

        Tokens int64 [rows, new]. The past has as many rows, of which row r's tokens are the last
        `lengths[r]`: what lies to their left is not looked at. Cross-attention keys and values have
        as many rows too, or one for all.
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
                **dict(zip(self._cross_names, cross, strict=True)),
            }
        )
        return logits, present


class Decoding:
    """One picture's captions in the making, a row each: remembers the past between feeds."""

    def __init__(self, decoder: Decoder, image: EncodedImage, past: Values) -> None:
        self._decoder = decoder
        self.image = image
        self.past = past

    def __call__(self, feed: Feed) -> Scores:
        rows = self.past[0].shape[0]
        if not np.array_equal(feed.parents, np.arange(rows)):
            self.past = [each[feed.parents] for each in self.past]
        lengths = [self.past[0].shape[2]] * len(feed.tokens)
        logits, self.past = self._decoder.run(
            feed.tokens, self.past, lengths, list(self.image.cross_key_values)
        )
        return logits

    def hand_over(self) -> tuple[EncodedImage, Values]:
        """Its picture and its past, which it doesn't keep: somebody else goes on with it."""
        held = self.image, self.past
        self.image, self.past = EncodedImage(()), []
        return held
