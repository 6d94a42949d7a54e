"""Prepare a checkpoint for int8: rescale outlier channels, and find layers to keep in fp32.

Trained transformers have channels that are many times larger than the others. One scale for a whole
activation then leaves few of its 256 levels to the others. SmoothQuant moves such outliers into the
weights, which have a scale for each row or block (export.int8.foldings says where).

Tokens with massive activations are another matter: they come from an MLP, within which no rescaling
is exact. A layer whose activation they dominate stays in fp32.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from export.checkpoint import Checkpoint
from export.graphs import vision_layers
from export.int8.calibration import choose_factors
from export.int8.foldings import vision_foldings
from export.int8.rescaling import Smoothing
from export.int8.text_products import text_products
from export.int8.vision_products import VisionProducts, vision_products
from export.stages.digests import Key
from export.stages.directory import WorkDirectory
from export.terminal.progress import Steps
from export.verification.pictures import Picture

STAGE = "rescaling"
#: Pictures that factors are calibrated on.
PICTURES = 4
#: Tokens dominate an activation if int8's error is above this share of a product's output, and this
#: many times the error that would remain if each token had a scale of its own.
MAX_ERROR, MAX_RATIO = 0.05, 3.0
#: As many products for each vision layer may stay in fp32. Each costs the time that int8 saves.
MAX_KEPT = 0.5


def smooth(checkpoint: Checkpoint, pictures: Sequence[Picture], steps: Steps) -> Smoothing:
    """Rescale a checkpoint's channels in place, calibrated on some of the pictures."""
    smoothing = find_smoothing(checkpoint, pictures, steps)
    smoothing.apply(checkpoint.model)
    return smoothing


def smooth_in_stage(
    checkpoint: Checkpoint,
    pictures: Sequence[Picture],
    key: Key,
    work: WorkDirectory,
    steps: Steps,
) -> Smoothing:
    """Do the same with factors that are a stage. `key` says what the checkpoint depends on."""
    calibration = hashlib.sha256(b"".join(each.data for each in chosen(pictures))).hexdigest()
    stage = work.stage(
        STAGE,
        {**key, "calibration pictures": calibration},
        lambda target: find_smoothing(checkpoint, pictures, steps).write(target),
    )
    smoothing = Smoothing.read(stage)
    smoothing.apply(checkpoint.model)
    steps.announce(str(smoothing))
    return smoothing


@torch.no_grad()
def find_smoothing(checkpoint: Checkpoint, pictures: Sequence[Picture], steps: Steps) -> Smoothing:
    """Choose factors by int8's error in the products of each layer, without other layers' errors.

    The checkpoint stays as it is.
    """
    model = checkpoint.model
    layers = vision_layers(model)
    factors: dict[str, Tensor] = {}
    dominated: dict[str, float] = {}
    with steps.step("calibrate int8", len(layers) + 1, "layers") as advance:
        pixel_values = pixel_values_of(checkpoint, chosen(pictures))
        hidden_states = model.vision_model.embeddings(pixel_values)
        for index, layer in enumerate(layers):
            found = vision_products(layer, hidden_states)
            hidden_states = found.output
            of_layer = {
                name: choose_factors(list(found.reading(name).values()))
                for name in vision_foldings(layer)
            }
            factors |= {f"encoder.layers.{index}.{name}": each for name, each in of_layer.items()}
            errors = dominated_by_tokens(found, of_layer)
            dominated |= {f"encoder.layers.{index}.{name}": each for name, each in errors.items()}
            advance()
        image_embeds = model.vision_model.post_layernorm(hidden_states)
        captions = captions_of(checkpoint, pixel_values)
        for name, products in text_products(model, image_embeds, captions).items():
            factors[name] = choose_factors(products)
        advance()
    worst = sorted(dominated, key=lambda name: -dominated[name])[
        : math.ceil(MAX_KEPT * len(layers))
    ]
    return Smoothing(factors, {name: dominated[name] for name in worst})


def dominated_by_tokens(layer: VisionProducts, factors: Mapping[str, Tensor]) -> dict[str, float]:
    """Return int8's error in the products of which a few tokens take all levels."""
    by_product = {
        product: each for name, each in factors.items() for product in layer.reading(name)
    }
    errors = {}
    for name, product in layer.products.items():
        error = product.error(by_product.get(name))
        if error > MAX_ERROR and error > MAX_RATIO * product.error_by_row(by_product.get(name)):
            errors[name] = error
    return errors


def chosen(pictures: Sequence[Picture]) -> Sequence[Picture]:
    """Return the pictures to calibrate on, evenly spread."""
    return pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES]


def pixel_values_of(checkpoint: Checkpoint, pictures: Iterable[Picture]) -> Tensor:
    images = [picture.decode() for picture in pictures]
    values: Tensor = checkpoint.image_processor(images, return_tensors="pt").pixel_values
    return values


def captions_of(checkpoint: Checkpoint, pixel_values: Tensor) -> list[list[int]]:
    """Return the greedy captions of pictures, without the padding behind them."""
    pad = checkpoint.text_config.pad_token_id
    inputs: dict[str, Any] = {"pixel_values": pixel_values, "num_beams": 1}
    rows = checkpoint.model.generate(**inputs).tolist()
    return [[token for token in row if token != pad] for row in rows]
