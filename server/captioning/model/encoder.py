"""Picture -> the cross-attention keys and values of every decoder layer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.captioning.model.manifest import DecoderShape, Manifest
from server.captioning.model.session import FLOAT, INT8, INT32, Session, Signature, TensorType

SCALE = TensorType(FLOAT, (None, 1, 1, 1))


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """What decoding needs of a picture: all that the encoder puts out, a row each.

    Per decoder layer, key [1, heads, head_dim, tokens], the way round that a decoder step
    multiplies by, and value [1, heads, tokens, head_dim]. They are float32; or int8, and then what
    they are to be scaled and corrected by comes with them (export.cross_attention).
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
            {"pixel_values": pixel_values}, cross_key_values(manifest.decoder, self.outputs)
        )

    @property
    def outputs(self) -> Signature:
        """What the decoder has to take."""
        return self._session.outputs

    def __call__(self, pixel_values: NDArray[np.float32]) -> EncodedImage:
        """`pixel_values`: float32 [1, 3, height, width]."""
        return EncodedImage(tuple(self._session.run({"pixel_values": pixel_values})))


def cross_key_values(shape: DecoderShape, found: Signature) -> Signature:
    """What the encoder has to put out, in int8 for those layers that `found` has in int8."""
    expected: dict[str, TensorType] = {}
    for layer in range(shape.layers):
        key, value = (f"cross_key_values.{layer}.{kind}" for kind in ("key", "value"))
        dtype = INT8 if key in found and found[key].dtype == INT8 else FLOAT
        expected[key] = TensorType(dtype, (None, shape.heads, shape.head_dim, None))
        expected[value] = TensorType(dtype, (None, shape.heads, None, shape.head_dim))
        if dtype == INT8:
            expected[f"{key}_scale"] = expected[f"{value}_scale"] = SCALE
            expected[f"{key}_sum"] = TensorType(INT32, (None, shape.heads, 1, None))
            expected[f"{value}_mean"] = TensorType(FLOAT, (None, 1, shape.heads, shape.head_dim))
    return expected
