"""Random-weights checkpoints of any geometry: real classes, BLIP's own tokenizer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import BlipConfig, BlipForConditionalGeneration

from benchmarks.random_weights import randomise
from models.emoji_blip.tokenizer import build_processor

VOCABULARY = Path(__file__).parents[2] / "models" / "emoji_blip" / "checkpoint" / "vocab.txt"
END_TOKEN = 102


@dataclass(frozen=True, slots=True)
class Geometry:
    image_size: int
    patch_size: int
    vision_hidden: int
    vision_layers: int
    vision_heads: int
    text_hidden: int
    text_layers: int
    text_heads: int
    vocab_size: int = 30524
    max_positions: int = 512


TINY = Geometry(32, 8, 24, 2, 2, 24, 2, 2, max_positions=32)
# Nothing equals anything else: other widths, depths, heads on either side, 36 patches, 5 layers.
ODD = Geometry(42, 7, 36, 1, 3, 40, 3, 5, vocab_size=30530, max_positions=24)
# Head dimensions whose square root is no power of two, and more tokens than hidden units.
LARGE_LIKE = Geometry(48, 4, 32, 3, 4, 24, 2, 4, max_positions=40)


def build_model(
    geometry: Geometry, seed: int = 0, end_token_bias: float = 0.0
) -> BlipForConditionalGeneration:
    """Random weights, with which captions depend on the picture and ties are rare.

    `end_token_bias` makes [SEP] likelier, which random weights hardly ever come up with; with 3.5
    about every other caption of the small geometries ends before its greatest length.
    """
    config = BlipConfig(
        text_config={
            "hidden_size": geometry.text_hidden,
            "intermediate_size": 4 * geometry.text_hidden,
            "num_hidden_layers": geometry.text_layers,
            "num_attention_heads": geometry.text_heads,
            "vocab_size": geometry.vocab_size,
            "max_position_embeddings": geometry.max_positions,
        },
        vision_config={
            "hidden_size": geometry.vision_hidden,
            "intermediate_size": 4 * geometry.vision_hidden,
            "num_hidden_layers": geometry.vision_layers,
            "num_attention_heads": geometry.vision_heads,
            "image_size": geometry.image_size,
            "patch_size": geometry.patch_size,
        },
    )
    model: BlipForConditionalGeneration = BlipForConditionalGeneration(config).eval()
    randomise(model, seed)
    model.text_decoder.cls.predictions.bias.data[END_TOKEN] += end_token_bias
    return model


def build_checkpoint(
    directory: Path,
    geometry: Geometry,
    *,
    end_token_bias: float = 3.5,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Save model and processor as `save_pretrained` does; return `directory`."""
    model: Any = build_model(geometry, end_token_bias=end_token_bias)
    model.to(dtype).save_pretrained(directory)
    build_processor(VOCABULARY, geometry.image_size).save_pretrained(directory)
    return directory
