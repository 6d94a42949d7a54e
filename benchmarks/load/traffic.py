"""What arrives at a server, and when."""

from collections.abc import Iterator

import numpy as np

#: Requests for web content follow Zipf's law with an exponent below 1 (Breslau et al., INFOCOM
#: 1999: 0.64 to 0.83).
ZIPF_EXPONENT = 0.8


def poisson_arrivals(rate: float, seconds: float, rng: np.random.Generator) -> list[float]:
    """Times in [0, seconds) of independent arrivals, `rate` a second on average."""
    times: list[float] = []
    now = float(rng.exponential(1 / rate))
    while now < seconds:
        times.append(now)
        now += float(rng.exponential(1 / rate))
    return times


def draw_ranks(popular: int, hit_ratio: float, rng: np.random.Generator) -> Iterator[int | None]:
    """An endless stream: with probability `hit_ratio` one of so many popular things, else None.

    Which one follows Zipf's law; 0 is the most popular. None stands for something never seen.
    """
    weights = np.arange(1, popular + 1, dtype=np.float64) ** -ZIPF_EXPONENT
    weights /= weights.sum()
    while True:
        hit = rng.random() < hit_ratio
        yield int(rng.choice(popular, p=weights)) if hit else None
