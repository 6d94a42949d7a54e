"""Picture -> the cross-attention keys and values of every decoder layer."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.captioning.manifest import Manifest
from server.captioning.sessions import Session, TensorType, key_value_names


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """What decoding needs of a picture.

    Per decoder layer, key and value float32 [1, heads, vision tokens, head_dim].
    """

    cross_key_values: tuple[NDArray[np.float32], ...]


class Encoder:
    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        """Raises ModelDirectoryError if the graph isn't what the manifest says."""
        image, decoder = manifest.image, manifest.decoder
        key_value = TensorType("tensor(float)", (None, decoder.heads, None, decoder.head_dim))
        names = key_value_names("cross_key_values", decoder.layers)
        self._session = Session(
            path,
            {"pixel_values": TensorType("tensor(float)", (None, 3, image.height, image.width))},
            dict.fromkeys(names, key_value),
            threads,
        )

    def __call__(self, pixel_values: NDArray[np.float32]) -> EncodedImage:
        """`pixel_values`: float32 [1, 3, height, width]."""
        return EncodedImage(tuple(self._session.run({"pixel_values": pixel_values})))
