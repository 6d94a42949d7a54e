"""BLIP in OpenVINO's format, made once from the transformers checkpoint and kept.

Two shapes. `split` is the best that is known: our own two graphs, with the keys and values of
cross-attention made once per picture. `notebook` is what OpenVINO's own BLIP notebook has: its
decoder makes them anew for every token. int8 is the notebook's for both: the encoder quantised
after training by NNCF, the decoder's weights compressed.

In either, what the decoder needs of the picture is a tuple of tensors, its memory.
"""

from pathlib import Path
from shutil import rmtree
from typing import Any, Literal

import nncf
import openvino
import torch
from torch import Tensor, nn
from transformers import BlipForConditionalGeneration

from benchmarks.pictures import SIZES, draw
from export.graphs import DecoderStep, PictureEncoder, decoder_layers
from export.layers import KeyValue, split_heads
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.image.pixel_values import to_pixel_values
from server.captioning.model.manifest import Manifest

Shape = Literal["split", "notebook"]
Tensors = tuple[Tensor, ...]

ENCODER, DECODER = "encoder.xml", "decoder.xml"

#: NNCF's default is 300, which takes a quarter of an hour here; drawn pictures differ less.
CALIBRATION_PICTURES = 24


class SplitEncoder(nn.Module):
    """pixel_values f32 [1, 3, height, width] -> keys and values of every decoder layer"""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.encoder = PictureEncoder(model)

    def forward(self, pixel_values: Tensor) -> Tensors:
        return flat(self.encoder(pixel_values)["cross_key_values"])


class SplitDecoder(nn.Module):
    """A token, its position, past and memory -> logits, then the past with the token in it"""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.step = DecoderStep(model)

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, past: Tensors, memory: Tensors
    ) -> Tensors:
        seen = torch.ones(1, past[0].shape[2] + 1, dtype=torch.int64)
        output = self.step(input_ids, position_ids, seen, paired(past), paired(memory))
        return output["logits"], *flat(output["present"])


class NotebookEncoder(nn.Module):
    """pixel_values -> image_embeds f32 [1, tokens, hidden]"""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.vision_model = model.vision_model

    def forward(self, pixel_values: Tensor) -> Tensors:
        return (self.vision_model(pixel_values).last_hidden_state,)


class NotebookDecoder(nn.Module):
    """As SplitDecoder, with the projections that its memory, image_embeds, needs first."""

    def __init__(self, model: BlipForConditionalGeneration) -> None:
        super().__init__()
        self.decoder = SplitDecoder(model)
        self.heads = model.config.text_config.num_attention_heads
        attentions = [layer.crossattention.self for layer in decoder_layers(model)]
        self.projections = nn.ModuleList(
            projection for each in attentions for projection in (each.key, each.value)
        )

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, past: Tensors, memory: Tensors
    ) -> Tensors:
        pairs = paired(tuple(split_heads(each(memory[0]), self.heads) for each in self.projections))
        cross = flat([(key.transpose(2, 3), value) for key, value in pairs])
        output: Tensors = self.decoder(input_ids, position_ids, past, cross)
        return output


MODULES: dict[Shape, tuple[type[nn.Module], type[nn.Module]]] = {
    "split": (SplitEncoder, SplitDecoder),
    "notebook": (NotebookEncoder, NotebookDecoder),
}


def build(checkpoint: Path, manifest: Manifest, shape: Shape, output: Path) -> None:
    """Write `output`/fp32 and `output`/int8, whole or not at all."""
    partial = output.with_name(output.name + ".partial")
    rmtree(partial, ignore_errors=True)
    torch.set_grad_enabled(False)
    model: Any = BlipForConditionalGeneration.from_pretrained(checkpoint).eval()
    decode_picture = PictureDecoder(manifest.image, exact_decode=True)
    pixel_values = [
        to_pixel_values(decode_picture(draw(SIZES["50 KB"], index).jpeg), manifest.image)
        for index in range(CALIBRATION_PICTURES)
    ]
    encoder, decoder = (module(model) for module in MODULES[shape])
    memory = encoder(torch.from_numpy(pixel_values[0]))
    ov_encoder = convert_encoder(encoder, pixel_values[0])
    ov_decoder = convert_decoder(decoder, memory, manifest)
    _save(partial / "fp32", ov_encoder, ov_decoder)
    quantised = nncf.quantize(
        ov_encoder,
        nncf.Dataset(pixel_values),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=CALIBRATION_PICTURES,
    )
    _save(partial / "int8", quantised, nncf.compress_weights(ov_decoder))
    partial.rename(output)


def convert_encoder(encoder: nn.Module, pixel_values: Any) -> Any:
    return openvino.convert_model(
        encoder, example_input=torch.from_numpy(pixel_values), input=[pixel_values.shape]
    )


def convert_decoder(decoder: nn.Module, memory: Tensors, manifest: Manifest) -> Any:
    """One row and one token a step; only the past has a dynamic length."""
    shape = manifest.decoder
    past = (torch.zeros(1, shape.heads, 3, shape.head_dim),) * (2 * shape.layers)
    token, position = torch.tensor([[manifest.tokens.start]]), torch.tensor([[3]])
    model = openvino.convert_model(decoder, example_input=(token, position, past, memory))
    sizes: list[tuple[int, ...]] = [(1, 1), (1, 1)]
    sizes += [(1, shape.heads, -1, shape.head_dim)] * len(past)
    sizes += [tuple(each.shape) for each in memory]
    model.reshape(dict(zip(model.inputs, map(openvino.PartialShape, sizes), strict=True)))
    return model


def flat(pairs: list[KeyValue]) -> Tensors:
    return tuple(tensor for pair in pairs for tensor in pair)


def paired(tensors: Tensors) -> list[KeyValue]:
    return list(zip(tensors[::2], tensors[1::2], strict=True))


def _save(directory: Path, encoder: Any, decoder: Any) -> None:
    directory.mkdir(parents=True)
    # Without the compression to fp16 that is its default: fp32 is to mean fp32.
    openvino.save_model(encoder, directory / ENCODER, compress_to_fp16=False)
    openvino.save_model(decoder, directory / DECODER, compress_to_fp16=False)
