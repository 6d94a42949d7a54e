"""Choose the factors of an activation's channels by the error that int8 makes with them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from export.verification.simulated_int8 import (
    fake_quantise_blocks,
    fake_quantise_columns,
    fake_quantise_row,
    fake_quantise_symmetrically,
    fake_quantise_tensor,
)

Change = Callable[[Tensor], Tensor]

#: SmoothQuant's migration strength: how much of an outlier goes from the activation to the weights.
STRENGTHS = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
#: Factors are two to the power of at most this, far from where fp32 would lose digits.
MAX_EXPONENT = 16
SAMPLED_ROWS = 64


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How int8 rounds both factors of a product.

    `error` takes the product in int8 and the exact one, and returns the error of each row.
    """

    states: Change
    weight: Change
    error: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Product:
    """A product with an activation.

    `states` is f32 [..., rows, channels], `weight` f32 [..., channels, columns]. With `by_head`,
    the axis before these two is that of heads, each of which has its own channels.
    """

    states: Tensor
    weight: Tensor
    arithmetic: Arithmetic
    by_head: bool = False

    def error(self, factors: Tensor | None = None) -> float:
        """Measure int8's error with channels divided by `factors`, f32 [heads x channels].

        It is an average over rows, of which one that is lost altogether counts 1.
        """
        states, weight = self.states, self.weight
        if factors is not None:
            heads = states.shape[-3] if self.by_head else 1
            scale = factors.view(heads, 1, -1) if self.by_head else factors.view(1, -1)
            states, weight = states / scale, weight * scale.mT
        found = self.arithmetic.states(states) @ self.arithmetic.weight(weight)
        errors = self.arithmetic.error(found, self.states @ self.weight)
        return float(errors.clamp(max=1).mean())

    def error_by_row(self, factors: Tensor | None = None) -> float:
        """Measure the error that remains if each token has a scale of its own."""
        by_row = replace(self.arithmetic, states=fake_quantise_row, weight=fake_quantise_columns)
        return replace(self, arithmetic=by_row).error(factors)

    def largest(self) -> tuple[Tensor, Tensor]:
        """Return each channel's largest absolute value in the states and in the weight."""
        return by_channel(self.states, self.by_head), by_channel(self.weight.mT, self.by_head)


def choose_factors(products: Sequence[Product]) -> Tensor:
    """Choose the factors of an activation, by the sum of the errors of all products with it."""
    states, weights = (
        torch.stack(sizes).amax(0)
        for sizes in zip(*(each.largest() for each in products), strict=True)
    )
    tried = [torch.ones_like(states), *candidates(states, weights)]
    return min(tried, key=lambda factors: sum(each.error(factors) for each in products))


def candidates(states: Tensor, weights: Tensor) -> Iterator[Tensor]:
    """Yield SmoothQuant's factors of several strengths, each as the nearest power of two."""
    used = (states > 0) & (weights > 0)
    for strength in STRENGTHS:
        exponents = strength * states.log2() - (1 - strength) * weights.log2()
        # int8 sees only what channels have relative to each other. Most keep the scale they have.
        centred = torch.where(used, exponents - exponents[used].median(), 0).round()
        yield powers_of_two(centred.clamp(-MAX_EXPONENT, MAX_EXPONENT))


def powers_of_two(exponents: Tensor) -> Tensor:
    """Return exact powers; torch's own are approximations on some processors."""
    return torch.from_numpy(np.ldexp(np.float32(1), exponents.to(torch.int32).numpy()))


def exponents_of(factors: Tensor) -> list[int]:
    exponents: list[int] = (torch.frexp(factors).exponent - 1).tolist()
    return exponents


def by_channel(states: Tensor, by_head: bool) -> Tensor:
    sizes = states.abs().amax(-2)
    sizes = sizes.flatten(-2) if by_head else sizes
    largest: Tensor = sizes.reshape(-1, sizes.shape[-1]).amax(0)
    return largest


def sampled(states: Tensor) -> Tensor:
    """Return some rows of f32 [pictures, ..., rows, channels], and two of each channel's extremes.

    With these, a picture's scale is that of all its rows, whatever its channels are divided by.
    """
    step = max(1, states.shape[-2] // SAMPLED_ROWS)
    extremes = states.amax(-2, keepdim=True), states.amin(-2, keepdim=True)
    return torch.cat([states[..., ::step, :], *extremes], dim=-2)


def each(change: Change) -> Change:
    """Apply a change to one picture at a time, as its scale depends on no other picture."""
    return lambda states: torch.stack([change(picture) for picture in states])


def relative_error(found: Tensor, exact: Tensor) -> Tensor:
    """Return each row's error as a share of its length."""
    lengths: Tensor = torch.linalg.vector_norm(exact, dim=-1).clamp(min=torch.finfo().tiny)
    errors: Tensor = torch.linalg.vector_norm(found - exact, dim=-1)
    return errors / lengths


def softmax_error(found: Tensor, exact: Tensor) -> Tensor:
    """Return each row's relative error after a softmax, which what a row has in common leaves."""
    return (found - exact).std(dim=-1)


#: The encoder's linear layers and attention scores, the decoder's linear layers and head products.
BY_TENSOR = Arithmetic(each(fake_quantise_tensor), fake_quantise_columns, relative_error)
SCORES = Arithmetic(each(fake_quantise_tensor), each(fake_quantise_symmetrically), softmax_error)
BY_BLOCK = Arithmetic(
    fake_quantise_blocks, lambda weight: fake_quantise_blocks(weight.mT).mT, relative_error
)
BY_ROW = Arithmetic(fake_quantise_row, fake_quantise_columns, relative_error)
