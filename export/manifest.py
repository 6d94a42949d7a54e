"""Describe a checkpoint and its exported files in a manifest."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from export.checkpoint import Checkpoint
from export.graphs import image_embeds_shape
from export.onnx_format import OPSET
from server.captioning.model.directory import FILES, TOKENIZER, sha256_of
from server.captioning.model.manifest import (
    SCHEMA_VERSION,
    DecoderShape,
    EncoderShape,
    ImageSettings,
    Manifest,
    Precision,
    Tokens,
)

TOOLS = (
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "optimum",
    "optimum-onnx",
    "tokenizers",
    "torch",
    "transformers",
)


def write_tokenizer(checkpoint: Checkpoint, directory: Path) -> None:
    """Write tokenizer.json, converted from vocab.txt where the checkpoint has only that."""
    checkpoint.tokenizer.backend_tokenizer.save(str(directory / TOKENIZER))


def describe(checkpoint: Checkpoint, directory: Path, name: str, precision: Precision) -> Manifest:
    """Return the manifest of a complete directory. Its verification figures are still empty."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        name=name,
        source=checkpoint.source.name,
        revision=checkpoint.source.revision,
        precision=precision,
        opset=OPSET,
        image=_image_settings(checkpoint),
        encoder=EncoderShape(*image_embeds_shape(checkpoint.model.config)),
        decoder=_decoder_shape(checkpoint),
        tokens=_tokens(checkpoint),
        generation=checkpoint.generation,
        files={file: sha256_of(directory / file) for file in FILES},
        tools={tool: version(tool) for tool in TOOLS},
        verification={},
        notice=_notice(checkpoint),
    )


def _notice(checkpoint: Checkpoint) -> str | None:
    """Return the key `notice` of the checkpoint's config.json as one line, or None.

    It is this project's own key. transformers keeps keys that it does not know.
    """
    config: object = json.loads((checkpoint.source.directory / "config.json").read_bytes())
    notice = config.get("notice") if isinstance(config, dict) else None
    return " ".join(notice.split()) if isinstance(notice, str) else None


def _image_settings(checkpoint: Checkpoint) -> ImageSettings:
    images: Any = checkpoint.image_processor
    return ImageSettings(
        height=images.size["height"],
        width=images.size["width"],
        mean=tuple(images.image_mean),
        std=tuple(images.image_std),
        rescale_factor=images.rescale_factor,
        resample=int(images.resample),
    )


def _decoder_shape(checkpoint: Checkpoint) -> DecoderShape:
    text = checkpoint.text_config
    return DecoderShape(
        layers=text.num_hidden_layers,
        heads=text.num_attention_heads,
        head_dim=text.hidden_size // text.num_attention_heads,
        vocab_size=text.vocab_size,
        max_positions=text.max_position_embeddings,
    )


def _tokens(checkpoint: Checkpoint) -> Tokens:
    text, tokenizer = checkpoint.text_config, checkpoint.tokenizer
    return Tokens(
        # BlipForConditionalGeneration.generate takes them from text_config, not the tokenizer.
        start=text.bos_token_id,
        cls=tokenizer.cls_token_id,
        sep=text.sep_token_id,
        pad=text.pad_token_id,
        clean_up_spaces=tokenizer.clean_up_tokenization_spaces,
    )
