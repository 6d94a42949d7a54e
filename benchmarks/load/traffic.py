"""The requests of a load and their arrival times."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.http.client import Request, prepare
from benchmarks.pictures import Picture

#: Requests for web content follow Zipf's law with an exponent below 1 (Breslau et al., INFOCOM
#: 1999: 0.64 to 0.83).
ZIPF_EXPONENT = 0.8


@dataclass(frozen=True, slots=True)
class Traffic:
    """The source of requests: `cached` ones are in the server's cache, all others are new."""

    motifs: Sequence[Picture]
    cached: Sequence[Request]
    hit_ratio: float
    rng: np.random.Generator

    async def draw(self, amount: int) -> list[Request]:
        """Draw requests of cached files by Zipf's law, and of files that were never sent."""
        ranks = draw_ranks(len(self.cached), self.hit_ratio, self.rng)
        return [
            await prepare(self.motifs[number % len(self.motifs)], None, uuid.uuid4().hex)
            if rank is None
            else self.cached[rank]
            for number, rank in zip(range(amount), ranks, strict=False)
        ]


def poisson_arrivals(rate: float, seconds: float, rng: np.random.Generator) -> list[float]:
    """Draw the times in [0, seconds) of independent arrivals, `rate` a second on average."""
    times: list[float] = []
    now = float(rng.exponential(1 / rate))
    while now < seconds:
        times.append(now)
        now += float(rng.exponential(1 / rate))
    return times


def draw_ranks(popular: int, hit_ratio: float, rng: np.random.Generator) -> Iterator[int | None]:
    """Draw popular ranks by Zipf's law with probability `hit_ratio`, else None for a new file.

    The stream is endless; rank 0 is the most popular.
    """
    weights = np.arange(1, popular + 1, dtype=np.float64) ** -ZIPF_EXPONENT
    weights /= weights.sum()
    while True:
        hit = rng.random() < hit_ratio
        yield int(rng.choice(popular, p=weights)) if hit else None
