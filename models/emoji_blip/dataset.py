"""Training samples: the picture of a scene, its caption as token ids, the class of each patch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset
from transformers import BertTokenizerFast

from models.emoji_blip.catalogue import ObjectClass
from models.emoji_blip.scenes import describe, render, sample_scene

PREFIXES = (
    "a picture of",
    "a photo of",
    "an image of",
    "there is",
    "this is",
    "we see",
    "a drawing of",
)
PREFIX_SHARE = 0.25
UNKNOWN_PREFIX_SHARE = 0.1
MAX_TOKENS = 20  # transformers' default length, [DEC] and [SEP] included
IGNORED = -100
COVERED = 0.3  # share of a patch that an object must fill to be its label
RENDER_SIDES = (
    1.0,
    1.0,
    1.0,
    1.5,
)  # of the model's side, so that training sees resized pictures too


@dataclass(frozen=True, slots=True)
class Sample:
    """One scene: pixels uint8 [side, side, 3], ids and labels [tokens], patches [patches]."""

    pixels: torch.Tensor
    input_ids: torch.Tensor
    labels: torch.Tensor
    patches: torch.Tensor


class SceneDataset(Dataset[Sample]):
    """Generates sample `i` from `seed` and `i` alone, so that training can resume at any step."""

    def __init__(
        self,
        tokenizer: BertTokenizerFast,
        classes: tuple[ObjectClass, ...],
        sprites: Sequence[Sequence[Image.Image]],
        *,
        side: int,
        patch: int,
        seed: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._classes = classes
        self._sprites = sprites
        self._side = side
        self._patches = side // patch
        self._seed = seed

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng([self._seed, index])
        while True:
            scene = sample_scene(rng, len(self._classes), len(self._sprites))
            ids, prefix = self._tokens(describe(scene, self._classes), rng)
            if len(ids) <= MAX_TOKENS:
                break
        rendered = render(scene, self._sprites, round(self._side * rng.choice(RENDER_SIDES)))
        picture = rendered.picture
        if picture.width != self._side:
            picture = picture.resize((self._side, self._side), Image.Resampling.BICUBIC)
        labels = ids.copy()
        labels[:prefix] = [IGNORED] * prefix
        return Sample(
            pixels=torch.from_numpy(np.array(picture)),
            input_ids=torch.tensor(ids[:-1]),
            labels=torch.tensor(labels[1:]),
            patches=torch.from_numpy(
                self._patch_labels(rendered.masks, [p.object_class for p in scene.placements])
            ),
        )

    def _tokens(self, caption: str, rng: np.random.Generator) -> tuple[list[int], int]:
        """Return the ids of [DEC] prefix caption [SEP], and the length of [DEC] prefix."""
        tokenizer = self._tokenizer
        prefix: list[int] = []
        if rng.random() < PREFIX_SHARE:
            prefix = tokenizer(str(rng.choice(PREFIXES)), add_special_tokens=False).input_ids
            if rng.random() < UNKNOWN_PREFIX_SHARE:
                prefix = [tokenizer.unk_token_id] * len(prefix)
        body = tokenizer(caption, add_special_tokens=False).input_ids
        return [tokenizer.bos_token_id, *prefix, *body, tokenizer.sep_token_id], 1 + len(prefix)

    def _patch_labels(self, masks: Sequence[Image.Image], classes: list[int]) -> NDArray[np.int64]:
        """Return the class of each patch. The background has the number after the last class."""
        grid = (self._patches, self._patches)
        shares = [
            np.asarray(mask.resize(grid, Image.Resampling.BOX)).ravel() / 255 for mask in masks
        ]
        stacked = np.stack([np.full(shares[0].shape, COVERED), *shares])
        labels: NDArray[np.int64] = np.array([len(self._classes), *classes])
        covering: NDArray[np.int64] = labels[stacked.argmax(axis=0)]
        return covering


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, padded on the right to MAX_TOKENS - 1, labels with IGNORED."""

    pixels: torch.Tensor
    input_ids: torch.Tensor
    labels: torch.Tensor
    patches: torch.Tensor


def collate(samples: list[Sample]) -> Batch:
    return Batch(
        pixels=torch.stack([sample.pixels for sample in samples]),
        input_ids=_padded([sample.input_ids for sample in samples], 0),
        labels=_padded([sample.labels for sample in samples], IGNORED),
        patches=torch.stack([sample.patches for sample in samples]),
    )


def _padded(rows: list[torch.Tensor], value: int) -> torch.Tensor:
    """Return [rows, MAX_TOKENS - 1]: one shape for all batches, so that a step compiles once."""
    padded = torch.full((len(rows), MAX_TOKENS - 1), value)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
