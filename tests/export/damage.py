"""Damage a layer so that int8 ruins it and fp32 does not notice."""

import torch
from transformers import BlipForConditionalGeneration

from export.graphs import vision_layers

#: Far enough below zero for GELU to return exactly zero.
OFF = -100.0


@torch.no_grad()
def damage_mlp(model: BlipForConditionalGeneration, layer: int, factor: float = 1e4) -> str:
    """Damage a vision layer's second linear layer of the MLP. Return its name for --keep-fp32.

    The hidden unit that counts least is turned off, and the weights behind it become `factor` times
    the largest. They are multiplied by zero, so in fp32 only that unit is lost. In int8 they take
    the whole range of each row, and all other weights of the row round to zero.
    """
    mlp = vision_layers(model)[layer].mlp
    counts = mlp.fc1.weight.norm(dim=1) * mlp.fc2.weight.norm(dim=0)
    unit = int(counts.argmin())
    mlp.fc1.weight[unit] = 0
    mlp.fc1.bias[unit] = OFF
    mlp.fc2.weight[:, unit] = factor * mlp.fc2.weight.abs().max()
    return f"encoder.layers.{layer}.mlp.fc2"
