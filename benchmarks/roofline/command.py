"""Measure this machine's limits: the rates of arithmetic and memory, and a caption's roofline."""

from argparse import ArgumentParser, Namespace

from benchmarks.options import add_model_arguments, positive
from benchmarks.processes import process
from benchmarks.roofline.kernels import measure_kernels, open_kernels
from benchmarks.roofline.model import KERNELS, roofline_of, work_of
from benchmarks.rows import MachineRate, RooflineRow, Work
from benchmarks.runs import Run
from benchmarks.subjects import BASE, find_subject
from benchmarks.summaries import Summary
from benchmarks.tables import Table, duration, megabytes


def add_arguments(parser: ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument("--rounds", type=positive, default=5)


def measure(options: Namespace, run: Run[RooflineRow]) -> None:
    """Raises Unavailable."""
    subject = find_subject(options.model or BASE)
    run.model = subject.label
    run.settings = {"rounds": str(options.rounds)}
    with process() as call:
        if subject.checkpoint:
            run.rows.append(call(work_of, subject.checkpoint))
        call(open_kernels, options.threads)
        for number in range(1, options.rounds + 1):
            run.say(f"round {number} of {options.rounds}")
            run.rows += call(measure_kernels, number)


def tables(run: Run[RooflineRow]) -> list[Table]:
    return [rate_table(run), model_table(run)]


def rate_table(run: Run[RooflineRow]) -> Table:
    rates: dict[str, list[float]] = {}
    for row in run.rows:
        if isinstance(row, MachineRate):
            unit = "GB/s" if row.kernel == "memory read" else "G operations/s"
            rates.setdefault(f"{row.kernel}, {unit}", []).append(row.rate / 1e9)
    summaries = {name: Summary.of(values) for name, values in rates.items()}
    rows = tuple(
        (name, *(f"{value:,.0f}" for value in (each.max, each.p50, each.min)))
        for name, each in summaries.items()
    )
    title = f"Rates of this machine ({run.environment.threads} threads)"
    return Table(title, ("", "best", "median", "least"), rows)


def model_table(run: Run[RooflineRow]) -> Table:
    """Show the least seconds of each precision and the work that they follow from."""
    found = {precision: roofline_of(run.rows, precision) for precision in KERNELS}
    rows = tuple(
        (precision, duration(each.encode), duration(each.token))
        for precision, each in found.items()
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
