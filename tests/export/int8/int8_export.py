"""Export a checkpoint to an int8 model directory without the gate."""

from collections.abc import Collection
from pathlib import Path

from export.checkpoint import Checkpoint
from export.convert import decoder_graph, encoder_graph, export_graph
from export.int8.quantise import quantise
from export.manifest import describe, write_tokenizer
from export.terminal.quiet import quiet
from server.captioning.model.directory import write_manifest


def export_int8(checkpoint: Checkpoint, directory: Path, kept_fp32: Collection[str] = ()) -> Path:
    """Write a model directory. Returns `directory`."""
    directory.mkdir()
    with quiet():
        for graph in (encoder_graph(checkpoint.model), decoder_graph(checkpoint.model)):
            export_graph(checkpoint.model, graph, directory)
    quantise(directory, checkpoint.model.config, kept_fp32)
    write_tokenizer(checkpoint, directory)
    write_manifest(directory, describe(checkpoint, directory, directory.name, "int8"))
    return directory
