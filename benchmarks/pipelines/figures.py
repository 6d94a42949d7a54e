"""Pipeline rows -> figures and tables."""

from collections.abc import Sequence
from statistics import median

from benchmarks.roofline.model import roofline_of
from benchmarks.rows import Absent, Captioned, Loaded, PipelineRow
from benchmarks.runs import Run
from benchmarks.summaries import Summary, ratios_by_round
from benchmarks.tables import Table, duration, megabytes, times, with_spread

COLUMNS = (
    "",
    "whole",
    "preprocess",
    "encode",
    "a token",
    "encode / roofline",
    "a token / roofline",
)


def tables(run: Run[PipelineRow]) -> list[Table]:
    lengths = sorted({row.tokens for row in captions_of(run)})
    return [*(caption_table(run, tokens) for tokens in lengths), cost_table(run)]


def caption_table(run: Run[PipelineRow], tokens: int) -> Table:
    """Make a row for each pipeline, the fastest first and absent ones last."""
    reference = reference_of(run)
    compared = samples_of(run, reference, tokens)
    precisions = {row.pipeline: row.precision for row in run.rows if isinstance(row, Loaded)}
    rows = []
    for name in by_speed(run, tokens):
        samples = samples_of(run, name, tokens)
        encode = median(row.encode for row in samples)
        token = median(row.seconds_per_token for row in samples)
        least = roofline_of(run.rows, precisions[name])
        rows.append(
            (
                name,
                with_spread(Summary.of([row.seconds for row in samples])),
                *map(duration, (median(row.preprocess for row in samples), encode, token)),
                *((times(encode / least.encode), times(token / least.token)) if least else "  "),
                _speed_up(samples, compared),
                agreement(samples, compared),
            )
        )
    absent = [row for row in run.rows if isinstance(row, Absent)]
    rows += [(row.pipeline, "absent", *[""] * len(COLUMNS)) for row in absent]
    return Table(
        f"One caption of up to {tokens} tokens ({run.model}, {run.environment.threads} threads)",
        (*COLUMNS, f"speed-up over {reference}", "same tokens"),
        tuple(rows),
        "Median (least to greatest); the speed-up is the median over rounds. Roofline: the "
        "encoder's arithmetic, and the bytes that a token reads, at this machine's best rates in "
        f"the pipeline's precision. Tokens count as {reference}'s up to the first that differs. "
        + " ".join(f"{row.pipeline}: {row.reason}." for row in absent),
    )


def cost_table(run: Run[PipelineRow]) -> Table:
    rows = []
    for each in (row for row in run.rows if isinstance(row, Loaded)):
        peaks = [row.peak_bytes for row in captions_of(run) if row.pipeline == each.pipeline]
        peak = megabytes(max(peaks)) if peaks else ""
        rows.append((each.pipeline, duration(each.seconds), peak))
    columns = ("", "until the first caption", "greatest memory")
    return Table("Cost of loading a pipeline", columns, tuple(rows))


def captions_of(run: Run[PipelineRow]) -> list[Captioned]:
    return [row for row in run.rows if isinstance(row, Captioned)]


def samples_of(run: Run[PipelineRow], name: str, tokens: int) -> list[Captioned]:
    return [row for row in captions_of(run) if (row.pipeline, row.tokens) == (name, tokens)]


def by_speed(run: Run[PipelineRow], tokens: int) -> list[str]:
    names = dict.fromkeys(row.pipeline for row in captions_of(run) if row.tokens == tokens)
    return sorted(names, key=lambda n: median(r.seconds for r in samples_of(run, n, tokens)))


def reference_of(run: Run[PipelineRow]) -> str:
    """Return the pipeline to compare with: the tutorial's, or the first one measured."""
    names = list(dict.fromkeys(row.pipeline for row in captions_of(run)))
    return "tutorial-torch" if "tutorial-torch" in names else names[0]


def agreement(samples: Sequence[Captioned], reference: Sequence[Captioned]) -> str:
    """Count the tokens that equal the reference's before the first that differs."""
    if not reference:
        return ""
    pairs = list(zip(samples[0].token_ids, reference[0].token_ids, strict=False))
    same = next((i for i, (one, other) in enumerate(pairs) if one != other), len(pairs))
    return f"{same} of {len(reference[0].token_ids)}"


def _speed_up(samples: Sequence[Captioned], reference: Sequence[Captioned]) -> str:
    """Format the median ratio over the rounds that measured both."""
    theirs, mine = ({row.round: row.seconds for row in each} for each in (reference, samples))
    found = ratios_by_round(theirs, mine)
    return times(median(found)) if found else ""
