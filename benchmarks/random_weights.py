"""The base model: a checkpoint with BLIP-base's shapes and random weights.

Inference time depends on shapes alone. The trained checkpoint is a download of 1 GB that not every
machine can make.
"""

from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
from transformers import BlipConfig, BlipForConditionalGeneration

from models.emoji_blip.tokenizer import build_processor


def make_checkpoint(directory: Path, vocabulary: Path) -> None:
    """Write model and processor as transformers does; all files or none."""
    config = BlipConfig(
        text_config={"num_attention_heads": 12, "vocab_size": 30524, "hidden_size": 768},
        vision_config={"image_size": 384, "patch_size": 16, "hidden_size": 768},
    )
    model: Any = BlipForConditionalGeneration(config).eval()
    randomise(model, seed=0)
    partial = directory.with_name("checkpoint.partial")
    rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    build_processor(vocabulary, 384).save_pretrained(partial)
    partial.rename(directory)


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
