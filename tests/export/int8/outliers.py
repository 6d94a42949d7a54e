"""Give a checkpoint the outliers that training gives large transformers.

Channels: multiplied where they are computed and divided where they are read, so the function stays
the same within rounding, or bit for bit if the factor is a power of two.

Tokens: the class token gets a massive activation in one channel, and one unit of an MLP answers to
it alone. That changes the function, so such a checkpoint is compared with itself in fp32.
"""

import torch
from torch import Tensor
from transformers import BlipForConditionalGeneration

from export.graphs import vision_layers
from export.int8.foldings import IMAGE, Folding, foldings_of
from export.int8.recording import recorded_inputs

CHANNELS = 3


def vision_activations(model: BlipForConditionalGeneration) -> list[Folding]:
    """Return the activations of the vision model that can get outlier channels."""
    return [each for name, each in foldings_of(model).items() if name.startswith("encoder.")]


def text_activations(model: BlipForConditionalGeneration) -> list[Folding]:
    """Return those of the decoder."""
    return [each for name, each in foldings_of(model).items() if name.startswith("decoder.")]


def norms(model: BlipForConditionalGeneration) -> list[Folding]:
    """Return the outputs of the vision model's norms."""
    ends = (IMAGE, ".qkv", ".fc1")
    return [each for name, each in foldings_of(model).items() if name.endswith(ends)]


@torch.no_grad()
def add_outlier_channels(foldings: list[Folding], factor: float) -> None:
    """Make three channels of each activation larger by a factor, in place."""
    generator = torch.Generator().manual_seed(0)
    for each in foldings:
        channels = each.divided[0].shape[-1]
        shares = torch.ones(channels)
        shares[torch.randperm(channels, generator=generator)[:CHANNELS]] = 1 / factor
        each.apply(shares)


@torch.no_grad()
def add_massive_token(
    model: BlipForConditionalGeneration, factor: float, pixel_values: Tensor
) -> str:
    """Give the class token massive activations, in place.

    A channel of its position embedding becomes `factor` times the largest hidden state. In the
    middle layer the MLP's least used unit answers to this channel, by `factor` times its largest
    activation, and doubles the channel. Returns the layer that reads the unit, named as for
    --keep-fp32.
    """
    vision, layers = model.vision_model, vision_layers(model)
    index = len(layers) // 2
    mlp = layers[index].mlp
    with recorded_inputs([layers[index], mlp, mlp.fc2]) as inputs:
        vision(pixel_values)
    usual = inputs[mlp.fc2][0].abs().flatten(0, 1).amax(0)
    unit = int((usual * mlp.fc2.weight.norm(dim=0)).argmin())
    channel = int(layers[index].layer_norm2.weight.abs().argmax())
    massive = factor * float(inputs[layers[index]][0].abs().max())
    vision.embeddings.position_embedding[0, 0, channel] += massive
    with recorded_inputs([mlp]) as inputs:
        vision(pixel_values)
    seen = inputs[mlp][0][..., channel]
    # The unit's input is zero halfway between the class token's channel and that of other tokens.
    largest = float(usual.max()) * factor
    token, others = (
        seen[:, 0].mean(),
        seen[:, 1:].max() if seen[:, 0].mean() > 0 else seen[:, 1:].min(),
    )
    slope = largest / (token - others) * 2
    mlp.fc1.weight[unit] = 0
    mlp.fc1.weight[unit, channel] = slope
    mlp.fc1.bias[unit] = -slope * (token + others) / 2
    mlp.fc2.weight[:, unit] = 0
    mlp.fc2.weight[channel, unit] = massive / largest
    return f"encoder.layers.{index}.mlp.fc2"
