"""Measures contestants that alternate, and formats ratios, times and tables."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Ratio(NamedTuple):
    """The ratio of two contestants over all alternations.

    Attributes:
        median: Float. The median of the ratios.
        least: Float. The least ratio.
        most: Float. The largest ratio.
    """

    median: float
    least: float
    most: float

    def __str__(self):
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def timed(call: Callable[..., object], calls: int = 1, *arguments) -> float:
    """Times calls of a function.

    Args:
        call: Function to time.
        calls: Integer. Number of calls. Defaults to 1.
        arguments: Arguments of the function.

    Returns:
        Float. Seconds per call, the mean of all calls.
    """
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
    """Times contestants alternately, A B C A B C …, so that the machine is the same for all.

    Args:
        contestants: Dictionary `{name: function}`. The functions have been called before, so that
            they are traced and compiled.
        alternations: Integer. Number of turns of each contestant.
        calls: Integer. Number of calls in a turn. Defaults to 1.
        timed: Function of a contestant and a number of calls that returns seconds per call; for
            contestants in separate processes, `Contestant.timed`. Defaults to the function `timed`.

    Returns:
        Dictionary `{name: list of floats}`. Seconds per call, one number per turn.

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
    """Divides our times by theirs in each alternation.

    Args:
        ours: List of floats. One number per alternation, as `alternate` returns them.
        theirs: List of floats. One number per alternation.

    Returns:
        A `Ratio` of the alternations.

    Example:

    >>> ratio([1.0, 2.0, 6.0], [2.0, 2.0, 2.0])
    Ratio(median=1.0, least=0.5, most=3.0)
    """
    ratios = np.divide(ours, theirs)
    return Ratio(*map(float, (np.median(ratios), ratios.min(), ratios.max())))


def fastest(seconds: dict[str, list[float]]) -> str:
    """Finds the fastest contestant.

    Args:
        seconds: Dictionary `{name: list of floats}`, as `alternate` returns it.

    Returns:
        The name of the contestant with the least median.
    """
    return min(seconds, key=lambda name: np.median(seconds[name]))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table.

    Args:
        head: List of strings. The titles of the columns.
        rows: List of lists. The cells of each row.

    Returns:
        String.

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
    """Formats the median of times: `"1.82 s"`, or milliseconds if it is less than a second.

    Args:
        seconds: List of floats. Times in seconds.

    Returns:
        String.

    Example:

    >>> seconds_text([0.01, 0.02, 0.9])
    '20 ms'
    """
    median = float(np.median(seconds))
    if median >= 1:
        return f"{median:.3g} s" if median < 100 else f"{median:.0f} s"
    return f"{1000 * median:.3g} ms"
