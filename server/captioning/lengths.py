"""How long a sequence may get."""

from server.captioning.errors import OptionOutOfRange, PromptTooLong
from server.captioning.model.manifest import Manifest
from server.captioning.options import RANGES, GenerationOptions

#: max_length counts prompt and caption, except where it is transformers' own default: that counts
#: new tokens (GenerationMixin._prepare_generated_length, transformers 4.57.6).
TRANSFORMERS_MAX_LENGTH = 20


def max_length(prompt_length: int, options: GenerationOptions, manifest: Manifest) -> int:
    """Tokens in all, [DEC] and [SEP] included, that generate() would stop at.

    Raises PromptTooLong if the prompt alone takes them all, and OptionOutOfRange for a
    max_new_tokens that leads beyond the decoder's last position.
    """
    positions = manifest.decoder.max_positions
    if options.max_new_tokens is None:
        limit = min(_default(prompt_length, manifest.generation.max_length), positions)
    else:
        limit = positions
    if prompt_length >= limit:
        raise PromptTooLong(prompt_length, limit - 1)
    if options.max_new_tokens is None:
        return limit
    if options.max_new_tokens > positions - prompt_length:
        allowed = f"at most {positions - prompt_length} after a prompt of {prompt_length} tokens"
        raise OptionOutOfRange("max_new_tokens", options.max_new_tokens, allowed)
    return prompt_length + options.max_new_tokens


def _default(prompt_length: int, configured: int) -> int:
    return configured + (prompt_length if configured == TRANSFORMERS_MAX_LENGTH else 0)


def option_ranges(manifest: Manifest) -> dict[str, tuple[float, float]]:
    """Return the inclusive bounds of each option for a loaded model, without a prompt.

    A sequence begins with one token that is no part of the caption.
    """
    low, high = RANGES["max_new_tokens"]
    positions = manifest.decoder.max_positions - 1
    return {**RANGES, "max_new_tokens": (low, min(high, positions))}
