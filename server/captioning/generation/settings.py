"""Resolve the options of a request against the model's own generation defaults."""

from typing import TypeVar

from server.captioning.generation.types import SearchSettings
from server.captioning.lengths import max_length
from server.captioning.model.manifest import Manifest
from server.captioning.options import GenerationOptions

T = TypeVar("T")


def resolve_settings(
    prompt_length: int, options: GenerationOptions, manifest: Manifest
) -> SearchSettings:
    """Return settings in which an absent option has the model's default.

    An absent option and the same default given explicitly give equal settings, so both share a
    cache entry. Raises PromptTooLong, and OptionOutOfRange for a max_new_tokens that leads beyond
    the decoder's last position.
    """
    defaults = manifest.generation
    return SearchSettings(
        end_token=manifest.tokens.sep,
        max_length=max_length(prompt_length, options, manifest),
        num_beams=_either(options.num_beams, defaults.num_beams),
        repetition_penalty=_either(options.repetition_penalty, defaults.repetition_penalty),
        no_repeat_ngram_size=_either(options.no_repeat_ngram_size, defaults.no_repeat_ngram_size),
        length_penalty=_either(options.length_penalty, defaults.length_penalty),
        early_stopping=defaults.early_stopping,
    )


def _either(option: T | None, default: T) -> T:
    return default if option is None else option
