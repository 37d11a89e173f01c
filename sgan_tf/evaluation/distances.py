"""Distances between rows, computed block by block so that any number of rows fits in memory."""

from collections.abc import Iterator

import numpy as np

from sgan_tf.evaluation.protocol import Wrapper, unseen

BLOCK = 256  # rows per block of distances: 256 x 60,000 of them take 123 MB


def blocks(count: int) -> list[slice]:
    """Returns the slices that cut `count` rows into blocks."""
    return [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]


def squared_distances(
    a: np.ndarray, b: np.ndarray, progress: Wrapper = unseen
) -> Iterator[tuple[slice, np.ndarray]]:
    """Computes squared Euclidean distances from the rows of `a` to all rows of `b`.

    Args:
        a: float64 `np.ndarray` `[N, D]`.
        b: float64 `np.ndarray` `[M, D]`.
        progress: Function that wraps the iterable of blocks to show progress. Defaults to one that
            shows nothing.

    Yields:
        `(slice of a's rows, distances [rows of the slice, M])`. Do not keep views of the distances,
        as they would keep the whole block in memory.
    """
    squares = (b**2).sum(1)
    for rows in progress(blocks(len(a))):
        block = a[rows]
        distances = (block**2).sum(1)[:, None] + squares - 2 * (block @ b.T)
        yield rows, np.maximum(distances, 0, out=distances)
