"""The int8 products of the decoder whose activations can be rescaled, along some captions."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from transformers import BlipForConditionalGeneration
from transformers.models.blip.modeling_blip_text import BlipTextLayer

from export.graphs import DecoderStep, decoder_layers
from export.int8.calibration import BY_BLOCK, BY_ROW, Product
from export.int8.foldings import IMAGE
from export.int8.recording import recorded_inputs
from export.layers import DecoderLayer


def text_products(
    model: BlipForConditionalGeneration, image_embeds: Tensor, captions: Sequence[Sequence[int]]
) -> dict[str, list[Product]]:
    """Run the decoder over captions of pictures. Return its products by what they read.

    `image_embeds` is f32 [pictures, tokens, width]. Activations have the names that they have in
    export.int8.foldings.
    """
    decoder = DecoderStep(model)
    layers = cast(list[DecoderLayer], list(decoder.layers))
    rescaled = {index: rescaled_in(layer) for index, layer in enumerate(layers)}
    with recorded_inputs(module for each in rescaled.values() for module in each) as inputs:
        run(decoder, model, image_embeds, captions)
    products: dict[str, list[Product]] = {IMAGE: []}
    for index, block in enumerate(decoder_layers(model)):
        states = [rows_of(inputs[module]) for module in rescaled[index]]
        of_layer = layer_products(block, *states)
        products[IMAGE].append(of_layer.pop(IMAGE))
        products |= {f"decoder.layers.{index}.{name}": [each] for name, each in of_layer.items()}
    return products


def run(
    decoder: DecoderStep,
    model: BlipForConditionalGeneration,
    image_embeds: Tensor,
    captions: Sequence[Sequence[int]],
) -> None:
    text = model.config.text_config
    heads = text.num_attention_heads
    empty = torch.empty(1, heads, 0, text.hidden_size // heads)
    past = [(empty, empty)] * text.num_hidden_layers
    for image, caption in zip(image_embeds, captions, strict=True):
        ids = torch.tensor([list(caption)])
        decoder(ids, torch.arange(ids.shape[1])[None], torch.ones_like(ids), past, image[None])


def rescaled_in(layer: DecoderLayer) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
    """Return the modules whose inputs can be rescaled, in the order of `layer_products`."""
    cross = layer.cross_attention
    return layer.attention.output.dense, cross.key, cross.value, cross.dense


def layer_products(
    block: BlipTextLayer, contexts: Tensor, queries: Tensor, images: Tensor, attended: Tensor
) -> dict[str, Product]:
    """Return a layer's products by what they read, given the inputs of `rescaled_in`."""
    cross = block.crossattention
    heads = (cross.self.num_attention_heads, -1)
    # [heads, head_dim, width] both
    key, value = (
        each.weight.detach().unflatten(0, heads) for each in (cross.self.key, cross.self.value)
    )
    dense, cross_dense = (each.output.dense.weight.detach().T for each in (block.attention, cross))
    return {
        "attention.output.dense": Product(contexts, dense, BY_BLOCK),
        "cross_attention.key": Product(queries, key, BY_ROW, by_head=True),
        IMAGE: Product(images, value.mT, BY_ROW),
        "cross_attention.dense": Product(attended, cross_dense, BY_BLOCK),
    }


def rows_of(inputs: Sequence[Tensor]) -> Tensor:
    """Join what a module saw along captions.

    Returns f32 [rows, channels], or f32 [heads, rows, channels] of a HeadLinear.
    """
    if inputs[0].dim() == 3:
        return torch.cat([each.flatten(0, 1) for each in inputs])
    return torch.cat([each[:, :, 0, 0] for each in inputs]).transpose(0, 1)
