"""Print the outcome of an export as a table."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

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
