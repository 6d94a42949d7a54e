"""Checkpoint -> validated ONNX files, through Optimum."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from optimum.exporters.error_utils import (  # type: ignore[import-untyped]
    AtolError,
    OutputMatchError,
    ShapeError,
)
from optimum.exporters.onnx import onnx_export_from_model  # type: ignore[import-untyped]
from optimum.exporters.onnx.convert import (  # type: ignore[import-untyped]
    DynamicAxisNameError,
    validate_model_outputs,
)
from torch import nn
from transformers import BlipForConditionalGeneration

from export.errors import GraphMismatch
from export.graphs import DecoderStep, PictureEncoder
from export.onnx_configs import (
    BlipOnnxConfig,
    DecoderStepOnnxConfig,
    PictureEncoderOnnxConfig,
)
from export.onnx_format import OPSET
from server.captioning.model.directory import DECODER, ENCODER

TASK = "image-to-text"


@dataclass(frozen=True, slots=True)
class Graph:
    """A module, what Optimum has to know of it, and the sizes of dynamic axes to validate it at."""

    file: str
    module: nn.Module
    config: BlipOnnxConfig
    validated_at: Sequence[Mapping[str, int]]


def encoder_graph(model: BlipForConditionalGeneration) -> Graph:
    config = PictureEncoderOnnxConfig(model.config, task=TASK)
    return Graph(ENCODER, PictureEncoder(model), config, ({"batch": 1}, {"batch": 3}))


def decoder_graph(model: BlipForConditionalGeneration) -> Graph:
    sizes = (
        {"batch": 1, "sequence": 5, "past": 0},  # a prompt
        {"batch": 1, "sequence": 1, "past": 5},  # a token
        {"batch": 3, "sequence": 1, "past": 5, "image_batch": 1},  # beams over one picture
        {"batch": 2, "sequence": 1, "past": 5, "image_batch": 2},  # two pictures
    )
    config = DecoderStepOnnxConfig(model.config, task=TASK)
    return Graph(DECODER, DecoderStep(model), config, sizes)


def export_graph(model: BlipForConditionalGeneration, graph: Graph, directory: Path) -> None:
    """Write `graph.file` to `directory`; the same checkpoint gives the same bytes."""
    name = Path(graph.file).stem
    # Optimum saves configurations beside the graph; a model directory has no use for them.
    with TemporaryDirectory(dir=directory) as scratch:
        onnx_export_from_model(
            model,
            scratch,
            task=TASK,
            opset=OPSET,
            custom_onnx_configs={name: graph.config},
            fn_get_submodels=lambda _: {name: graph.module},
            # Optimum only warns of numbers that differ; validate_graph raises.
            do_validation=False,
        )
        (Path(scratch) / graph.file).rename(directory / graph.file)


def validate_graph(graph: Graph, directory: Path, advance: Callable[[], None]) -> None:
    """Optimum's comparison of names, shapes and numbers with the torch module, at several sizes.

    Calls `advance` after each size. Raises GraphMismatch.
    """
    for sizes in graph.validated_at:
        try:
            validate_model_outputs(
                graph.config,
                graph.module,
                directory / graph.file,
                list(graph.config.outputs),
                input_shapes=dict(sizes),
                use_subprocess=False,
            )
        except (AtolError, OutputMatchError, ShapeError, DynamicAxisNameError) as exc:
            reason = " ".join(str(exc).split())
            raise GraphMismatch(f"{graph.file} at {dict(sizes)}: {reason}") from exc
        advance()
