"""Pipeline rows -> figures and tables."""

from collections.abc import Sequence
from statistics import median

from benchmarks.roofline.command import roofline_of
from benchmarks.rounds import ratios_by_round
from benchmarks.rows import Absent, Captioned, Loaded, PipelineRow
from benchmarks.runs import Run
from benchmarks.tables import Table, duration, megabytes, times

COLUMNS = (
    "",
    "whole",
    "preprocess",
    "encode",
    "a token",
    "encode / roofline",
    "a token / roofline",
)


def captions_of(run: Run[PipelineRow]) -> dict[int, dict[str, list[Captioned]]]:
    """Group the captions by greatest length, then by pipeline, the fastest pipeline first."""
    found: dict[int, dict[str, list[Captioned]]] = {}
    for row in run.rows:
        if isinstance(row, Captioned):
            found.setdefault(row.tokens, {}).setdefault(row.pipeline, []).append(row)
    return {
        tokens: dict(sorted(found[tokens].items(), key=lambda item: middle(item[1], "seconds")))
        for tokens in sorted(found)
    }


def middle(samples: Sequence[Captioned], figure: str) -> float:
    """Return the median of one attribute in seconds."""
    return float(median(getattr(each, figure) for each in samples))


def tables(run: Run[PipelineRow]) -> list[Table]:
    if not (captions := captions_of(run)):
        return []
    return [*(caption_table(run, tokens) for tokens in captions), cost_table(run)]


def caption_table(run: Run[PipelineRow], tokens: int) -> Table:
    """Make a row for each pipeline, the fastest first and absent ones last."""
    pipelines = captions_of(run)[tokens]
    # The tutorial's, or the fastest one.
    reference = "tutorial-torch" if "tutorial-torch" in pipelines else next(iter(pipelines))
    precisions = {row.pipeline: row.precision for row in run.rows if isinstance(row, Loaded)}
    rows: list[tuple[str, ...]] = []
    for name, samples in pipelines.items():
        encode, token = middle(samples, "encode"), middle(samples, "seconds_per_token")
        least = roofline_of(run.rows, precisions[name])
        rows.append(
            (
                name,
                spread([row.seconds for row in samples]),
                *map(duration, (middle(samples, "preprocess"), encode, token)),
                *((times(encode / least.encode), times(token / least.token)) if least else "  "),
                speed_up(samples, pipelines[reference]),
                agreement(samples[0].token_ids, pipelines[reference][0].token_ids),
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
    captions = [row for row in run.rows if isinstance(row, Captioned)]
    rows = []
    for each in (row for row in run.rows if isinstance(row, Loaded)):
        peaks = [row.peak_bytes for row in captions if row.pipeline == each.pipeline]
        rows.append((each.pipeline, duration(each.seconds), megabytes(max(peaks)) if peaks else ""))
    columns = ("", "until the first caption", "greatest memory")
    return Table("Cost of loading a pipeline", columns, tuple(rows))


def spread(seconds: Sequence[float]) -> str:
    """Format the median, then the least and the greatest value."""
    least, most = duration(min(seconds)), duration(max(seconds))
    return f"{duration(median(seconds))} ({least} to {most})"


def speed_up(samples: Sequence[Captioned], reference: Sequence[Captioned]) -> str:
    """Format the median ratio over the rounds that measured both."""
    theirs, ours = ({row.round: row.seconds for row in each} for each in (reference, samples))
    found = ratios_by_round(theirs, ours)
    return times(median(found)) if found else ""


def agreement(token_ids: Sequence[int], reference: Sequence[int]) -> str:
    """Count the tokens that equal the reference's before the first that differs."""
    pairs = list(zip(token_ids, reference, strict=False))
    same = next((i for i, (one, other) in enumerate(pairs) if one != other), len(pairs))
    return f"{same} of {len(reference)}"
