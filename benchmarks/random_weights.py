"""Weights for a model that nobody trained."""

import torch


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Normal weights scaled by fan-in, in place.

    So scaled, and unlike transformers' own initialisation, they give captions that depend on the
    picture, and hardly ever a tie between two tokens.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 100
        torch.nn.init.normal_(parameter, std=fan_in**-0.5, generator=generator)
        if "norm" in name.lower() and name.endswith("weight"):
            parameter.data += 1
