"""An export from beginning to end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from export.checkpoint import Checkpoint, load_checkpoint
from export.convert import decoder_graph, encoder_graph, export_graph, validate_graph
from export.manifest import describe, write_tokenizer
from export.onnx_configs import BlipOnnxConfig
from export.output import written_whole
from export.pictures import Picture, generate_pictures, read_pictures
from export.progress import Steps
from export.quiet import quiet
from export.sources import Source
from export.verify import (
    NUM_BEAMS,
    PROMPTS,
    cases_for,
    check_equal,
    runtime_captions,
    transformers_captions,
)
from server.captioning.manifest import Manifest
from server.captioning.model_directory import write_manifest

# Eight captions a picture in two pipelines: milliseconds each for a small model, but about a minute
# a picture at base geometry on two cores.
SMALL_MODEL = 50_000_000  # parameters
PICTURES_FOR_SMALL, PICTURES_FOR_LARGE = 200, 8


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """`images` None: verify on generated pictures; `pictures` None: on a default number of them."""

    source: Source
    output: Path
    precision: Literal["fp32"]
    name: str
    images: Path | None
    pictures: int | None


def export_model(request: ExportRequest, steps: Steps) -> Manifest:
    """Write a model directory that captions as the checkpoint does.

    Raises ExportError, and leaves nothing behind then.
    """
    given = read_pictures(request.images)[: request.pictures] if request.images else None
    with quiet():
        with steps.step(f"load {request.source.name}"):
            checkpoint = load_checkpoint(request.source)
        pictures = given or generate_pictures(request.pictures or _default_count(checkpoint))
        with written_whole(request.output) as directory:
            _write_graphs(checkpoint, directory, steps)
            write_tokenizer(checkpoint, directory)
            unverified = describe(checkpoint, directory, request.name, request.precision)
            write_manifest(directory, unverified)
            figures = _verify(checkpoint, directory, pictures, steps)
            manifest = replace(unverified, verification=figures)
            write_manifest(directory, manifest)
    return manifest


def _default_count(checkpoint: Checkpoint) -> int:
    small = checkpoint.parameters <= SMALL_MODEL
    return PICTURES_FOR_SMALL if small else PICTURES_FOR_LARGE


def _write_graphs(checkpoint: Checkpoint, directory: Path, steps: Steps) -> None:
    for graph in (encoder_graph(checkpoint.model), decoder_graph(checkpoint.model)):
        with steps.step(f"export {graph.file}"):
            export_graph(checkpoint.model, graph, directory)
        with steps.step(f"validate {graph.file}", len(graph.validated_at)) as advance:
            validate_graph(graph, directory, advance)


def _verify(
    checkpoint: Checkpoint, directory: Path, pictures: Sequence[Picture], steps: Steps
) -> dict[str, object]:
    """Figures for the manifest. Raises CaptionMismatch."""
    cases = cases_for(pictures)
    # One pipeline after the other: their thread pools would spin against each other.
    expected = transformers_captions(checkpoint, cases)
    found = runtime_captions(directory, cases)
    check_equal(
        cases,
        steps.each("caption with transformers", expected, len(cases)),
        steps.each("caption with ONNX Runtime", found, len(cases)),
    )
    return {
        "graph_tolerance": BlipOnnxConfig.ATOL_FOR_VALIDATION,
        "pictures": len(pictures),
        "prompts": list(PROMPTS),
        "num_beams": list(NUM_BEAMS),
        "captions": len(cases),
        "identical_to_transformers": len(cases),
    }
