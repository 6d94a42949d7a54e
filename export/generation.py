"""Read the generation settings that BLIP's generate uses, and refuse unsupported ones.

`BlipForConditionalGeneration.generate` calls the text decoder's generate. That one reads the
decoder's own GenerationConfig, which transformers derives from `text_config` in config.json. The
checkpoint's generation_config.json and the top level of config.json have no effect.
"""

from dataclasses import fields, replace

from transformers import GenerationConfig

from export.errors import SourceError
from server.captioning.errors import OptionOutOfRange
from server.captioning.model.manifest import GenerationDefaults
from server.captioning.options import GenerationOptions

# The settings that the runtime's greedy and beam search implement.
SUPPORTED = {field.name for field in fields(GenerationDefaults)}

# The settings that change no caption: BLIP's generate overrides the token ids, sampling is refused
# by do_sample, no assistant model is passed, and the others affect speed or metadata.
WITHOUT_EFFECT = {
    "assistant_confidence_threshold",
    "assistant_lookbehind",
    "bos_token_id",
    "cache_config",
    "cache_implementation",
    "compile_config",
    "decoder_start_token_id",
    "disable_compile",
    "eos_token_id",
    "epsilon_cutoff",
    "eta_cutoff",
    "is_assistant",
    "low_memory",
    "max_matching_ngram_size",
    "min_p",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "pad_token_id",
    "prefill_chunk_size",
    "return_legacy_cache",
    "target_lookbehind",
    "temperature",
    "top_k",
    "top_p",
    "transformers_version",
    "typical_p",
    "use_cache",
}

# What generate uses for a setting that is None: in transformers 5 each that the checkpoint lacks.
UNSET = GenerationDefaults(
    max_length=20,
    num_beams=1,
    repetition_penalty=1.0,
    no_repeat_ngram_size=0,
    length_penalty=1.0,
    early_stopping=False,
)
# Values without an effect, beside None, False and 0.
NEUTRAL = {"encoder_repetition_penalty": 1.0, "num_beam_groups": 1, "num_return_sequences": 1}

# A prompt of the verification, such as "a picture of", takes 4 tokens, and a caption at least one.
SHORTEST_MAX_LENGTH = 5


def generation_defaults(generation: GenerationConfig) -> GenerationDefaults:
    """Return the settings of the text decoder's GenerationConfig for the manifest."""
    given = {name: getattr(generation, name) for name in SUPPORTED}
    return replace(UNSET, **{name: value for name, value in given.items() if value is not None})


def check_generation(generation: GenerationConfig, positions: int, name: str) -> None:
    """Raise SourceError, naming the checkpoint `name`, for a setting the runtime cannot serve.

    `positions` is the number of the text decoder's position embeddings.
    """
    _check_known(generation, name)
    settings = generation_defaults(generation)
    if not SHORTEST_MAX_LENGTH <= settings.max_length <= positions:
        allowed = f"between {SHORTEST_MAX_LENGTH} and {positions}, the positions of the decoder"
        raise out_of_range(name, "max_length", settings.max_length, allowed)
    try:
        GenerationOptions(
            num_beams=settings.num_beams,
            repetition_penalty=settings.repetition_penalty,
            no_repeat_ngram_size=settings.no_repeat_ngram_size,
            length_penalty=settings.length_penalty,
        )
    except OptionOutOfRange as exc:
        raise out_of_range(name, exc.name, exc.value, exc.allowed) from exc


def out_of_range(name: str, option: str, value: object, allowed: str) -> SourceError:
    return SourceError(
        f"{name} generates with {option}={value}, and the server supports values {allowed}; "
        "change it in text_config of config.json."
    )


def _check_known(generation: GenerationConfig, name: str) -> None:
    default = GenerationConfig()
    for option in sorted(vars(default).keys() - SUPPORTED - WITHOUT_EFFECT):
        value = getattr(generation, option)
        without_effect = (None, False, getattr(default, option), NEUTRAL.get(option))
        if not option.startswith("_") and value not in without_effect:
            raise SourceError(
                f"{name} generates with {option}={value}, which is not supported; "
                "remove it from text_config of config.json."
            )
