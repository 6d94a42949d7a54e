"""Measure this machine's limits: the rates of arithmetic and memory, and a caption's roofline.

The roofline is the least work of the model at this machine's best rates (S. Williams, A. Waterman,
D. Patterson: Roofline, an insightful visual performance model for multicore architectures, CACM
52(4), 2009). Encoding is bound by arithmetic, a decoder step of one caption by reading its weights.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.options import add_model_arguments, positive
from benchmarks.processes import process
from benchmarks.roofline.kernels import measure_kernels, open_kernels
from benchmarks.rows import Kernel, MachineRate, RooflineRow, Work
from benchmarks.runs import Run
from benchmarks.subjects import find_subject
from benchmarks.tables import Table, duration, megabytes

#: By precision of the weights: the kernel of a linear layer, and the bytes of a weight.
KERNELS: dict[str, Kernel] = {"fp32": "fp32 gemm", "bf16": "bf16 gemm", "int8": "int8 gemm"}
WEIGHT_BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
#: The kernel of attention: its probabilities are too small and too many for 8 bits.
ATTENTION_KERNELS: dict[str, Kernel] = {**KERNELS, "int8": "fp32 gemm"}


@dataclass(frozen=True, slots=True)
class Roofline:
    """The least seconds to encode a picture and to decode a token."""

    encode: float
    token: float


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--rounds", type=positive, default=5)


def measure(options: Namespace, run: Run[RooflineRow]) -> None:
    """Raises Unavailable."""
    subject = find_subject(options.model)
    run.model = subject.label
    run.settings = {"rounds": str(options.rounds)}
    with process() as other:
        if subject.checkpoint:
            run.rows.append(other.submit(work_of, subject.checkpoint).result())
        other.submit(open_kernels, options.threads).result()
        for number in range(1, options.rounds + 1):
            run.say(f"round {number} of {options.rounds}")
            run.rows += other.submit(measure_kernels, number).result()


def work_of(checkpoint: Path) -> Work:
    """Count the work of a caption from the checkpoint's configuration.

    Counts matrix products and convolutions, which are all but a few percent. Cross-attention reads
    the encoder's last hidden state, once for all layers, and the weights of its keys and values.
    """
    from transformers import BlipConfig

    config = BlipConfig.from_pretrained(checkpoint)
    vision, text = config.vision_config, config.text_config
    hidden, width = vision.hidden_size, text.hidden_size
    patches = (vision.image_size // vision.patch_size) ** 2
    tokens = patches + 1
    embedding = patches * hidden * 3 * vision.patch_size**2
    projections = tokens * hidden * (4 * hidden + 2 * vision.intermediate_size)
    attention = 2 * tokens**2 * hidden
    # Four products of self-attention, query and output of cross-attention, its key and value,
    # feed-forward.
    layer = 6 * width**2 + 2 * hidden * width + 2 * width * text.intermediate_size
    head = width**2 + width * text.vocab_size
    return Work(
        encoder_operations=2.0 * (embedding + (projections + attention) * vision.num_hidden_layers),
        attention_operations=2.0 * attention * vision.num_hidden_layers,
        step_bytes=4.0 * (layer * text.num_hidden_layers + tokens * hidden + head),
    )


def roofline_of(rows: Iterable[object], precision: str) -> Roofline | None:
    """Return the roofline of one caption at the best rates of all rounds.

    None if the rows lack work or rates. A decoder that fits the processor's caches may be faster:
    weights are read from memory here.
    """
    work, rates = None, dict[Kernel, float]()
    for row in rows:
        if isinstance(row, MachineRate):
            rates[row.kernel] = max(rates.get(row.kernel, 0.0), row.rate)
        elif isinstance(row, Work):
            work = row
    linear_kernel, attention_kernel = KERNELS[precision], ATTENTION_KERNELS[precision]
    if work is None or not {linear_kernel, attention_kernel, "memory read"} <= rates.keys():
        return None
    linear = work.encoder_operations - work.attention_operations
    return Roofline(
        encode=linear / rates[linear_kernel] + work.attention_operations / rates[attention_kernel],
        token=work.step_bytes * WEIGHT_BYTES[precision] / 4 / rates["memory read"],
    )


def tables(run: Run[RooflineRow]) -> list[Table]:
    return [rate_table(run), model_table(run)]


def rate_table(run: Run[RooflineRow]) -> Table:
    rates: dict[str, list[float]] = {}
    for row in run.rows:
        if isinstance(row, MachineRate):
            unit = "GB/s" if row.kernel == "memory read" else "G operations/s"
            rates.setdefault(f"{row.kernel}, {unit}", []).append(row.rate / 1e9)
    rows = tuple(
        (name, *(f"{value:,.0f}" for value in (max(found), median(found), min(found))))
        for name, found in rates.items()
    )
    title = f"Rates of this machine ({run.environment.threads} threads)"
    return Table(title, ("", "best", "median", "least"), rows)


def model_table(run: Run[RooflineRow]) -> Table:
    """Show the least seconds of each precision and the work that they follow from."""
    rooflines = {precision: roofline_of(run.rows, precision) for precision in KERNELS}
    rows = tuple(
        (precision, duration(each.encode), duration(each.token))
        for precision, each in rooflines.items()
        if each
    )
    work = next((row for row in run.rows if isinstance(row, Work)), None)
    note = "The checkpoint is not here, so the work is unknown."
    if work:
        note = (
            f"Encoding takes {work.encoder_operations / 1e9:,.1f} G operations. A token reads "
            f"{megabytes(work.step_bytes)} of weights and hidden states in fp32."
        )
    return Table(f"Roofline of a caption ({run.model})", ("", "encode", "a token"), rows, note)
