"""Statistics of measurements: percentiles, paired ratios, an interval for the median."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Summary:
    """Percentiles in the unit of the values; None where the sample is too small for one."""

    count: int
    min: float
    p50: float
    p90: float | None
    p99: float | None
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary":
        """Raises ValueError for an empty sample, which has no median."""
        if not values:
            raise ValueError("a summary needs at least one value")
        return cls(
            count=len(values),
            min=float(min(values)),
            p50=float(np.percentile(values, 50)),
            p90=percentile(values, 90),
            p99=percentile(values, 99),
            max=float(max(values)),
        )


def percentile(values: Sequence[float], rank: int) -> float | None:
    """Interpolate a percentile linearly; None below 100 / (100 - rank) values.

    With fewer values none lies beyond the percentile, and the figure would restate the maximum.
    """
    if len(values) * (100 - rank) < 100:
        return None
    return float(np.percentile(values, rank))


def ratios_by_round(
    numerators: Mapping[int, float], denominators: Mapping[int, float]
) -> list[float]:
    """Divide values of the same round; skip rounds that only one side has.

    Only neighbours in time can be compared on a machine whose speed drifts by tens of percent.
    """
    rounds = sorted(numerators.keys() & denominators.keys())
    return [numerators[each] / denominators[each] for each in rounds]


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the binomial 95 % confidence interval of the median; None below 6 values.

    Of n sorted values, each below the true median with probability 1/2, the interval runs from
    the k-th to the k-th from the end, with the greatest k for which P(Binomial(n, 1/2) < k) is at
    most 2.5 %. It assumes independent values and no distribution. For n = 30, k is 10 and the
    coverage 95.7 %. Source: David and Nagaraja, Order Statistics, 3rd edition, section 7.1.
    """
    ordered, count = sorted(values), len(values)
    k, tail = 0, 0.0
    while (tail := tail + comb(count, k) / 2**count) <= (1 - CONFIDENCE) / 2:
        k += 1
    return (float(ordered[k - 1]), float(ordered[count - k])) if k else None
