"""A BLIP captioning checkpoint, loaded with transformers and checked to be one."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    BertTokenizerFast,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    GenerationConfig,
)

from export.errors import SourceError
from export.sources import Source

# What a generation configuration can ask for beyond the runtime's search.
UNSUPPORTED_GENERATION = (
    "bad_words_ids",
    "begin_suppress_tokens",
    "do_sample",
    "exponential_decay_length_penalty",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "num_beam_groups",
    "renormalize_logits",
    "suppress_tokens",
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The model in fp32 and evaluation mode, and what makes its inputs."""

    source: Source
    model: BlipForConditionalGeneration
    image_processor: BlipImageProcessor
    tokenizer: BertTokenizerFast

    @property
    def text_config(self) -> Any:
        return self.model.config.text_config

    @property
    def generation(self) -> Any:
        """The decoder's own configuration, for BLIP's generate calls the decoder's generate."""
        return self.model.text_decoder.generation_config

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())


def load_checkpoint(source: Source) -> Checkpoint:
    """Raises SourceError for unreadable or missing weights, and for settings not supported."""
    try:
        # In fp32, whatever type the weights were saved in.
        model, report = BlipForConditionalGeneration.from_pretrained(
            source.directory,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
        )
        images = BlipImageProcessor.from_pretrained(source.directory, local_files_only=True)
        tokenizer = BertTokenizerFast.from_pretrained(source.directory, local_files_only=True)
    # A broken file raises nearly anything, by the format that it is in.
    except Exception as exc:
        raise SourceError(f"{source.name} can't be loaded: {_first_line(exc)}") from exc
    if missing := sorted(report["missing_keys"]):
        raise SourceError(
            f"{source.name} lacks {len(missing)} of the model's weights, {missing[0]} among them."
        )
    checkpoint = Checkpoint(source, model.eval(), images, tokenizer)
    _check_supported(checkpoint)
    return checkpoint


def _check_supported(checkpoint: Checkpoint) -> None:
    """Refuse what loads but would be exported wrong: the graphs and the runtime do without it."""
    name = checkpoint.source.name
    text, images = checkpoint.text_config, checkpoint.image_processor
    position = getattr(text, "position_embedding_type", "absolute")
    if position != "absolute":
        raise SourceError(f"{name} has {position} position embeddings; only absolute ones work.")
    for step in ("do_resize", "do_rescale", "do_normalize"):
        if not getattr(images, step):
            raise SourceError(f"{name} sets {step} to false in preprocessor_config.json.")
    side = checkpoint.model.config.vision_config.image_size
    if dict(images.size) != {"height": side, "width": side}:
        raise SourceError(
            f"{name} prepares pictures of {dict(images.size)}, its vision model takes {side}; "
            "make preprocessor_config.json and config.json agree."
        )
    default = GenerationConfig()
    for option in UNSUPPORTED_GENERATION:
        if (value := getattr(checkpoint.generation, option)) != getattr(default, option):
            raise SourceError(f"{name} generates with {option}={value}, which is not supported.")


def _first_line(exc: Exception) -> str:
    return next(iter(str(exc).splitlines()), type(exc).__name__)
