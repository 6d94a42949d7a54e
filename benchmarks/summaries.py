"""Many measurements -> few numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Summary:
    """Percentiles by linear interpolation, in the unit of the values."""

    count: int
    min: float
    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary":
        """Raises ValueError for no values: there is no median of nothing."""
        if not values:
            raise ValueError("a summary needs at least one value")
        low, p50, p90, p99, high = (float(each) for each in np.percentile(values, QUANTILES))
        return cls(len(values), low, p50, p90, p99, high)


QUANTILES = (0, 50, 90, 99, 100)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Summary:
    """The ratios of values measured in the same round.

    On a machine whose speed drifts by tens of percent, only neighbours in time can be compared.
    """
    pairs = zip(numerators, denominators, strict=True)
    return Summary.of([numerator / denominator for numerator, denominator in pairs])
