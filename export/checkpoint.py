"""Load a BLIP captioning checkpoint with transformers and check that it can be exported."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers import BertTokenizerFast, BlipForConditionalGeneration, GenerationConfig

from export.errors import SourceError
from export.generation import check_generation, generation_defaults
from export.sources import Source
from server.captioning.model.manifest import GenerationDefaults

if TYPE_CHECKING:  # transformers 5 warns where this class is imported without torchvision
    from transformers import BlipImageProcessor

# Before transformers 5 this setting is a dictionary. 5 saves a list, which 4 can't load. The tokens
# in it are in tokenizer.json too, as special ones.
TOKENIZER_SETTINGS: dict[str, Any] = (
    {"extra_special_tokens": {}} if transformers.__version__.startswith("4.") else {}
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model in fp32 and evaluation mode, with its image processor and tokenizer."""

    source: Source
    model: BlipForConditionalGeneration
    image_processor: "BlipImageProcessor"
    tokenizer: BertTokenizerFast

    @property
    def text_config(self) -> Any:
        return self.model.config.text_config

    @property
    def generation(self) -> GenerationDefaults:
        """The settings of the text decoder, which BLIP's generate uses."""
        return generation_defaults(self._generation_config)

    @property
    def _generation_config(self) -> GenerationConfig:
        generation = self.model.text_decoder.generation_config
        assert generation is not None  # as in every class of transformers that can generate
        return generation

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())


def load_checkpoint(source: Source) -> Checkpoint:
    """Load `source`.

    Raises SourceError for unreadable or missing weights, and for settings that are not supported.
    """
    try:
        # The reference computes in fp32, whatever type the weights were saved in.
        model, report = BlipForConditionalGeneration.from_pretrained(
            source.directory,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
        )
        images = _image_processor().from_pretrained(source.directory, local_files_only=True)
        tokenizer = BertTokenizerFast.from_pretrained(
            source.directory, local_files_only=True, **TOKENIZER_SETTINGS
        )
    # The exception for a broken file depends on its format and can be of nearly any type.
    except Exception as exc:
        raise SourceError(
            f"{source.name} can't be loaded: {_first_line(exc)}; "
            "download or save the checkpoint again."
        ) from exc
    if missing := sorted(report["missing_keys"]):
        raise SourceError(
            f"{source.name} lacks {len(missing)} of the model's weights, {missing[0]} among them; "
            "make config.json agree with the weights."
        )
    checkpoint = Checkpoint(source, model.eval(), images, tokenizer)
    _check_supported(checkpoint)
    return checkpoint


def _image_processor() -> Any:
    """Return the class that resizes with Pillow, as the runtime does.

    transformers 5 gives it a name of its own and resizes with torchvision in BlipImageProcessor.
    """
    pillow = getattr(transformers, "BlipImageProcessorPil", None)
    return pillow or transformers.BlipImageProcessor


def _check_supported(checkpoint: Checkpoint) -> None:
    """Raise SourceError for settings that load but that graphs and runtime do not implement."""
    name = checkpoint.source.name
    text, images = checkpoint.text_config, checkpoint.image_processor
    position = getattr(text, "position_embedding_type", "absolute")
    if position != "absolute":
        raise SourceError(
            f"{name} has {position} position embeddings; only absolute ones can be exported."
        )
    for step in ("do_resize", "do_rescale", "do_normalize"):
        if not getattr(images, step):
            raise SourceError(
                f"{name} sets {step} to false in preprocessor_config.json; "
                "only true can be exported."
            )
    side = checkpoint.model.config.vision_config.image_size
    if dict(images.size) != {"height": side, "width": side}:
        raise SourceError(
            f"{name} prepares pictures of {dict(images.size)}, its vision model takes {side}; "
            "make preprocessor_config.json and config.json agree."
        )
    check_generation(checkpoint._generation_config, text.max_position_embeddings, name)


def _first_line(exc: Exception) -> str:
    return next(iter(str(exc).splitlines()), type(exc).__name__)
