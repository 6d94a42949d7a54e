"""How far the runtime's logits are from transformers', along transformers' own captions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BlipProcessor

from export.checkpoint import Checkpoint
from export.verification.parity import Case, TokenIds
from server.captioning.captioner import BlipCaptioner

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LogitError:
    """The distance between two sets of logits, over all steps of all captions.

    `mean` is the mean absolute difference, `cosine` the mean cosine. `gap` is the median absolute
    change of the difference between the two tokens that transformers finds likeliest.
    """

    mean: float
    cosine: float
    gap: float


def transformers_logits(
    checkpoint: Checkpoint, cases: Sequence[Case], captions: Sequence[TokenIds]
) -> Iterator[Logits]:
    """f32 [length - 1, vocab] for each caption: what is predicted after each of its tokens."""
    processor = BlipProcessor(checkpoint.image_processor, checkpoint.tokenizer)
    for case, caption in zip(cases, captions, strict=True):
        pixel_values = processor(case.picture.decode(), return_tensors="pt").pixel_values
        with torch.inference_mode():
            output = checkpoint.model(pixel_values, input_ids=torch.tensor([caption[:-1]]))
        yield output.logits[0].numpy()


def runtime_logits(
    path: Path, cases: Sequence[Case], captions: Sequence[TokenIds]
) -> Iterator[Logits]:
    """The same from the graphs of a model directory, token by token."""
    captioner = BlipCaptioner.open(path)
    for case, caption in zip(cases, captions, strict=True):
        encoded = captioner.encode(captioner.decode(case.picture.data))
        yield captioner.logits_along(encoded, caption[:-1])
    captioner.close()


def logit_error(expected: Iterable[Logits], found: Iterable[Logits]) -> LogitError:
    """Measure how far logits f32 [steps, vocab] of captions are from the expected ones."""
    one, other = (np.concatenate(list(each)) for each in (expected, found))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(axis=1) / norms
    likeliest = np.argpartition(one, -2, axis=1)[:, -2:]
    gaps = [np.diff(np.take_along_axis(each, likeliest, axis=1)) for each in (one, other)]
    return LogitError(
        mean=float(np.abs(one - other).mean()),
        cosine=float(cosines.mean()),
        gap=float(np.median(np.abs(gaps[0] - gaps[1]))),
    )
