"""Measure int8 with injected outliers: `python -m tests.export.int8.outlier_table CHECKPOINT DIR`.

DIR has pictures: the first four calibrate, the others are captioned. Each row is a kind of outliers
and a factor. It has the captions that equal fp32's and the mean error of the logits, before and
after the rescaling, from the exported graphs.
"""

import argparse
from collections.abc import Sequence
from operator import eq
from pathlib import Path
from tempfile import TemporaryDirectory

from export.checkpoint import Checkpoint, load_checkpoint
from export.int8.smoothing import PICTURES, pixel_values_of, smooth
from export.sources import Source
from export.terminal.progress import show_steps
from export.verification.logits import logit_error, runtime_logits, transformers_logits
from export.verification.parity import (
    Case,
    TokenIds,
    cases_for,
    runtime_captions,
)
from export.verification.pictures import Picture, read_pictures
from export.verification.reference import transformers_captions
from tests.export.int8.int8_export import export_int8
from tests.export.int8.outliers import (
    add_massive_token,
    add_outlier_channels,
    norms,
    text_activations,
    vision_activations,
)

FACTORS = (10, 40, 100)
LOGIT_CASES = 32
CHANNELS = {
    "vision norms": norms,
    "vision channels": vision_activations,
    "text channels": text_activations,
}
ROWS = [f"{kind} x {factor}" for kind in (*CHANNELS, "token") for factor in FACTORS]


def inject(row: str, checkpoint: Checkpoint, pictures: Sequence[Picture]) -> None:
    """Give a checkpoint the outliers of a row."""
    kind, _, factor = row.partition(" x ")
    if kind == "token":
        pixel_values = pixel_values_of(checkpoint, pictures)
        add_massive_token(checkpoint.model, float(factor), pixel_values)
    elif kind in CHANNELS:
        add_outlier_channels(CHANNELS[kind](checkpoint.model), float(factor))


def measure(
    checkpoint: Checkpoint,
    cases: Sequence[Case],
    expected: Sequence[TokenIds],
    kept_fp32: Sequence[str] = (),
) -> str:
    """Return the cells of the int8 graphs."""
    along = cases[:LOGIT_CASES], expected[:LOGIT_CASES]
    with TemporaryDirectory() as scratch:
        directory = export_int8(checkpoint, Path(scratch) / "int8", kept_fp32)
        found = list(runtime_captions(directory, cases))
        error = logit_error(
            transformers_logits(checkpoint, *along), runtime_logits(directory, *along)
        )
    equal = sum(map(eq, expected, found))
    return f"{equal} of {len(cases)} | {error.mean:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--rows", nargs="+", default=["none", *ROWS])
    options = parser.parse_args()
    pictures = read_pictures(options.pictures)
    calibration, cases = pictures[:PICTURES], cases_for(pictures[PICTURES:])
    print("| outliers | equal captions | logit error | rescaled: equal captions | logit error |")
    print("|---|---|---|---|---|")
    for row in options.rows:
        checkpoint = load_checkpoint(Source(options.checkpoint, row, None))
        inject(row, checkpoint, calibration)
        expected = list(transformers_captions(checkpoint, cases))
        before = measure(checkpoint, cases, expected)
        with show_steps() as steps:
            smoothing = smooth(checkpoint, calibration, steps)
            steps.announce(f"{row}: {smoothing}")
        after = measure(checkpoint, cases, expected, list(smoothing.kept_fp32))
        print(f"| {row} | {before} | {after} |", flush=True)


if __name__ == "__main__":
    main()
