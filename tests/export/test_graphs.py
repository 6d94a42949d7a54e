"""The torch modules against transformers' own forward pass."""

import pytest
import torch
from transformers import BlipForConditionalGeneration

from export.graphs import IMAGE_EMBEDS, DecoderStep, PictureEncoder
from export.layers import KeyValue
from tests.export.checkpoints import LARGE_LIKE, ODD, TINY, Geometry, build_model

IDS = torch.tensor([[30522, 1037, 3861, 1997], [30522, 2045, 2003, 1037]])


@pytest.fixture(params=[TINY, ODD, LARGE_LIKE], ids=["tiny", "odd", "large-like"])
def geometry(request: pytest.FixtureRequest) -> Geometry:
    chosen: Geometry = request.param
    return chosen


@pytest.fixture
def model(geometry: Geometry) -> BlipForConditionalGeneration:
    return build_model(geometry)


@pytest.fixture
def pixel_values(geometry: Geometry) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, geometry.image_size, geometry.image_size, generator=generator)


def no_past(geometry: Geometry, batch: int) -> list[KeyValue]:
    head_dim = geometry.text_hidden // geometry.text_heads
    empty = torch.empty(batch, geometry.text_heads, 0, head_dim)
    return [(empty, empty)] * geometry.text_layers


def places(start: int, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """position_ids and attention_mask of `ids` behind a past of length `start`, unpadded."""
    end = start + ids.shape[1]
    return torch.arange(start, end).expand_as(ids), torch.ones(len(ids), end, dtype=torch.int64)


@torch.inference_mode()
def test_a_prompt_gets_transformers_logits(
    model: BlipForConditionalGeneration, geometry: Geometry, pixel_values: torch.Tensor
) -> None:
    """Encoder and decoder step together give the logits of the model's own forward pass."""
    image = PictureEncoder(model)(pixel_values)[IMAGE_EMBEDS]
    step = DecoderStep(model)(IDS, *places(0, IDS), no_past(geometry, 2), image)
    expected = model(pixel_values=pixel_values, input_ids=IDS).logits[:, -1]
    torch.testing.assert_close(step["logits"], expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_token_by_token_equals_all_at_once(
    model: BlipForConditionalGeneration, geometry: Geometry, pixel_values: torch.Tensor
) -> None:
    """Feeding tokens one at a time, each with the past so far, changes nothing."""
    decoder = DecoderStep(model)
    image = PictureEncoder(model)(pixel_values)[IMAGE_EMBEDS]
    past = no_past(geometry, 2)
    whole = decoder(IDS, *places(0, IDS), past, image)
    for i in range(IDS.shape[1]):
        token = IDS[:, i : i + 1]
        step = decoder(token, *places(i, token), past, image)
        past = step["present"]
    torch.testing.assert_close(step["logits"], whole["logits"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(step["present"], whole["present"], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_no_token_sees_a_later_one(
    model: BlipForConditionalGeneration, geometry: Geometry, pixel_values: torch.Tensor
) -> None:
    """Behind a past, too, a changed last token leaves the keys and values before it alone."""
    decoder = DecoderStep(model)
    image = PictureEncoder(model)(pixel_values)[IMAGE_EMBEDS]
    past = decoder(IDS, *places(0, IDS), no_past(geometry, 2), image)["present"]
    changed = IDS.clone()
    changed[:, -1] = 7
    one, other = (decoder(ids, *places(4, ids), past, image) for ids in (IDS, changed))
    for (key, value), (other_key, other_value) in zip(
        one["present"], other["present"], strict=True
    ):
        torch.testing.assert_close(key[:, :, :-1], other_key[:, :, :-1])
        torch.testing.assert_close(value[:, :, :-1], other_value[:, :, :-1])
        assert not torch.equal(key[:, :, -1], other_key[:, :, -1])


@torch.inference_mode()
def test_padding_on_the_left_changes_nothing(
    model: BlipForConditionalGeneration, geometry: Geometry, pixel_values: torch.Tensor
) -> None:
    """Whatever lies in padded positions, of the past and of the new tokens alike."""
    decoder = DecoderStep(model)
    image = PictureEncoder(model)(pixel_values)[IMAGE_EMBEDS]
    expected = decoder(IDS, *places(0, IDS), no_past(geometry, 2), image)
    padding = torch.full((2, 2), 7)
    mask = torch.tensor([[0] * 5 + [1] * 4] * 2)
    position_ids = torch.tensor([[0, 0, 0, 1, 2, 3]] * 2)
    noise = torch.randn(2, geometry.text_heads, 3, geometry.text_hidden // geometry.text_heads)
    past = [(noise, noise)] * geometry.text_layers
    found = decoder(torch.cat([padding, IDS], 1), position_ids, mask, past, image)
    torch.testing.assert_close(found["logits"], expected["logits"], atol=1e-5, rtol=1e-5)
