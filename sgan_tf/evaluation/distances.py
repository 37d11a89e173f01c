"""Distances between rows, block by block, so that memory stays bounded at any number of rows."""

from collections.abc import Iterator

import numpy as np

from sgan_tf.evaluation.protocol import Wrapper, unseen

BLOCK = 256  # rows of a block of distances: 256 x 60,000 of them take 123 MB


def blocks(count: int) -> list[slice]:
    """Returns the slices that cut `count` rows into blocks."""
    return [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]


def squared_distances(
    a: np.ndarray, b: np.ndarray, progress: Wrapper = unseen
) -> Iterator[tuple[slice, np.ndarray]]:
    """Squared Euclidean distances of the rows of `a` to all rows of `b`.

    Args:
        a, b: float64 `[N, D]`, `[M, D]`.
        progress: Wraps the iterable of blocks.

    Yields:
        `(slice of a's rows, distances [rows of the slice, M])`. Keep no view of the distances:
        it would keep their block.
    """
    squares = (b**2).sum(1)
    for rows in progress(blocks(len(a))):
        block = a[rows]
        distances = (block**2).sum(1)[:, None] + squares - 2 * (block @ b.T)
        yield rows, np.maximum(distances, 0, out=distances)
