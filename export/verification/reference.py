"""Caption with transformers: the reference that the captions of a model directory must equal.

Each picture is encoded once, and captions whose prompts have equally many tokens are generated in a
batch. So no prompt is padded, and masks and positions are those of a caption generated alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, groupby, pairwise
from typing import Any

import torch
from torch import Tensor, nn

from export.checkpoint import Checkpoint
from export.verification.parity import Case, TokenIds
from export.verification.pictures import Picture

#: Pictures whose captions share batches.
PICTURES_TOGETHER = 8
#: Rows of a batch, that is captions times beams. Each row of BLIP-base has 43 MB of cached
#: cross-attention keys and values.
MAX_ROWS = 16

Encoded = dict[Picture, Tensor]  # f32 [1, tokens, width] of each picture


class KnownHiddenStates(nn.Module):
    """Stand in for a vision model: return hidden states that it computed before."""

    def __init__(self, hidden_states: Tensor) -> None:
        super().__init__()
        self.hidden_states = hidden_states

    def forward(self, **_: object) -> tuple[Tensor]:
        return (self.hidden_states,)


def transformers_captions(checkpoint: Checkpoint, cases: Sequence[Case]) -> Iterator[TokenIds]:
    """Yield the token ids, prompt included, that BlipForConditionalGeneration.generate returns.

    They come in the order of `cases`. A picture is encoded once if its cases follow each other.
    """
    for part in parts(cases):
        yield from _captions(checkpoint, cases[part])


def parts(cases: Sequence[Case]) -> list[slice]:
    """Cut `cases` into parts of a few pictures, so that few hidden states are kept."""
    sizes = [len(list(same)) for _, same in groupby(cases, key=lambda case: case.picture)]
    bounds = [0, *accumulate(sizes)]
    begins = bounds[:-1:PICTURES_TOGETHER]
    return [slice(*each) for each in pairwise([*begins, len(cases)])]


def _captions(checkpoint: Checkpoint, cases: Sequence[Case]) -> list[TokenIds]:
    encoded = encode(checkpoint, (case.picture for case in cases))
    captions: dict[int, TokenIds] = {}
    for batch in batches(checkpoint, cases):
        rows = generate(checkpoint, encoded, [cases[index] for index in batch])
        for index, row in zip(batch, rows.tolist(), strict=True):
            captions[index] = _without_padding(checkpoint, cases[index], row)
    return [captions[index] for index in range(len(cases))]


def encode(checkpoint: Checkpoint, pictures: Iterable[Picture]) -> Encoded:
    """Return the vision model's last hidden state of each picture."""
    encoded: Encoded = {}
    for picture in pictures:
        if picture not in encoded:
            inputs = checkpoint.image_processor(picture.decode(), return_tensors="pt")
            with torch.inference_mode():
                encoded[picture] = checkpoint.model.vision_model(inputs.pixel_values)[0]
    return encoded


def batches(checkpoint: Checkpoint, cases: Sequence[Case]) -> Iterator[list[int]]:
    """Yield the indices of cases that `generate` takes together."""
    alike: dict[tuple[int, int, bool], list[int]] = {}
    for index, case in enumerate(cases):
        beams = case.num_beams or checkpoint.generation.num_beams
        kind = prompt_length(checkpoint, case), beams, case.prompt is None
        alike.setdefault(kind, []).append(index)
    for (_, beams, _), indices in alike.items():
        size = max(1, MAX_ROWS // beams)
        for first in range(0, len(indices), size):
            yield indices[first : first + size]


def generate(
    checkpoint: Checkpoint, encoded: Encoded, cases: Sequence[Case], **options: bool
) -> Any:
    """Run BLIP's generate on cases with one number of beams and of prompt tokens.

    Return what it returns with the `options`: without any, the token ids int64 [cases, length].
    Rows that end early are padded behind [SEP].
    """
    given: dict[str, Any] = dict(options)
    if (beams := cases[0].num_beams) is not None:
        given["num_beams"] = beams
    if cases[0].prompt is not None:
        prompts = [case.prompt for case in cases]
        given |= checkpoint.tokenizer(prompts, return_tensors="pt", return_token_type_ids=False)
    hidden_states = torch.cat([encoded[case.picture] for case in cases])
    # Of the pixel values generate reads no more than the size of the batch.
    given["pixel_values"] = hidden_states
    with _known(checkpoint.model, hidden_states), torch.inference_mode():
        return checkpoint.model.generate(**given)


def prompt_length(checkpoint: Checkpoint, case: Case) -> int:
    """Count the tokens that the caption starts with: [DEC] and those of the prompt."""
    if case.prompt is None:
        return 1
    return len(checkpoint.tokenizer(case.prompt).input_ids) - 1  # without [SEP]


def _without_padding(checkpoint: Checkpoint, case: Case, row: Sequence[int]) -> TokenIds:
    """Cut behind the first [SEP] that was generated."""
    generated = row[prompt_length(checkpoint, case) :]
    end = checkpoint.text_config.sep_token_id
    padding = len(generated) - generated.index(end) - 1 if end in generated else 0
    return tuple(row[: len(row) - padding])


@contextmanager
def _known(model: Any, hidden_states: Tensor) -> Iterator[None]:
    """Let the vision model return `hidden_states` within the block."""
    vision_model = model.vision_model
    model.vision_model = KnownHiddenStates(hidden_states)
    try:
        yield
    finally:
        model.vision_model = vision_model
