"""Improved precision and recall, and the distance to the nearest training image: pure functions of features.

Distances are computed in float64, block by block, so memory stays bounded at any number of rows.
"""

import numpy as np

BLOCK = 256  # rows of a block of distances: 256 x 60,000 of them take 123 MB


def precision_recall(real, fake, k=3, progress=lambda blocks: blocks):
    """Improved precision and recall (Kynkäänniemi et al., 2019).

    Precision is the share of fake rows inside the real manifold: within some real row's distance to its k-th nearest
    real neighbour. Recall is the same with the roles exchanged.

    Args:
        real, fake: `[N, D]`, `[M, D]`, more than k rows each.
        k: Neighbour whose distance is a row's radius.
        progress: Wraps the iterable of blocks.

    Returns:
        `(precision, recall)`.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    real_radii, fake_radii = _radii(real, k, progress), _radii(fake, k, progress)
    in_real = np.zeros(len(fake), bool)
    in_fake = np.zeros(len(real), bool)
    for start in progress(range(0, len(real), BLOCK)):
        distances = _squared_distances(real[start : start + BLOCK], fake)
        in_real |= (distances <= real_radii[start : start + BLOCK, None]).any(0)
        in_fake[start : start + BLOCK] = (distances <= fake_radii).any(1)
    return float(in_real.mean()), float(in_fake.mean())


def nearest(queries, rows, progress=lambda blocks: blocks):
    """Finds each query's nearest row.

    Args:
        queries, rows: `[N, D]`, `[M, D]`.
        progress: Wraps the iterable of blocks.

    Returns:
        `(indices [N], Euclidean distances float64 [N])`.
    """
    queries, rows = np.asarray(queries, np.float64), np.asarray(rows, np.float64)
    indices = np.concatenate(
        [
            _squared_distances(queries[i : i + BLOCK], rows).argmin(1)
            for i in progress(range(0, len(queries), BLOCK))
        ]
    )
    # Once more from the differences: |a|^2 + |b|^2 - 2ab leaves 1e-8 where two rows are the same.
    distances = np.concatenate(
        [
            np.linalg.norm(queries[i : i + BLOCK] - rows[indices[i : i + BLOCK]], axis=1)
            for i in range(0, len(queries), BLOCK)
        ]
    )
    return indices, distances


def nearest_ratio(fake, train, test, progress=lambda blocks: blocks):
    """Mean distance of samples to their nearest training image, over that of test images.

    Near 1: samples are as far from the training images as unseen real ones are. Near 0: they are copies.

    Args:
        fake, train, test: Features `[N, D]` of each.
        progress: Wraps the iterable of blocks.
    """
    return float(
        nearest(fake, train, progress)[1].mean() / nearest(test, train, progress)[1].mean()
    )


def _radii(rows, k, progress):
    """Squared distance of each row to its k-th nearest other row; rounding must not push a row out of its own ball."""
    radii = np.empty(
        len(rows)
    )  # filled in place: a column of each block, kept as a view, would keep the block
    for i in progress(range(0, len(rows), BLOCK)):
        radii[i : i + BLOCK] = np.partition(
            _squared_distances(rows[i : i + BLOCK], rows), k, axis=1
        )[:, k]
    return radii * (1 + 1e-9)


def _squared_distances(a, b):
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * (a @ b.T)
    return np.maximum(squares, 0, out=squares)
