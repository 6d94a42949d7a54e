"""Random weights for a model that was never trained."""

import torch


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Draw normal weights scaled by fan-in, in place.

    Unlike transformers' own initialisation, this scale gives captions that depend on the picture,
    and two tokens of equal probability are rare.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 100
        torch.nn.init.normal_(parameter, std=fan_in**-0.5, generator=generator)
        if "norm" in name.lower() and name.endswith("weight"):
            parameter.data += 1
