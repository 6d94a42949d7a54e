"""What tutorials run: transformers' BLIP in eager torch."""

import io
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor
from transformers.utils import logging

from benchmarks.peers.pipeline import Phases, Stopwatch


class TorchPipeline:
    """`generate` as it is; hooks around the vision model tell where encoding ends."""

    def __init__(self, checkpoint: Path, threads: int, dtype: torch.dtype) -> None:
        torch.set_num_threads(threads)
        logging.set_verbosity_error()
        self._dtype = dtype
        self._processor = BlipProcessor.from_pretrained(checkpoint)
        model: Any = BlipForConditionalGeneration.from_pretrained(checkpoint, dtype=dtype)
        self._model = model.eval()
        self._encoded_at = 0.0
        self._model.vision_model.register_forward_hook(self._note_end_of_encoding)

    def caption(self, jpeg: bytes, tokens: int) -> Phases:
        watch = Stopwatch()
        picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        inputs: Any = self._processor(picture, return_tensors="pt")
        inputs = inputs.to(self._dtype)
        preprocess = watch.lap()
        began = perf_counter()
        # At least as many tokens as at most: transformers' own way to keep a caption from ending.
        output = self._model.generate(**inputs, min_new_tokens=tokens, max_new_tokens=tokens)
        generate = watch.lap()
        encode = self._encoded_at - began
        return Phases(preprocess, encode, generate - encode, tuple(output[0, 1:].tolist()))

    def _note_end_of_encoding(self, *hook_arguments: object) -> None:
        self._encoded_at = perf_counter()
