"""Generation options that a request may set."""

from dataclasses import dataclass, fields

from server.captioning.errors import OptionOutOfRange

#: Inclusive bounds. Beyond a length penalty of 2 transformers' own beam search loses every caption
#: to the -1e9 that it marks unfinished beams with; a repetition penalty has to be positive.
RANGES: dict[str, tuple[float, float]] = {
    "max_new_tokens": (1, 512),
    "num_beams": (1, 16),
    "repetition_penalty": (0.1, 10.0),
    "no_repeat_ngram_size": (0, 64),
    "length_penalty": (-2.0, 2.0),
}


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """Options of one request, named as in transformers' GenerationConfig.

    None means the model's own default, which its manifest holds. Raises OptionOutOfRange for a
    value outside RANGES.
    """

    max_new_tokens: int | None = None
    num_beams: int | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    length_penalty: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = RANGES[field.name]
            # Written so that NaN, which compares false with everything, is refused too.
            if value is not None and not low <= value <= high:
                raise OptionOutOfRange(field.name, value, f"between {low} and {high}")
