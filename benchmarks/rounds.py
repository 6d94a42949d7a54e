"""Interleaved rounds: their order, the ratios within them, and an interval for the median."""

from collections.abc import Mapping, Sequence
from math import comb
from typing import TypeVar

CONFIDENCE = 0.95

Item = TypeVar("Item")


def rotated(items: Sequence[Item], by: int) -> list[Item]:
    """Return the items with another one first in each round.

    A round visits all of them, so they share a drift of the machine, and no one is always first.
    """
    start = by % max(1, len(items))
    return [*items[start:], *items[:start]]


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
