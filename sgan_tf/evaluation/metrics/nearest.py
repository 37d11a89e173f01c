"""Distance of samples to their nearest training images, which shows memorization."""

import numpy as np

from sgan_tf.evaluation.distances import blocks, squared_distances
from sgan_tf.evaluation.protocol import Unmeasurable, Wrapper, unseen
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import View

ORDER = 100
SCORES = {
    "nn_ratio": Description(
        "distance of an image to its nearest training image, in the judge's features, over that of "
        "test images; near 0: memorised",
        judged=True,
    )
}
MOST = 10_000  # largest number of samples that it is measured on


def nearest(
    queries: np.ndarray, rows: np.ndarray, progress: Wrapper = unseen
) -> tuple[np.ndarray, np.ndarray]:
    """Finds each query's nearest row, in float64.

    Args:
        queries: Float `np.ndarray` `[N, D]`. The queries.
        rows: Float `np.ndarray` `[M, D]`. The rows that are searched.
        progress: Function that wraps the iterable of blocks to show progress. Defaults to one that
            shows nothing.

    Returns:
        `(indices, distances)`: int64 `[N]`, and Euclidean distances as float64 `[N]`.
    """
    queries, rows = np.asarray(queries, np.float64), np.asarray(rows, np.float64)
    indices, distances = np.empty(len(queries), np.int64), np.empty(len(queries))
    for block, squares in squared_distances(queries, rows, progress):
        indices[block] = squares.argmin(1)
    # Computed again from the differences: |a|^2 + |b|^2 - 2ab leaves 1e-8 for two equal rows.
    for block in blocks(len(queries)):
        distances[block] = np.linalg.norm(queries[block] - rows[indices[block]], axis=1)
    return indices, distances


def nearest_ratio(
    fake: np.ndarray, train: np.ndarray, test: np.ndarray, progress: Wrapper = unseen
) -> float:
    """Returns the mean distance of samples to their nearest training image, over test images'.

    Near 1, samples are as far from the training images as unseen real images are. Near 0, they are
    copies.

    Args:
        fake: Float `np.ndarray` `[N, D]`. The features of samples.
        train: Float `np.ndarray` `[M, D]`. The features of training images.
        test: Float `np.ndarray` `[L, D]`. The features of test images.
        progress: Function that wraps the iterable of blocks to show progress. Defaults to one that
            shows nothing.

    Returns:
        Float, at least 0.

    Raises:
        Unmeasurable: when all test images are training images too.
    """
    scale = nearest(test, train, progress)[1].mean()
    if not scale:
        raise Unmeasurable("needs test images that are not in the training set")
    return float(nearest(fake, train, progress)[1].mean() / scale)


def measure(view: View) -> list[Score]:
    if view.stack is None:  # the samples' distances are relative to those of the test set
        return [Score("nn_ratio", 1.0)]
    reference, progress = view.reference, view.progress("nearest training images")
    train, test = reference.train_features, reference.test_features
    return [Score("nn_ratio", nearest_ratio(view.features[:MOST], train, test, progress))]
