"""Picture -> the encoder's last hidden state, which every decoder step reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.captioning.model.manifest import EncoderShape, Manifest
from server.captioning.model.session import FLOAT, INT8, Session, Signature, TensorType

IMAGE_EMBEDS = "image_embeds"


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """What a decoder step takes of a picture: all outputs of the encoder, each [1, ...].

    Only the two graphs know what is in them. `Encoder.outputs` has their names, types and shapes.
    """

    arrays: tuple[NDArray[Any], ...]

    @property
    def nbytes(self) -> int:
        return sum(each.nbytes for each in self.arrays)


class Encoder:
    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        """Raises ModelDirectoryError if the graph isn't what the manifest says."""
        image = manifest.image
        pixel_values = TensorType(FLOAT, (None, 3, image.height, image.width))
        self._session = Session(path, threads)
        self._session.expect(
            {"pixel_values": pixel_values}, image_embeds(manifest.encoder, self.outputs)
        )

    @property
    def outputs(self) -> Signature:
        """What the decoder has to take."""
        return self._session.outputs

    def __call__(self, pixel_values: NDArray[np.float32]) -> EncodedImage:
        """Encode `pixel_values`, float32 [1, 3, height, width]."""
        return EncodedImage(tuple(self._session.run({"pixel_values": pixel_values})))


def image_embeds(shape: EncoderShape, found: Signature) -> Signature:
    """Return the outputs that the encoder has to have: those of int8 where `found` has int8.

    An int8 hidden state comes with its transposition and, for each channel, a scale and a mean
    (export.int8.cross_attention).
    """
    tokens, width = shape.tokens, shape.width
    if IMAGE_EMBEDS not in found or found[IMAGE_EMBEDS].dtype != INT8:
        return {IMAGE_EMBEDS: TensorType(FLOAT, (None, tokens, width))}
    return {
        IMAGE_EMBEDS: TensorType(INT8, (None, tokens, width)),
        f"{IMAGE_EMBEDS}_transposed": TensorType(INT8, (None, width, tokens)),
        f"{IMAGE_EMBEDS}_scale": TensorType(FLOAT, (None, 1, width)),
        f"{IMAGE_EMBEDS}_mean": TensorType(FLOAT, (None, 1, width)),
    }
