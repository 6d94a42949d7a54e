"""Picture -> the cross-attention keys and values of every decoder layer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.captioning.manifest import Manifest
from server.captioning.sessions import Session, Signature, TensorType


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """What decoding needs of a picture: all that the encoder puts out, a row each.

    Per decoder layer, key [1, heads, head_dim, tokens], the way round that a decoder step
    multiplies by, and value [1, heads, tokens, head_dim]. Where they are int8, what they are to be
    scaled and corrected by comes with them (export.cross_attention).
    """

    cross_key_values: tuple[NDArray[Any], ...]

    @property
    def nbytes(self) -> int:
        return sum(each.nbytes for each in self.cross_key_values)


class Encoder:
    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        """Raises ModelDirectoryError if the graph doesn't take what the manifest says."""
        image = manifest.image
        self._session = Session(
            path,
            {"pixel_values": TensorType("tensor(float)", (None, 3, image.height, image.width))},
            None,
            threads,
        )

    @property
    def outputs(self) -> Signature:
        return self._session.outputs

    def __call__(self, pixel_values: NDArray[np.float32]) -> EncodedImage:
        """`pixel_values`: float32 [1, 3, height, width]."""
        return EncodedImage(tuple(self._session.run({"pixel_values": pixel_values})))
