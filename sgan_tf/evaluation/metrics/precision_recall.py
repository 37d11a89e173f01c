"""Improved precision and recall: fidelity and coverage, each by itself."""

import numpy as np

from sgan_tf.evaluation.distances import squared_distances
from sgan_tf.evaluation.protocol import Wrapper, unseen
from sgan_tf.evaluation.view import View

ORDER = 40
JUDGED = True
SCORES = {
    r"precision(?P<count>[\dk]+)": "share of images that lie as near to training images as those "
    "to each other, in the judge's features: fidelity (higher is better)",
    r"recall(?P<count>[\dk]+)": "share of training images that lie as near to these images as "
    "those to each other: coverage (higher is better)",
}


def precision_recall(
    real: np.ndarray, fake: np.ndarray, k: int = 3, progress: Wrapper = unseen
) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al., 2019), in float64.

    Precision is the share of fake rows inside the real manifold: within some real row's distance
    to its k-th nearest real neighbour. Recall is the same with the roles exchanged.

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
    for rows, distances in squared_distances(real, fake, progress):
        in_real |= (distances <= real_radii[rows, None]).any(0)
        in_fake[rows] = (distances <= fake_radii).any(1)
    return float(in_real.mean()), float(in_fake.mean())


def _radii(rows, k, progress):
    """Squared distance of each row to its k-th nearest other row."""
    radii = np.empty(len(rows))
    for block, distances in squared_distances(rows, rows, progress):
        radii[block] = np.partition(distances, k, axis=1)[:, k]
    return radii * (1 + 1e-9)  # rounding must not push a row out of its own ball


def measure(view: View) -> dict[str, float]:
    # As many real rows as fake ones: the radii shrink as rows are added.
    train = view.reference.train_features
    count = min(len(view.features), len(train))
    real = train[np.random.default_rng(0).permutation(len(train))[:count]]
    progress = view.progress("precision and recall")
    precision, recall = precision_recall(real, view.features[:count], progress=progress)
    return {f"precision{view.count}": precision, f"recall{view.count}": recall}
