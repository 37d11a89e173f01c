"""How the benchmarks measure: contestants that take turns, ratios with their spread, tables."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Ratio(NamedTuple):
    """A ratio of two contestants, measured once in each alternation."""

    median: float
    least: float
    most: float

    def __str__(self):
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def timed(call: Callable[..., object], calls: int = 1, *arguments) -> float:
    """Returns the seconds of a call, the mean of so many."""
    started = time.perf_counter()
    for _ in range(calls):
        call(*arguments)
    return (time.perf_counter() - started) / calls


def alternate(
    contestants: dict[str, Callable[[], object]],
    alternations: int,
    calls: int = 1,
    timed: Callable[[Callable, int], float] = timed,
) -> dict[str, list[float]]:
    """Times contestants in turn, A B C A B C …, so that all of them meet the same machine.

    Args:
        contestants: `{name: function}`; what the functions do first (tracing, compiling) has been
            done before.
        alternations: Turns of each.
        calls: Of the function in a turn.
        timed: What times a turn; of contestants in processes of their own `Contestant.timed`.

    Returns:
        `{name: [seconds a call, a number a turn]}`.

    Example:

    >>> seconds = alternate({"a": lambda: None, "b": lambda: time.sleep(0.01)}, alternations=3)
    >>> min(seconds["b"]) > max(seconds["a"])
    True
    """
    seconds = {name: [] for name in contestants}
    for _ in range(alternations):
        for name, call in contestants.items():
            seconds[name].append(timed(call, calls))
    return seconds


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Returns ours over theirs: the median, least and most of the alternations' own ratios.

    Args:
        ours, theirs: A number an alternation, as `alternate` gives them.

    Example:

    >>> ratio([1.0, 2.0, 6.0], [2.0, 2.0, 2.0])
    Ratio(median=1.0, least=0.5, most=3.0)
    """
    ratios = np.divide(ours, theirs)
    return Ratio(*map(float, (np.median(ratios), ratios.min(), ratios.max())))


def fastest(seconds: dict[str, list[float]]) -> str:
    """Returns the name of the contestant whose median is least."""
    return min(seconds, key=lambda name: np.median(seconds[name]))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table.

    Example:

    >>> print(table(["batch", "ms"], [[1, 2.5]]))
    | batch | ms |
    |---|---|
    | 1 | 2.5 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "|---" * len(head) + "|" if i == 1 else f"| {' | '.join(map(str, line))} |"
        for i, line in enumerate(lines)
    )


def seconds_text(seconds: Sequence[float]) -> str:
    """Returns the median of times as text: `"1.82 s"`, or in milliseconds below a second.

    Example:

    >>> seconds_text([0.01, 0.02, 0.9])
    '20 ms'
    """
    median = float(np.median(seconds))
    if median >= 1:
        return f"{median:.3g} s" if median < 100 else f"{median:.0f} s"
    return f"{1000 * median:.3g} ms"
