"""Names for the arrays that pass between stages, with their shapes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: uint8 [height, width, 3]: an upright RGB picture of the model's size.
Pixels = NDArray[np.uint8]

#: float32 [1, 3, height, width]: the encoder's input.
PixelValues = NDArray[np.float32]

#: int64 [rows, length].
TokenIds = NDArray[np.int64]

#: float32 [rows, vocab].
Logits = NDArray[np.float32]

#: A key and a value of every decoder layer, float32 [rows, heads, length, head_dim].
KVCache = list[NDArray[Any]]

#: The encoder's outputs, each [pictures, ...].
ImageArrays = Sequence[NDArray[Any]]
