"""Compare this checkout's server with another checkout's, for `--against CHECKOUT`.

Both checkouts are used through interfaces that outlast a refactoring: `python -m export`,
`python -m server`, and HTTP with Server-Timing. Each exports its own model directory from the same
checkpoint, because formats may differ.

A round starts both servers anew, sends unrecorded requests to warm up, and then uploads new files
to both in turn, another one first each time. So neither a drift of the machine nor the luck of one
process with its memory pages is taken for a difference of the code.

`latency --against` compares cold captions and cached hits. `pipelines --against` compares cold
captions of servers without a cache, in whole and by phase: little else takes time there.
"""

import asyncio
from argparse import Namespace
from contextlib import ExitStack
from itertools import chain
from statistics import median

from benchmarks.checkouts import Checkout
from benchmarks.http.servers import our_server
from benchmarks.http.verification import Verifier, reference_captions
from benchmarks.latency.figures import groups_of, latency_tables, values_by_round
from benchmarks.latency.sampling import sample
from benchmarks.pictures import SIZES, draw
from benchmarks.rounds import median_interval, rotated
from benchmarks.rows import Kind, LatencyRow, LatencySample
from benchmarks.runs import Run
from benchmarks.subjects import find_subject
from benchmarks.tables import Table, duration

ROUNDS = 30
#: Repetitions of a round's requests while the same two processes run.
REPEATS = 4
HITS = 10

#: The two sides, and the phases of a cold caption that are compared.
THIS, OTHER = "this", "other"
PHASES = ("preprocess", "encode", "decode")
#: The ratio above which this checkout counts as slower.
TOLERATED = 1.02


def measure(options: Namespace, run: Run[LatencyRow], size: str, cache: bool) -> None:
    """Raises Unavailable, ModelDirectoryError and WrongAnswer."""
    checkouts = {THIS: Checkout(), OTHER: Checkout.open(options.against)}
    subject = find_subject(options.model)
    checkpoint = subject.required_checkpoint("--against")
    rounds = options.rounds or ROUNDS
    run.model = f"{subject.label}, {options.precision}"
    run.settings = {name: checkout.commit() for name, checkout in checkouts.items()}
    run.settings["rounds"] = str(rounds)
    run.say("exporting with both checkouts, unless it is done (minutes)")
    directories = {
        name: checkout.export(checkpoint, subject.home, options.precision)
        for name, checkout in checkouts.items()
    }
    picture = draw(SIZES[size], 0)
    only_this = {THIS: directories[THIS]}
    verifier = Verifier(reference_captions(only_this, options.threads, [picture], [None]))
    hits: list[Kind] = ["cached"] * HITS
    kinds: list[Kind] = ["cold", *(hits if cache else [])]
    flags = () if cache else ("--no-cache",)
    for number in range(1, rounds + 1):
        with ExitStack() as stack:
            targets = [
                stack.enter_context(
                    our_server(name, directories[name], options.threads, checkout.path, flags)
                )
                for name, checkout in rotated(list(checkouts.items()), number)
            ]
            turns = [0, *[number] * REPEATS]
            asyncio.run(sample(targets, {size: picture}, {size: kinds}, verifier, turns, run))
        equal = verifier.captions[THIS] == verifier.captions[OTHER]
        run.settings["captions"] = "equal" if equal else "different"


def tables(run: Run[LatencyRow]) -> list[Table]:
    return [*latency_tables(run), against_table(run)]


def against_table(run: Run[LatencyRow]) -> Table:
    """Show the ratio of the two checkouts, paired by round, with its 95 % interval."""
    rows: list[tuple[str, ...]] = []
    groups = groups_of(run)
    for (size, side, kind), samples in groups.items():
        if side == THIS:
            others = groups.get((size, OTHER, kind), [])
            rows += compared(kind, samples, others)
            if kind == "cold":
                for phase in PHASES:
                    rows += compared(f"{phase} of cold", samples, others, phase)
    return Table(
        f"This checkout against another ({run.model})",
        ("", THIS, OTHER, f"{THIS} / {OTHER}", "95 % interval", "loss above 2 %", "rounds"),
        tuple(rows),
        "The ratio is the median over rounds of a round's median ratio of paired requests, its "
        f"interval the binomial one of that median. Commits: {THIS} {run.settings[THIS]}, {OTHER} "
        f"{run.settings[OTHER]}. Captions of the two: {run.settings.get('captions', 'unknown')}; "
        "only equal captions are equal work.",
    )


def compared(
    label: str, this: list[LatencySample], other: list[LatencySample], phase: str | None = None
) -> list[tuple[str, ...]]:
    """Return one row of the table, or none if one side lacks the phase."""
    ours, theirs = values_by_round(this, phase), values_by_round(other, phase)
    ratios = [
        median(mine / another for mine, another in zip(ours[each], theirs[each], strict=False))
        for each in ours.keys() & theirs.keys()
    ]
    if not ratios:
        return []
    interval = median_interval(ratios)
    medians = (duration(median(chain(*side.values()))) for side in (ours, theirs))
    shown = "{:.3f} to {:.3f}".format(*interval) if interval else ""
    ratio = f"{median(ratios):.3f}"
    return [(label, *medians, ratio, shown, verdict(interval), str(len(ratios)))]


def verdict(interval: tuple[float, float] | None) -> str:
    """Return whether this checkout is slower by more than 2 %, as far as the interval tells."""
    if interval is None:
        return ""
    low, high = interval
    if high <= TOLERATED:
        return "no"
    return "yes" if low > TOLERATED else "possible"
