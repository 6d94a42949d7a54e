"""The int8 products of a vision layer, with the activations of some pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from transformers.models.blip.modeling_blip import BlipEncoderLayer

from export.int8.calibration import BY_TENSOR, SCORES, Product, sampled
from export.int8.recording import recorded_inputs
from export.layers import VisionLayer, split_heads
from export.verification.sensitivity import modules

#: The products that read an activation, where their name is not that of export.int8.foldings.
READERS = {"qkv": ("query", "key", "value")}


@dataclass(frozen=True, slots=True)
class VisionProducts:
    """A layer's output f32 [pictures, tokens, hidden], and its products by their names."""

    output: Tensor
    products: Mapping[str, Product]

    def reading(self, folding: str) -> dict[str, Product]:
        """Return the products that read an activation, named as in export.int8.foldings."""
        return {name: self.products[name] for name in READERS.get(folding, (folding,))}


def vision_products(block: BlipEncoderLayer, hidden_states: Tensor) -> VisionProducts:
    """Run a layer on f32 [pictures, tokens, hidden]."""
    layer = VisionLayer(block)
    linears = modules(layer, nn.Linear)
    with recorded_inputs(linears.values()) as inputs:
        output = layer(hidden_states)
    products = {
        name: Product(sampled(inputs[linear][0]), linear.weight.detach().T, BY_TENSOR)
        for name, linear in linears.items()
    }
    return VisionProducts(output, products | {"scores": scores_of(layer, inputs[layer.query][0])})


def scores_of(layer: VisionLayer, states: Tensor) -> Product:
    """Return the product of queries and keys."""
    query, key = (split_heads(each(states), layer.heads) for each in (layer.query, layer.key))
    return Product(sampled(query), key.mT, SCORES, by_head=True)
