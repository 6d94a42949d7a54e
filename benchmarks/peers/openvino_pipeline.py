"""OpenVINO on graphs of its own, without torch or transformers around it.

The encoder projects cross-attention keys and values once a picture, which OpenVINO's own BLIP
notebook does anew for every token: this is the strongest OpenVINO pipeline that is known. In int8,
NNCF has quantised the encoder and compressed the weights of the decoder, as in the notebook.
"""

from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import openvino

from benchmarks.peers.pipeline import Phases, Stopwatch
from benchmarks.pictures import SIZES, draw
from benchmarks.subjects import Subject
from server.captioning.image.picture_decoder import PictureDecoder
from server.captioning.image.pixel_values import to_pixel_values
from server.captioning.model.directory import DECODER, ENCODER, read_manifest
from server.captioning.model.manifest import Manifest

Arrays = dict[str, np.ndarray]

#: NNCF's default of 300 takes a quarter of an hour here; drawn pictures differ less than photos.
CALIBRATION_PICTURES = 24


def models_of(subject: Subject) -> tuple[Path, Manifest]:
    """Return the directory of OpenVINO's models and our manifest. Raises Unavailable."""
    manifest = read_manifest(subject.directory("fp32"))
    return subject.home / f"openvino-{manifest.digest[:12]}", manifest


def build(subject: Subject) -> None:
    """Write both precisions from the checkpoint, once; all files or none. Raises Unavailable."""
    checkpoint = subject.required_checkpoint("OpenVINO")
    output, manifest = models_of(subject)
    if output.is_dir():
        return
    import nncf

    from benchmarks.peers.key_value_graphs import export_key_value_graphs

    partial = output.with_name(output.name + ".partial")
    rmtree(partial, ignore_errors=True)
    onnx = partial / "onnx"
    onnx.mkdir(parents=True)
    export_key_value_graphs(checkpoint, onnx)
    encoder, decoder = (openvino.Core().read_model(onnx / each) for each in (ENCODER, DECODER))
    image = manifest.image
    # One row, and one token a step: only the past stays dynamic.
    encoder.reshape([1, 3, image.height, image.width])
    sizes = {each.any_name: each.get_partial_shape() for each in decoder.inputs}
    for name, shape in sizes.items():
        shape[0] = 1
        if name in ("input_ids", "position_ids"):
            shape[1] = 1
    decoder.reshape(sizes)
    decode = PictureDecoder(image, exact_decode=True)
    pixel_values = [
        to_pixel_values(decode(draw(SIZES["50 KB"], index).jpeg), image)
        for index in range(CALIBRATION_PICTURES)
    ]
    _save(partial / "fp32", encoder, decoder)
    quantised = nncf.quantize(
        encoder,
        nncf.Dataset(pixel_values),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=CALIBRATION_PICTURES,
    )
    _save(partial / "int8", quantised, nncf.compress_weights(decoder))
    rmtree(onnx)
    partial.rename(output)


def _save(directory: Path, encoder: Any, decoder: Any) -> None:
    directory.mkdir(parents=True)
    for name, model in (("encoder.xml", encoder), ("decoder.xml", decoder)):
        # By default OpenVINO would store fp32 weights in fp16.
        openvino.save_model(model, directory / name, compress_to_fp16=False)


class OpenVinoPipeline:
    """Preprocesses as our pipeline does, which is faster than the notebook's processor."""

    def __init__(self, subject: Subject, precision: str, threads: int, arithmetic: str) -> None:
        """`arithmetic` is the precision of the operators that are not int8: "f32" or "bf16"."""
        models, manifest = models_of(subject)
        config = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": arithmetic,
        }
        core = openvino.Core()
        self._manifest = manifest
        self._picture_decoder = PictureDecoder(manifest.image, exact_decode=False)
        self._encoder = core.compile_model(models / precision / "encoder.xml", "CPU", config)
        self._decoder = core.compile_model(models / precision / "decoder.xml", "CPU", config)
        shape = manifest.decoder
        empty = np.empty((1, shape.heads, 0, shape.head_dim), np.float32)
        names = [each.any_name for each in self._decoder.inputs]
        self._no_past = {name: empty for name in names if name.startswith("past_key_values.")}

    def caption(self, jpeg: bytes, tokens: int) -> Phases:
        watch = Stopwatch()
        pixel_values = to_pixel_values(self._picture_decoder(jpeg), self._manifest.image)
        preprocess = watch.lap()
        image = self._run(self._encoder, {"pixel_values": pixel_values})
        encode = watch.lap()
        token_ids = self._decode(image, tokens)
        return Phases(preprocess, encode, watch.lap(), token_ids)

    def _decode(self, image: Arrays, tokens: int) -> tuple[int, ...]:
        """Decode by greedy search, with one step of the decoder for each token."""
        past, token_ids = self._no_past, [self._manifest.tokens.start]
        while len(token_ids) <= tokens and token_ids[-1] != self._manifest.tokens.sep:
            step = {
                "input_ids": np.array([[token_ids[-1]]]),
                "position_ids": np.array([[len(token_ids) - 1]]),
                "attention_mask": np.ones((1, len(token_ids)), np.int64),
            }
            outputs = self._run(self._decoder, {**step, **past, **image})
            token_ids.append(int(outputs["logits"].argmax()))
            past = {name: outputs[name.replace("past_key_values", "present")] for name in past}
        return tuple(token_ids[1:])

    @staticmethod
    def _run(model: Any, inputs: Arrays) -> Arrays:
        """Run a graph without copying its inputs; its outputs are copies."""
        outputs = model(inputs, share_inputs=True)
        return {port.any_name: array for port, array in outputs.items()}
