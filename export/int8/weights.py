"""Weights in 8 bits."""

import numpy as np
from numpy.typing import NDArray

MAX_BLOCK, MIN_BLOCK = 128, 16  # of MatMulNBits
ZERO_POINT = 128  # MatMulNBits' and GatherBlockQuantized's, unless told otherwise

Floats = NDArray[np.float32]


def quantise_rows(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Quantise f32 [..., inputs]: int8, and the scale f32 [...] to multiply each row by."""
    scales = _scales(weight)
    return np.rint(weight / scales[..., None]).astype(np.int8), scales


def quantise_blocks(weight: Floats, size: int) -> tuple[NDArray[np.uint8], Floats]:
    """Quantise f32 [outputs, inputs].

    Returns:
        blocks: uint8 [outputs, blocks, size], around ZERO_POINT
        scales: f32 [outputs, blocks]
    """
    outputs, inputs = weight.shape
    padded = np.pad(weight, [(0, 0), (0, -inputs % size)]).reshape(outputs, -1, size)
    scales = _scales(padded)
    return (np.rint(padded / scales[..., None]) + ZERO_POINT).astype(np.uint8), scales


def block_size(inputs: int) -> int:
    """Return the largest power of two that divides `inputs`, within what MatMulNBits takes."""
    return max(MIN_BLOCK, min(MAX_BLOCK, inputs & -inputs))


def _scales(weight: Floats) -> Floats:
    largest: Floats = np.abs(weight).max(axis=-1)
    # A row of zeros stays zero by any scale.
    return np.where(largest > 0, largest / 127, 1).astype(np.float32)
