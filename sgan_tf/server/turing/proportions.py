"""Three kinds of 95 % confidence intervals for shares of votes.

Wilson's and Newcombe's intervals assume that votes are independent. The votes of one person are
not, so the bootstrap resamples people.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Z = 1.959963984540054  # the 0.975 quantile of the normal distribution
DRAWS = 10_000


class Interval(NamedTuple):
    """Holds a 95 % confidence interval.

    Attributes:
        low: Float. The lower limit.
        high: Float. The upper limit.
    """

    low: float
    high: float


def wilson(hits: int, count: int) -> Interval:
    """Returns the score interval of a proportion p = hits / n (Wilson, 1927).

    `(p + z^2 / 2n ± z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`

    Args:
        hits: Integer. Number of hits, in [0, count].
        count: Integer. n, at least 1.

    Returns:
        `Interval`. It lies in [0, 1].
    """
    p, square = hits / count, Z * Z / count
    centre = p + square / 2
    half = Z * math.sqrt(p * (1 - p) / count + square / count / 4)
    low, high = ((centre + side) / (1 + square) for side in (-half, half))
    return Interval(max(low, 0.0), min(high, 1.0))  # rounding may exceed [0, 1]


def difference(hits_a: int, count_a: int, hits_b: int, count_b: int) -> Interval:
    """Returns the interval of p_a - p_b of independent proportions (Newcombe, 1998, method 10).

    `p_a - p_b - sqrt((p_a - l_a)^2 + (u_b - p_b)^2)` and
    `p_a - p_b + sqrt((u_a - p_a)^2 + (p_b - l_b)^2)`, where l and u are Wilson's limits.

    Args:
        hits_a: Integer. Number of hits of a, in [0, count_a].
        count_a: Integer. Number of trials of a, at least 1.
        hits_b: Integer. Number of hits of b, in [0, count_b].
        count_b: Integer. Number of trials of b, at least 1.

    Returns:
        `Interval`. It lies in [-1, 1].
    """
    a, b = hits_a / count_a, hits_b / count_b
    (low_a, high_a), (low_b, high_b) = wilson(hits_a, count_a), wilson(hits_b, count_b)
    return Interval(
        a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)
    )


def bootstrap(
    people: np.ndarray, statistic: Callable[[np.ndarray], float], draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Returns the percentile interval over people (Efron and Tibshirani, 1993, chapter 13).

    Each draw takes as many people as there are, with replacement, each with all of their votes. The
    interval holds the middle 95 % of the statistic. It is too narrow for fewer than about ten
    people.

    Args:
        people: `np.ndarray` `[people, ...]`. The contribution of each person to a sum.
        statistic: Function of such a sum that returns a float. Values that are NaN are ignored.
        draws: Integer. Number of draws. Defaults to 10,000.
        seed: Integer. Seed of the draws. Defaults to 0.

    Returns:
        `Interval`. The interval of the statistic.
    """
    rng, count = np.random.default_rng(seed), len(people)
    with np.errstate(invalid="ignore"):
        values = [statistic(people[rng.integers(count, size=count)].sum(0)) for _ in range(draws)]
    return Interval(*map(float, np.nanquantile(values, [0.025, 0.975])))
