"""A Step that asks transformers' own decoder, so that a search can be tested without ONNX."""

from typing import Any

import numpy as np
import torch

from server.captioning.scores import Scores
from server.captioning.sequences import Feed


class TorchStep:
    """Runs the whole sequences at every step: slow, and with no cache that could be wrong."""

    def __init__(self, model: Any, pixel_values: torch.Tensor) -> None:
        self._decoder = model.text_decoder
        self._image_embeds = model.vision_model(pixel_values).last_hidden_state
        self._sequences = np.empty((1, 0), np.int64)

    def __call__(self, feed: Feed) -> Scores:
        self._sequences = np.concatenate([self._sequences[feed.parents], feed.tokens], axis=1)
        output = self._decoder(
            input_ids=torch.from_numpy(self._sequences),
            encoder_hidden_states=self._image_embeds.expand(len(self._sequences), -1, -1),
        )
        logits: Scores = output.logits[:, -1].numpy()
        return logits
