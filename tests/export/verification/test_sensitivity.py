"""How the layers are ranked by their int8 error."""

from pathlib import Path

import pytest
import torch

from export.checkpoint import Checkpoint, load_checkpoint
from export.sources import Source
from export.verification.parity import TokenIds, cases_for
from export.verification.pictures import generate_pictures
from export.verification.sensitivity import CAPTIONS, SensitivityPass, spread

CASES = cases_for(generate_pictures(5))
TOKENS: list[TokenIds] = [(30522, 1037 + case, 3861, 1997, 102) for case in range(len(CASES))]


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(Source(tiny_checkpoint, "tiny", None))


def test_captions_are_of_different_pictures() -> None:
    """They are spread over all pictures, however many captions each has."""
    chosen = spread(CASES, TOKENS)
    assert len({case.picture.name for case, _ in chosen}) == CAPTIONS
    assert [CASES.index(case) for case, _ in chosen] == [0, 4, 12]
    assert all(TOKENS[CASES.index(case)] == caption for case, caption in chosen)


def test_an_exact_layer_has_no_error_and_the_logits_are_transformers(
    checkpoint: Checkpoint,
) -> None:
    """Computing from any layer on gives the logits of the whole model, after every token."""
    ranking = SensitivityPass(checkpoint, CASES, TOKENS)
    case, caption = CASES[0], TOKENS[0]
    pixels = checkpoint.image_processor(case.picture.decode(), return_tensors="pt").pixel_values
    with torch.inference_mode():
        trace = ranking.model.trace(pixels, caption)
        expected = checkpoint.model(pixels, input_ids=torch.tensor([caption[:-1]])).logits[0]
        torch.testing.assert_close(trace.logits, expected, atol=1e-4, rtol=1e-4)
        for graph in ("encoder", "decoder"):
            for first in (0, 1):
                again = ranking.model.logits_again(trace, graph, first)
                torch.testing.assert_close(again, trace.logits)


def test_a_picture_is_encoded_once_for_all_layers_of_the_decoder(checkpoint: Checkpoint) -> None:
    """Only layers of the encoder have vision layers computed again, and none before their own."""
    ranking = SensitivityPass(checkpoint, CASES, TOKENS)
    calls = {0: 0, 1: 0}
    for index, layer in enumerate(ranking.model.encoder.layers):
        layer.register_forward_hook(lambda *_, index=index: calls.update({index: calls[index] + 1}))
    assert len(list(ranking)) == len(ranking)
    in_layer = 7  # six linear layers and the attention scores
    assert calls == {0: CAPTIONS * (1 + in_layer), 1: CAPTIONS * (1 + 2 * in_layer)}
