"""OpenVINO on the graphs of openvino_models, without torch or transformers around it."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino

from benchmarks.peers.pipeline import Phases, Stopwatch
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.image.pixel_values import to_pixel_values
from server.captioning.model.manifest import Manifest

Hint = Literal["f32", "bf16"]


class OpenVinoPipeline:
    """Preprocessing is ours, which takes less time than the processor of OpenVINO's notebook."""

    def __init__(self, directory: Path, manifest: Manifest, threads: int, hint: Hint) -> None:
        """`hint`: the precision of what is not int8 already."""
        core = openvino.Core()
        config = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": hint,
        }
        self._manifest = manifest
        self._decode_picture = PictureDecoder(manifest.image, exact_decode=True)
        self._encoder, self._decoder = (
            core.compile_model(directory / name, "CPU", config).create_infer_request()
            for name in ("encoder.xml", "decoder.xml")
        )

    def caption(self, jpeg: bytes, tokens: int) -> Phases:
        watch = Stopwatch()
        pixel_values = to_pixel_values(self._decode_picture(jpeg), self._manifest.image)
        preprocess = watch.lap()
        self._encoder.infer([pixel_values], share_inputs=True)
        encode = watch.lap()
        token_ids = self._decode(tokens)
        return Phases(preprocess, encode, watch.lap(), token_ids)

    def _decode(self, tokens: int) -> tuple[int, ...]:
        """Greedily. The memory stays where the encoder left it; only the past is copied."""
        shape = self._manifest.decoder
        states = 2 * shape.layers
        for index, memory in enumerate(self._encoder.output_tensors):
            self._decoder.set_input_tensor(2 + states + index, memory)
        past = [np.empty((1, shape.heads, 0, shape.head_dim), np.float32)] * states
        token_ids = [self._manifest.tokens.start]
        for position in range(tokens):
            logits, past = self._step(token_ids[-1], position, past)
            # No caption ends before its greatest length.
            logits[:, self._manifest.tokens.sep] = -np.inf
            token_ids.append(int(logits.argmax()))
        return tuple(token_ids[1:])

    def _step(self, token: int, position: int, past: list[Any]) -> tuple[Any, list[Any]]:
        inputs = [np.array([[token]]), np.array([[position]]), *past]
        for index, array in enumerate(inputs):
            self._decoder.set_input_tensor(index, openvino.Tensor(array))
        self._decoder.infer()
        logits, *present = (tensor.data.copy() for tensor in self._decoder.output_tensors)
        return logits, present
