"""Compare captions of the model directory with transformers' captions, token for token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path

from export.errors import CaptionMismatch
from export.verification.pictures import Picture
from server.captioning.captioner import BlipCaptioner
from server.captioning.errors import CaptioningError
from server.captioning.options import GenerationOptions

PROMPTS = (None, "a picture of", "a photo of", "there is")
EXPLICIT_BEAMS = (1, 3)

TokenIds = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One caption to compare. `num_beams` None is not given: the checkpoint's own setting."""

    picture: Picture
    prompt: str | None
    num_beams: int | None

    def __str__(self) -> str:
        prompt = f"prompt {self.prompt!r}" if self.prompt else "no prompt"
        return f"{self.picture.name}, {prompt}, num_beams {self.num_beams or 'not given'}"


def searches_for(own_beams: int) -> tuple[int | None, ...]:
    """Return the values of num_beams to compare for a checkpoint whose own is `own_beams`.

    The first is None, with which every setting is the checkpoint's own. An explicit number that
    repeats the checkpoint's own is left out: it would compare the same caption again.
    """
    return (None, *(beams for beams in EXPLICIT_BEAMS if beams != own_beams))


def cases_for(pictures: Sequence[Picture], searches: Sequence[int | None] = (None,)) -> list[Case]:
    """Return a case for each picture, prompt and number of beams."""
    return [Case(*case) for case in product(pictures, PROMPTS, searches)]


def runtime_captions(directory: Path, cases: Sequence[Case]) -> Iterator[TokenIds]:
    """Yield the token ids, prompt included, of the server's runtime with the model directory.

    A picture is encoded once if its cases follow each other. Raises CaptionMismatch if the runtime
    refuses the directory or a prompt.
    """
    try:
        captioner = BlipCaptioner.open(directory)
        for picture, same in groupby(cases, key=lambda case: case.picture):
            encoded = captioner.encode(captioner.decode(picture.data))
            for case in same:
                request = captioner.resolve(case.prompt, options_for(case))
                yield captioner.generate(encoded, request).token_ids
        captioner.close()
    except CaptioningError as exc:
        raise CaptionMismatch(f"The server's runtime refuses the model: {exc}") from exc


def options_for(case: Case) -> GenerationOptions:
    """Return the options of a request for `case`: only what the case sets.

    The runtime resolves the others, so that this comparison fails if it ignores the settings of
    the manifest.
    """
    return GenerationOptions(num_beams=case.num_beams)


def worst_difference(
    cases: Sequence[Case], expected: Sequence[TokenIds], found: Sequence[TokenIds]
) -> str:
    """Show the caption that differs at the earliest token. At least one has to differ."""
    pairs = zip(cases, expected, found, strict=True)
    case, want, got = min(
        (each for each in pairs if each[1] != each[2]),
        key=lambda each: common_length(each[1], each[2]),
    )
    return (
        f"the worst ({case}) from token {common_length(want, got)} on: {list(got)} instead of "
        f"{list(want)}."
    )


def common_length(one: TokenIds, other: TokenIds) -> int:
    """Count the equal tokens before the first difference."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
