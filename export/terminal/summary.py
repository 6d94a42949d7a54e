"""Print the outcome of an export as a table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from export.terminal.progress import StepRecord
from server.captioning.model.manifest import Manifest


def print_summary(manifest: Manifest, output: Path) -> None:
    """Print source, file sizes and verification figures of the model directory `output`."""
    table = Table(title=f"{manifest.name}, {manifest.precision}", show_header=False)
    revision = f" at {manifest.revision}" if manifest.revision else ""
    table.add_row("source", f"{manifest.source}{revision}")
    for file in manifest.files:
        table.add_row(file, f"{(output / file).stat().st_size / 1e6:,.1f} MB")
    figures = manifest.verification
    table.add_row("names, shapes, numbers", f"as torch's, within {figures['graph_tolerance']}")
    table.add_row(
        "captions",
        f"{figures['identical_to_transformers']} of {figures['captions']} equal transformers' "
        "token for token",
    )
    if manifest.precision == "int8":
        table.add_row(
            "logits",
            f"mean error {figures['mean_logit_error']}, cosine {figures['logit_cosine']}",
        )
    table.add_row("written to", str(output))
    Console().print(table)


def print_times(steps: Sequence[StepRecord]) -> None:
    """Print how long each step took, and the peak memory of the process up to its end."""
    table = Table(title="time and peak memory")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column("peak so far", justify="right")
    for step in steps:
        memory = f"{step.peak_memory / 1e9:.2f} GB"
        table.add_row(step.description, f"{step.seconds:.1f}", memory)
    table.add_section()
    table.add_row("all steps", f"{sum(step.seconds for step in steps):.1f}", memory)
    Console().print(table)
