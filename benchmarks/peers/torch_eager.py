"""transformers' BLIP in eager torch, as tutorials run it."""

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
    """Runs `generate`; a hook on the vision model notes the end of encoding."""

    def __init__(self, checkpoint: Path, threads: int, *, bf16: bool) -> None:
        torch.set_num_threads(threads)
        logging.set_verbosity_error()
        self._dtype = torch.bfloat16 if bf16 else torch.float32
        self._processor = BlipProcessor.from_pretrained(checkpoint)
        model: Any = BlipForConditionalGeneration.from_pretrained(checkpoint, dtype=self._dtype)
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
        output = self._model.generate(**inputs, max_new_tokens=tokens)
        generate = watch.lap()
        encode = self._encoded_at - began
        return Phases(preprocess, encode, generate - encode, tuple(output[0, 1:].tolist()))

    def _note_end_of_encoding(self, *hook_arguments: object) -> None:
        self._encoded_at = perf_counter()
