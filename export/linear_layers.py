"""Build linear layers from the weights of others."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def scaled(linear: nn.Linear, factor: float) -> nn.Linear:
    bias = None if linear.bias is None else linear.bias * factor
    return linear_of(linear.weight * factor, bias)


def shifted(linear: nn.Linear, states: Tensor) -> nn.Linear:
    """A layer that gives for any input what `linear` gives for the input plus `states`."""
    return linear_of(linear.weight, linear.bias + linear.weight @ states)


def packed(linears: Sequence[nn.Linear]) -> nn.Linear:
    """One layer with the outputs of several one after the other."""
    return linear_of(
        torch.cat([each.weight for each in linears]), torch.cat([each.bias for each in linears])
    )


def divided(linear: nn.Linear, parts: int) -> list[nn.Linear]:
    """Layers with a part of the outputs each, in order."""
    weights = linear.weight.chunk(parts)
    biases = [None] * parts if linear.bias is None else linear.bias.chunk(parts)
    return [linear_of(weight, bias) for weight, bias in zip(weights, biases, strict=True)]


def linear_of(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = parameter(weight)
    if bias is not None:
        linear.bias = parameter(bias)
    return linear


def parameter(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach().clone(memory_format=torch.contiguous_format))
