"""Pipeline rows -> the numbers and tables that people read."""

from collections.abc import Sequence
from statistics import median

from benchmarks.floor.limits import best_rates, floor_of
from benchmarks.rows import Absent, Beyond, Captioned, Case, Loaded, PipelineRow, Work
from benchmarks.runs import Run
from benchmarks.summaries import Summary, ratios
from benchmarks.tables import Table, duration, megabytes, times, with_spread

COMPARED: dict[Case, Case] = {
    "preprocess 12 MP": "preprocess 12 MP, decoded in full",
    "new prompt on a known picture": "the same on a new picture",
    "one of 8 pictures at once": "one of 8 pictures in turn",
}


def tables(run: Run[PipelineRow]) -> list[Table]:
    captions = captions_of(run)
    lengths = sorted({row.tokens for row in captions})
    found = [caption_table(run, tokens) for tokens in lengths]
    if captions:
        found += [part_table(run, max(lengths)), beyond_table(run), cost_table(run)]
    return [*found, machine_table(run)]


def caption_table(run: Run[PipelineRow], tokens: int) -> Table:
    """A line a pipeline, the quickest first, absent ones last."""
    reference = reference_of(run)
    rows = []
    for name in by_speed(run, tokens):
        samples = samples_of(run, name, tokens)
        whole = Summary.of([row.seconds for row in samples])
        rows.append(
            (
                name,
                with_spread(whole),
                duration(median(row.preprocess for row in samples)),
                duration(median(row.encode for row in samples)),
                duration(median(row.decode / row.tokens for row in samples)),
                _speed_up(samples, samples_of(run, reference, tokens)),
                _multiple(run, name, tokens, whole.p50),
                agreement(samples, samples_of(run, reference, tokens)),
            )
        )
    for absent in (row for row in run.rows if isinstance(row, Absent)):
        rows.append((absent.pipeline, "absent", "-", "-", "-", "-", "-", "-"))
    return Table(
        f"One caption of {tokens} tokens ({run.model}, {run.environment.threads} threads)",
        (
            "",
            "whole",
            "preprocess",
            "encode",
            "decode, a token",
            f"speed-up over {reference}",
            "of its floor",
            "same tokens",
        ),
        tuple(rows),
        "Median (least to greatest); the speed-up is the median over rounds, the floor that of "
        f"each precision; tokens count as the same as {reference}'s up to the first that differs. "
        + " ".join(f"{row.pipeline}: {row.reason}." for row in run.rows if isinstance(row, Absent)),
    )


def part_table(run: Run[PipelineRow], tokens: int) -> Table:
    """Each part of a caption beside the least that it takes."""
    precisions = {row.pipeline: row.precision for row in run.rows if isinstance(row, Loaded)}
    rows = []
    for name in by_speed(run, tokens):
        floor = floor_of(run.rows, precisions[name])
        if floor is None:
            continue
        samples = samples_of(run, name, tokens)
        encode = median(row.encode for row in samples)
        token = median(row.decode / row.tokens for row in samples)
        rows.append(
            (
                name,
                *(duration(encode), duration(floor.encode), times(encode / floor.encode)),
                *(duration(token), duration(floor.token), times(token / floor.token)),
            )
        )
    return Table(
        f"Parts of a caption of {tokens} tokens and their floors",
        ("", "encode", "floor", "multiple", "a token", "floor", "multiple"),
        tuple(rows),
        "Floors: the encoder's arithmetic at the best rate of the precision, attention of int8 at "
        "that of fp32; a token's weights, keys and values, in the precision, at the rate memory is "
        "read.",
    )


def beyond_table(run: Run[PipelineRow]) -> Table:
    """Pairs of cases, by round."""
    seconds: dict[Case, list[float]] = {}
    for row in (row for row in run.rows if isinstance(row, Beyond)):
        seconds.setdefault(row.case, []).append(row.seconds)
    rows = [
        (
            case,
            with_spread(Summary.of(seconds[case])),
            other,
            with_spread(Summary.of(seconds[other])),
            times(ratios(seconds[case], seconds[other]).p50),
        )
        for case, other in COMPARED.items()
        if case in seconds and other in seconds
    ]
    resident = max((row.resident_bytes for row in run.rows if isinstance(row, Beyond)), default=0)
    return Table(
        "Beyond one caption: ours, in the least precision",
        ("", "", "against", "", "ratio"),
        tuple(rows),
        f"Median (least to greatest), seconds a picture. Memory by the end, with 8 pictures "
        f"decoded together: {megabytes(resident)}.",
    )


def cost_table(run: Run[PipelineRow]) -> Table:
    loaded = [row for row in run.rows if isinstance(row, Loaded)]
    rows = []
    for each in loaded:
        peaks = [row.peak_bytes for row in captions_of(run) if row.pipeline == each.pipeline]
        peak = megabytes(max(peaks)) if peaks else "-"
        rows.append((each.pipeline, duration(each.seconds), peak))
    return Table(
        "Cost of having a pipeline", ("", "until first caption", "peak memory"), tuple(rows)
    )


def machine_table(run: Run[PipelineRow]) -> Table:
    rows: list[tuple[str, str]] = []
    for kernel, rate in best_rates(run.rows).items():
        unit = "GB/s" if kernel == "memory read" else "G operations/s"
        rows.append((kernel, f"{rate / 1e9:,.0f} {unit}"))
    for work in (row for row in run.rows if isinstance(row, Work)):
        rows.append(("encoder", f"{work.encoder_operations / 1e9:,.1f} G operations"))
        rows.append(("decoder weights, fp32", megabytes(work.weight_bytes)))
        rows.append(("cross-attention keys and values, fp32", megabytes(work.cross_bytes)))
    return Table("The floor: this machine at its best, and the work", ("", ""), tuple(rows))


def captions_of(run: Run[PipelineRow]) -> list[Captioned]:
    return [row for row in run.rows if isinstance(row, Captioned)]


def samples_of(run: Run[PipelineRow], name: str, tokens: int) -> list[Captioned]:
    return [row for row in captions_of(run) if (row.pipeline, row.tokens) == (name, tokens)]


def by_speed(run: Run[PipelineRow], tokens: int) -> list[str]:
    names = dict.fromkeys(row.pipeline for row in captions_of(run) if row.tokens == tokens)
    return sorted(names, key=lambda n: median(r.seconds for r in samples_of(run, n, tokens)))


def reference_of(run: Run[PipelineRow]) -> str:
    """What others are compared with: the tutorial's pipeline, or the first that there is."""
    names = list(dict.fromkeys(row.pipeline for row in captions_of(run)))
    return "tutorial-torch" if "tutorial-torch" in names else names[0]


def agreement(samples: Sequence[Captioned], reference: Sequence[Captioned]) -> str:
    """How many tokens agree with the reference's before the first that differs."""
    if not reference:
        return "-"
    pairs = list(zip(samples[0].token_ids, reference[0].token_ids, strict=True))
    same = next((i for i, (one, other) in enumerate(pairs) if one != other), len(pairs))
    return f"{same} of {len(pairs)}"


def _speed_up(samples: Sequence[Captioned], reference: Sequence[Captioned]) -> str:
    """Of the rounds that both were measured in."""
    mine = {row.round: row.seconds for row in samples}
    theirs = {row.round: row.seconds for row in reference}
    both = sorted(mine.keys() & theirs.keys())
    if not both:
        return "-"
    found = ratios([theirs[each] for each in both], [mine[each] for each in both])
    return times(found.p50)


def _multiple(run: Run[PipelineRow], name: str, tokens: int, seconds: float) -> str:
    precisions = {row.pipeline: row.precision for row in run.rows if isinstance(row, Loaded)}
    floor = floor_of(run.rows, precisions[name])
    return times(seconds / floor.caption(tokens)) if floor else "-"
