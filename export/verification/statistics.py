"""Estimate how sure an agreement is that was measured on a sample of photographs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 2_000
SEED = 0
#: The captions of a photograph that is added for the low end, and how many of them agree.
ADDED_CAPTIONS, ADDED_AGREEING = 4, 2


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval. Both ends belong to it."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.1%} to {self.high:.1%}"


@dataclass(frozen=True, slots=True)
class Share:
    """The share of captions that agree, and its confidence interval."""

    agreeing: int
    captions: int
    interval: Interval

    @property
    def value(self) -> float:
        return self.agreeing / self.captions


def share_of(agrees: Sequence[bool], photographs: Sequence[str]) -> Share:
    """Measure a share with its interval. `photographs` names the photograph of each caption."""
    names, index = np.unique(np.array(photographs), return_inverse=True)
    captions = np.bincount(index, minlength=len(names))
    agreeing = np.bincount(index[np.array(agrees)], minlength=len(names))
    interval = bootstrap_interval(agreeing.astype(np.float64), captions.astype(np.float64))
    return Share(sum(agrees), len(agrees), interval)


def bootstrap_interval(
    agreeing: NDArray[np.float64], captions: NDArray[np.float64], seed: int = SEED
) -> Interval:
    """Return the 95 % interval of `agreeing.sum() / captions.sum()`. Both are [photographs].

    It is a percentile bootstrap that draws whole photographs, because captions of one photograph
    depend on each other (the cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their
    Application, 1997, section 3.8). Resamples of a sample without differences have none, so that
    interval would have no width. So for the low end a photograph is added with two captions that
    agree and two that differ, as in Agresti and Coull, The American Statistician 52, 1998.
    """
    low, _ = _percentiles(
        np.append(agreeing, ADDED_AGREEING), np.append(captions, ADDED_CAPTIONS), seed
    )
    _, high = _percentiles(agreeing, captions, seed)
    return Interval(low, high)


def _percentiles(
    agreeing: NDArray[np.float64], captions: NDArray[np.float64], seed: int
) -> tuple[float, float]:
    """Return both ends of the percentile bootstrap."""
    photographs = len(captions)
    drawn = np.random.default_rng(seed).integers(photographs, size=(RESAMPLES, photographs))
    shares = agreeing[drawn].sum(axis=1) / captions[drawn].sum(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(shares, [tail, 1 - tail])
    return float(low), float(high)
