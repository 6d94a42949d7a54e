"""Run an export: load, write graphs, verify, publish the model directory."""

from dataclasses import dataclass, replace
from pathlib import Path

from export.checkpoint import Checkpoint, load_checkpoint
from export.convert import decoder_graph, encoder_graph, export_graph, validate_graph
from export.int8.quantise import quantise
from export.manifest import describe, write_tokenizer
from export.output import atomic_directory
from export.sources import Source
from export.terminal.progress import Steps
from export.terminal.quiet import quiet
from export.verification.gate import Gate
from export.verification.parity import PROMPTS, searches_for
from export.verification.pictures import default_count, generate_pictures, read_pictures
from server.captioning.model.directory import write_manifest
from server.captioning.model.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One export. `images` None: generated pictures. `pictures` None: a default number of them."""

    source: Source
    output: Path
    gate: Gate
    name: str
    images: Path | None
    pictures: int | None


def export_model(request: ExportRequest, steps: Steps) -> Manifest:
    """Write and verify a model directory. Return its manifest.

    Raises ExportError. Then no file is left behind.
    """
    given = read_pictures(request.images)[: request.pictures] if request.images else None
    with quiet():
        with steps.step(f"load {request.source.name}"):
            checkpoint = load_checkpoint(request.source)
        pictures = given or generate_pictures(request.pictures or _default_count(checkpoint))
        with atomic_directory(request.output) as directory:
            _write_graphs(checkpoint, directory, request.gate, steps)
            write_tokenizer(checkpoint, directory)
            unverified = describe(checkpoint, directory, request.name, request.gate.precision)
            write_manifest(directory, unverified)
            figures = request.gate.verify(checkpoint, directory, pictures, steps)
            manifest = replace(unverified, verification=figures)
            write_manifest(directory, manifest)
    return manifest


def _default_count(checkpoint: Checkpoint) -> int:
    searches = searches_for(checkpoint.generation.num_beams)
    return default_count(checkpoint.parameters, len(PROMPTS) * len(searches))


def _write_graphs(checkpoint: Checkpoint, directory: Path, gate: Gate, steps: Steps) -> None:
    for graph in (encoder_graph(checkpoint.model), decoder_graph(checkpoint.model)):
        with steps.step(f"export {graph.file}"):
            export_graph(checkpoint.model, graph, directory)
        with steps.step(f"validate {graph.file}", len(graph.validated_at), "sizes") as advance:
            validate_graph(graph, directory, advance)
    if gate.precision == "int8":
        with steps.step("quantise to int8"):
            quantise(directory, checkpoint.model.config, gate.kept_fp32)
