"""Shares of votes, and how far they may be off: three intervals of 95 %.

Wilson's and Newcombe's take votes for independent. Votes of one person are not, so the bootstrap
draws people.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Z = 1.959963984540054  # the 0.975 quantile of the normal distribution
DRAWS = 10_000


class Interval(NamedTuple):
    """Of 95 %."""

    low: float
    high: float


def wilson(hits: int, count: int) -> Interval:
    """The score interval of a proportion p = hits / n (Wilson, 1927).

    `(p + z^2 / 2n ± z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`

    Args:
        hits: In [0, count].
        count: n, at least 1.
    """
    p, square = hits / count, Z * Z / count
    centre = p + square / 2
    half = Z * math.sqrt(p * (1 - p) / count + square / count / 4)
    low, high = ((centre + side) / (1 + square) for side in (-half, half))
    return Interval(max(low, 0.0), min(high, 1.0))  # but for rounding they are in [0, 1]


def difference(hits_a: int, count_a: int, hits_b: int, count_b: int) -> Interval:
    """The interval of p_a - p_b of two independent proportions (Newcombe, 1998, method 10).

    `p_a - p_b - sqrt((p_a - l_a)^2 + (u_b - p_b)^2)` and
    `p_a - p_b + sqrt((u_a - p_a)^2 + (p_b - l_b)^2)`, where l and u are Wilson's limits.

    Args:
        hits_a, count_a, hits_b, count_b: As `wilson` takes them.
    """
    a, b = hits_a / count_a, hits_b / count_b
    (low_a, high_a), (low_b, high_b) = wilson(hits_a, count_a), wilson(hits_b, count_b)
    return Interval(
        a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)
    )


def bootstrap(
    people: np.ndarray, statistic: Callable[[np.ndarray], float], draws: int = DRAWS, seed: int = 0
) -> Interval:
    """The percentile interval over people (Efron and Tibshirani, 1993, chapter 13).

    As many people as there are are drawn with replacement, each with all votes of theirs; the
    interval holds the middle 95 % of the statistic. With fewer than ten people or so it is too
    narrow.

    Args:
        people: `[people, ...]`, what each contributes to a sum.
        statistic: Function of such a sum; NaN where it has none, which is passed over.
        draws: How often people are drawn.
        seed: Of the draws.
    """
    rng, count = np.random.default_rng(seed), len(people)
    with np.errstate(invalid="ignore"):
        values = [statistic(people[rng.integers(count, size=count)].sum(0)) for _ in range(draws)]
    return Interval(*map(float, np.nanquantile(values, [0.025, 0.975])))
