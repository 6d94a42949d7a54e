"""An export from beginning to end."""

from dataclasses import dataclass, replace
from pathlib import Path

from export.checkpoint import Checkpoint, load_checkpoint
from export.convert import decoder_graph, encoder_graph, export_graph, validate_graph
from export.gate import Gate
from export.int8.quantise import quantise
from export.manifest import describe, write_tokenizer
from export.output import written_whole
from export.pictures import generate_pictures, read_pictures
from export.progress import Steps
from export.quiet import quiet
from export.sources import Source
from server.captioning.model.directory import write_manifest
from server.captioning.model.manifest import Manifest

# Eight captions a picture in two pipelines: milliseconds each for a small model, but about a minute
# a picture at base geometry on two cores.
SMALL_MODEL = 50_000_000  # parameters
PICTURES_FOR_SMALL, PICTURES_FOR_LARGE = 200, 8


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """`images` None: verify on generated pictures; `pictures` None: on a default number of them."""

    source: Source
    output: Path
    gate: Gate
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
            _write_graphs(checkpoint, directory, request.gate, steps)
            write_tokenizer(checkpoint, directory)
            unverified = describe(checkpoint, directory, request.name, request.gate.precision)
            write_manifest(directory, unverified)
            figures = request.gate.verify(checkpoint, directory, pictures, steps)
            manifest = replace(unverified, verification=figures)
            write_manifest(directory, manifest)
    return manifest


def _default_count(checkpoint: Checkpoint) -> int:
    small = checkpoint.parameters <= SMALL_MODEL
    return PICTURES_FOR_SMALL if small else PICTURES_FOR_LARGE


def _write_graphs(checkpoint: Checkpoint, directory: Path, gate: Gate, steps: Steps) -> None:
    for graph in (encoder_graph(checkpoint.model), decoder_graph(checkpoint.model)):
        with steps.step(f"export {graph.file}"):
            export_graph(checkpoint.model, graph, directory)
        with steps.step(f"validate {graph.file}", len(graph.validated_at)) as advance:
            validate_graph(graph, directory, advance)
    if gate.precision == "int8":
        with steps.step("quantise"):
            quantise(directory, checkpoint.model.config, gate.excluded)
