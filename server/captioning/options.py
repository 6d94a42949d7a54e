"""What a caller may choose about one caption."""

from dataclasses import dataclass, fields

from server.captioning.errors import OptionOutOfRange

#: Inclusive. Beyond a length penalty of 2 transformers' own beam search loses every caption to the
#: -1e9 it marks unfinished beams with; a penalty of repetition has to be positive.
RANGES: dict[str, tuple[float, float]] = {
    "max_new_tokens": (1, 512),
    "num_beams": (1, 16),
    "repetition_penalty": (0.1, 10.0),
    "no_repeat_ngram_size": (0, 64),
    "length_penalty": (-2.0, 2.0),
}


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """Named and meant as in transformers' GenerationConfig; the defaults are transformers' own.

    `max_new_tokens=None` is the model's default. Raises OptionOutOfRange outside RANGES.
    """

    max_new_tokens: int | None = None
    num_beams: int = 1
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    length_penalty: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = RANGES[field.name]
            # Written so that NaN, which compares false with everything, is refused too.
            if value is not None and not low <= value <= high:
                raise OptionOutOfRange(field.name, value, f"between {low} and {high}")
