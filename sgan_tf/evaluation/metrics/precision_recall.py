"""Improved precision and recall, which measure fidelity and coverage separately."""

import numpy as np

from sgan_tf.evaluation.distances import squared_distances
from sgan_tf.evaluation.protocol import Wrapper, check_rows, unseen
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import View

ORDER = 40
SCORES = {
    "precision": Description(
        "share of images that lie as near to training images as those to each other, in the "
        "judge's features: fidelity",
        better="higher",
        judged=True,
    ),
    "recall": Description(
        "share of training images that lie as near to these images as those to each other: "
        "coverage",
        better="higher",
        judged=True,
    ),
}


def precision_recall(
    real: np.ndarray, fake: np.ndarray, k: int = 3, progress: Wrapper = unseen
) -> tuple[float, float]:
    """Computes improved precision and recall (Kynkäänniemi et al., 2019), in float64.

    Precision is the share of fake rows inside the real manifold. A fake row is inside if it is as
    near to some real row as that row's k-th nearest real neighbor. Recall is the same with the
    roles of real and fake exchanged.

    Args:
        real: Float `np.ndarray` `[N, D]`, with N above k. The features of real images.
        fake: Float `np.ndarray` `[M, D]`, with M above k. The features of samples.
        k: Integer. The number of the neighbor whose distance is a row's radius. Defaults to 3.
        progress: Function that wraps the iterable of blocks to show progress. Defaults to one that
            shows nothing.

    Returns:
        `(precision, recall)`, two floats in [0, 1].

    Raises:
        Unmeasurable: for k rows or fewer.
    """
    check_rows(k + 1, real, fake)
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    real_radii, fake_radii = _radii(real, k, progress), _radii(fake, k, progress)
    in_real = np.zeros(len(fake), bool)
    in_fake = np.zeros(len(real), bool)
    for rows, distances in squared_distances(real, fake, progress):
        in_real |= (distances <= real_radii[rows, None]).any(0)
        in_fake[rows] = (distances <= fake_radii).any(1)
    return float(in_real.mean()), float(in_fake.mean())


def _radii(rows, k, progress):
    """Returns the squared distance of each row to its k-th nearest other row."""
    radii = np.empty(len(rows))
    for block, distances in squared_distances(rows, rows, progress):
        radii[block] = np.partition(distances, k, axis=1)[:, k]
    return radii * (1 + 1e-9)  # rounding must not push a row out of its own ball


def measure(view: View) -> list[Score]:
    # Equally many real and fake rows, since the radii shrink as rows are added.
    train = view.reference.train_features
    count = min(len(view.features), len(train))
    real = train[np.random.default_rng(0).permutation(len(train))[:count]]
    progress = view.progress("precision and recall")
    precision, recall = precision_recall(real, view.features[:count], progress=progress)
    return [
        Score("precision", precision, view.samples),
        Score("recall", recall, view.samples),
    ]
