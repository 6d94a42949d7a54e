"""Turn the fp32 graphs of a model directory into int8 ones."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import filter as matching
from pathlib import Path
from typing import Any, Protocol, TypeVar

import onnx_ir as ir

from export.errors import QuantisationError
from export.graphs import IMAGE_EMBEDS
from export.int8.attention_scores import Scores, find_scores, quantise_scores
from export.int8.cross_attention import (
    HeadProduct,
    ImageProducts,
    find_head_products,
    find_image_products,
    quantise_head_products,
    quantise_image_embeds,
    quantise_image_products,
)
from export.int8.linears import (
    Linear,
    find_linears,
    find_tied_embeddings,
    quantise_decoder_linears,
    quantise_encoder_linears,
)
from export.int8.onnx_graph import GraphRewriter, check_count, remove_unused
from server.captioning.model.directory import DECODER, ENCODER

#: Stands for the encoder's last hidden state and for all products with it.
IMAGE_NAME = f"encoder.{IMAGE_EMBEDS}"


class Named(Protocol):
    @property
    def name(self) -> str: ...


Place = TypeVar("Place", bound=Named)


@dataclass(frozen=True, slots=True)
class Places:
    """What is in fp32 in the two graphs and can be int8."""

    vision_linears: Sequence[Linear]
    scores: Sequence[Scores]
    text_linears: Sequence[Linear]
    head_products: Sequence[HeadProduct]
    image_products: Sequence[ImageProducts]

    @classmethod
    def find(cls, encoder: ir.Graph, decoder: ir.Graph) -> "Places":
        return cls(
            find_linears(encoder),
            find_scores(encoder),
            find_linears(decoder),
            find_head_products(decoder),
            find_image_products(decoder),
        )

    def check(self, config: Any) -> None:
        """Raise QuantisationError if `config`, a BlipConfig, implies other numbers of them."""
        vision, text = config.vision_config.num_hidden_layers, config.text_config.num_hidden_layers
        # Query, key, value and projection of the attention, and two layers of the MLP.
        check_count("linear layers of the encoder", len(self.vision_linears), 6 * vision)
        check_count("attention scores of the encoder", len(self.scores), vision)
        # Query, key and value in one, and the output; query and output of the cross-attention; two
        # layers of the MLP. The word head has two for the whole decoder.
        check_count("linear layers of the decoder", len(self.text_linears), 6 * text + 2)
        embeddings = find_tied_embeddings(self.text_linears)
        tied = int(config.text_config.tie_word_embeddings)
        check_count("word embeddings tied to the word head", len(embeddings), tied)
        # Key and value.
        check_count("per-head products of the decoder", len(self.head_products), 2 * text)
        check_count("cross-attentions of the decoder", len(self.image_products), text)

    def names(self) -> list[str]:
        """Return the names that can be kept in fp32."""
        encoder: list[Named] = [*self.vision_linears, *self.scores]
        decoder: list[Named] = [*self.head_products, *self.text_linears]
        return [
            *(f"encoder.{each.name}" for each in encoder),
            *([IMAGE_NAME] if self.image_products else []),
            *(f"decoder.{each.name}" for each in decoder),
        ]


def quantise(
    directory: Path, config: Any, kept_fp32: Collection[str] = (), into: Path | None = None
) -> None:
    """Rewrite both graphs: in place, or to the directory `into`.

    `config` is the BlipConfig that they were exported for. `kept_fp32` names layers to leave as
    they are: "encoder." or "decoder.", then the torch module's name, with * for anything. The
    attention scores of a vision layer are its ".scores". Raises QuantisationError for a name that
    fits no layer, and for graphs in which not everything is found that `config` implies.
    """
    encoder, decoder = (ir.load(directory / file) for file in (ENCODER, DECODER))
    places = Places.find(encoder.graph, decoder.graph)
    places.check(config)
    kept = _matching_names(places.names(), kept_fp32)

    def chosen(graph: str, places: Sequence[Place]) -> list[Place]:
        return [each for each in places if f"{graph}.{each.name}" not in kept]

    encoder_rewriter, decoder_rewriter = GraphRewriter(encoder), GraphRewriter(decoder)
    quantise_scores(encoder_rewriter, chosen("encoder", places.scores))
    quantise_encoder_linears(encoder_rewriter, chosen("encoder", places.vision_linears))
    if IMAGE_NAME not in kept:
        quantise_image_embeds(encoder_rewriter)
        quantise_image_products(decoder_rewriter, places.image_products)
    quantise_head_products(decoder_rewriter, chosen("decoder", places.head_products))
    quantise_decoder_linears(decoder_rewriter, chosen("decoder", places.text_linears))
    for model in (encoder, decoder):
        remove_unused(model)
    left = Places.find(encoder.graph, decoder.graph).names()
    check_count("layers in fp32", len(left), len(kept))
    ir.save(encoder, (into or directory) / ENCODER)
    ir.save(decoder, (into or directory) / DECODER)


def _matching_names(names: Sequence[str], patterns: Collection[str]) -> set[str]:
    matched: set[str] = set()
    for pattern in patterns:
        found = matching(names, pattern)
        if not found:
            raise QuantisationError(
                f"--keep-fp32 {pattern} fits no layer; there are, for example, "
                f"{names[0]} and {names[-1]}."
            )
        matched.update(found)
    return matched
