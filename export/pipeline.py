"""Run an export: load, write graphs, caption with transformers, make a candidate, publish it.

Each stage that takes long is kept in a work directory until the export succeeds. The libraries of
the exporter are imported only if graphs have to be written.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.candidate import Candidate, Material, make_candidate
from export.checkpoint import Checkpoint, load_checkpoint
from export.errors import CandidateRefused
from export.int8.rescaling import Smoothing
from export.int8.smoothing import smooth_in_stage
from export.manifest import write_tokenizer
from export.output import publish, reject
from export.retries import advice, retry
from export.sources import Source
from export.stages.digests import Key
from export.stages.directory import WorkDirectory, work_directory
from export.stages.keys import captions_key, graphs_key
from export.terminal.progress import Steps
from export.terminal.quiet import quiet
from export.verification.gate import Gate, announcement
from export.verification.parity import PROMPTS, Case, TokenIds, searches_for
from export.verification.photographs import read_photographs
from export.verification.pictures import Picture, default_count, generate_pictures, read_pictures
from export.verification.reference import transformers_captions
from server.captioning.model.manifest import Manifest

GRAPHS, REFERENCE = "fp32", "reference"
CAPTIONS = "captions.json"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One export. `images` None: the precision's own pictures. `pictures` None: a default number.

    `auto` asks for retries that keep more layers in fp32 than the gate's, and `restart` for none of
    an earlier run's stages.
    """

    source: Source
    output: Path
    gate: Gate
    name: str
    images: Path | None
    pictures: int | None
    auto: bool = False
    restart: bool = False


def export_model(request: ExportRequest, steps: Steps) -> Manifest:
    """Write and verify a model directory. Return its manifest.

    Raises ExportError. Then OUTPUT is not there, and the work directory has the finished stages,
    unless the same export would fail again. A refused candidate is moved beside OUTPUT.
    """
    given = read_pictures(request.images)[: request.pictures] if request.images else None
    with (
        quiet(),
        work_directory(request.output, steps.announce, request.restart) as work,
    ):
        with steps.step(f"load {request.source.name}"):
            checkpoint = load_checkpoint(request.source)
            key = graphs_key(request.source)
        pictures = given or _default_pictures(request, checkpoint)
        smoothing = None
        if request.gate.precision == "int8":
            smoothing = smooth_in_stage(checkpoint, pictures, key, work, steps)
        material = _prepare(request, checkpoint, key, smoothing, pictures, work, steps)
        kept = (*request.gate.kept_fp32, *(smoothing.kept_fp32 if smoothing else ()))
        candidate = make_candidate(material, kept)
        if candidate.refused and request.auto:
            candidate = retry(material, candidate)
        if candidate.refused:
            raise _refuse(material, candidate, request.output)
        publish(candidate.directory, request.output)
    if candidate.verdict.decision == "warned":
        steps.announce(f"warning: {candidate.verdict.summary}")
    return candidate.manifest


def _prepare(
    request: ExportRequest,
    checkpoint: Checkpoint,
    key: Key,
    smoothing: Smoothing | None,
    pictures: Sequence[Picture],
    work: WorkDirectory,
    steps: Steps,
) -> Material:
    """Run the stages that candidates need, or take them from an earlier run."""
    key = {**key, "rescaling": smoothing.digest if smoothing else ""}
    graphs = work.stage(GRAPHS, key, lambda target: _write_graphs(checkpoint, target, steps))
    cases = request.gate.cases(checkpoint, pictures)
    steps.announce(announcement(cases))
    key = captions_key(key, cases)
    stage = work.stage(
        REFERENCE, key, lambda target: _write_captions(checkpoint, cases, target, steps)
    )
    return Material(
        checkpoint=checkpoint,
        graphs=graphs,
        cases=cases,
        reference=_read_captions(stage),
        key=key,
        gate=request.gate,
        name=request.name,
        work=work,
        steps=steps,
        smoothing=smoothing,
    )


def _write_graphs(checkpoint: Checkpoint, directory: Path, steps: Steps) -> None:
    # A run that has the graphs does not import Optimum's exporter.
    from export.convert import decoder_graph, encoder_graph, export_graph, validate_graph

    for graph in (encoder_graph(checkpoint.model), decoder_graph(checkpoint.model)):
        with steps.step(f"export {graph.file}"):
            export_graph(checkpoint.model, graph, directory)
        with steps.step(f"validate {graph.file}", len(graph.validated_at), "sizes") as advance:
            validate_graph(graph, directory, advance)
    write_tokenizer(checkpoint, directory)


def _write_captions(
    checkpoint: Checkpoint, cases: Sequence[Case], directory: Path, steps: Steps
) -> None:
    captions = steps.each(
        "caption with transformers",
        transformers_captions(checkpoint, cases),
        len(cases),
        "captions",
    )
    (directory / CAPTIONS).write_text(json.dumps(captions), encoding="utf-8")


def _read_captions(directory: Path) -> list[TokenIds]:
    return [tuple(ids) for ids in json.loads((directory / CAPTIONS).read_text(encoding="utf-8"))]


def _refuse(material: Material, candidate: Candidate, output: Path) -> CandidateRefused:
    # The advice takes minutes at base geometry. The candidate is out of the way before.
    rejected = reject(candidate.directory, output)
    return CandidateRefused(
        f"{candidate.verdict.summary} The refused candidate is {rejected}. "
        f"{advice(material, candidate)}"
    )


def _default_pictures(request: ExportRequest, checkpoint: Checkpoint) -> list[Picture]:
    """Return photographs for int8. Return generated pictures of many shapes and modes for fp32."""
    if request.gate.precision == "int8":
        return read_photographs()[: request.pictures]
    searches = searches_for(checkpoint.generation.num_beams)
    count = default_count(checkpoint.parameters, len(PROMPTS) * len(searches))
    return generate_pictures(request.pictures or count)
