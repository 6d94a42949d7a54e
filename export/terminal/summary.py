"""Print the outcome of an export as a table."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
    for title, text in caption_rows(figures):
        table.add_row(title, text)
    table.add_row("written to", str(output))
    Console().print(table)


def caption_rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield title and text for what the gate measured on captions."""
    equal = f"{figures['identical_to_transformers']} of {figures['captions']}"
    if "agreement" not in figures:
        yield "captions", f"{equal} equal transformers' token for token"
        return
    crops = f"{figures['pictures']} pictures of {figures['photographs']} photographs"
    yield "compared", f"{figures['captions']} captions: {crops} x {len(figures['prompts'])} prompts"
    yield (
        "equal token for token",
        f"{equal}, 95% interval {interval(figures['identical_interval'])}",
    )
    yield (
        "differ by a near tie",
        f"{figures['near_ties']}: transformers' choice is ahead by {figures['near_tie_gap']} logits"
        " at most",
    )
    yield (
        "agreement",
        f"{figures['agreement']:.1%}, 95% interval {interval(figures['agreement_interval'])}, near "
        f"ties included: {figures['decision']}, --min-agreement is {figures['min_agreement']:.1%}",
    )
    yield "overlap of captions", f"ROUGE-L {figures['rouge_l']}"
    yield "logits", f"mean error {figures['mean_logit_error']}, cosine {figures['logit_cosine']}"


def interval(ends: Sequence[float]) -> str:
    """Spell a pair of shares."""
    low, high = ends
    return f"{low:.1%} to {high:.1%}"


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
