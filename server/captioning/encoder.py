"""Picture -> the cross-attention keys and values of every decoder layer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.captioning.manifest import DecoderShape, Manifest
from server.captioning.sessions import Session, TensorType, key_value_names


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """What decoding needs of a picture.

    Per decoder layer, key float32 [1, heads, head_dim, tokens] and value float32
    [1, heads, tokens, head_dim]: a decoder step multiplies by the key that way round.
    """

    cross_key_values: tuple[NDArray[np.float32], ...]

    @property
    def nbytes(self) -> int:
        return sum(each.nbytes for each in self.cross_key_values)


class Encoder:
    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        """Raises ModelDirectoryError if the graph isn't what the manifest says."""
        image = manifest.image
        self._session = Session(
            path,
            {"pixel_values": TensorType("tensor(float)", (None, 3, image.height, image.width))},
            cross_key_values(manifest.decoder),
            threads,
        )

    def __call__(self, pixel_values: NDArray[np.float32]) -> EncodedImage:
        """`pixel_values`: float32 [1, 3, height, width]."""
        return EncodedImage(tuple(self._session.run({"pixel_values": pixel_values})))


def cross_key_values(shape: DecoderShape) -> dict[str, TensorType]:
    """What the encoder puts out and the decoder takes."""
    key = TensorType("tensor(float)", (None, shape.heads, shape.head_dim, None))
    value = TensorType("tensor(float)", (None, shape.heads, None, shape.head_dim))
    names = key_value_names("cross_key_values", shape.layers)
    return dict(zip(names, [key, value] * shape.layers, strict=True))
