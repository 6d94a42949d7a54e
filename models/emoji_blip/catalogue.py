"""The object classes that the model knows: a name and the code point of its emoji."""

from dataclasses import dataclass
from pathlib import Path

OBJECTS_FILE = Path(__file__).with_name("objects.tsv")
VOWEL_SOUNDS = ("a", "e", "i", "o", "u", "hour")
CONSONANT_SOUNDS = ("unicorn",)


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """An object class. `code` is its emoji's file stem in the art packages, such as `1f34e`."""

    code: str
    name: str

    @property
    def phrase(self) -> str:
        return with_article(self.name)


def with_article(noun: str) -> str:
    """Return the noun after its indefinite article: "a red apple", "an owl"."""
    vowel = noun.startswith(VOWEL_SOUNDS) and not noun.startswith(CONSONANT_SOUNDS)
    return f"{'an' if vowel else 'a'} {noun}"


def read_catalogue(path: Path = OBJECTS_FILE) -> tuple[ObjectClass, ...]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(ObjectClass(*line.split("\t")) for line in lines)
