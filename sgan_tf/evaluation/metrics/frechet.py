"""Fréchet distance of the judge's features; of Inception's features it is the FID."""

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.tfgan import classifier_metrics
from sgan_tf.evaluation.view import View

ORDER = 20
JUDGED = True
SCORES = {
    r"fcd(?P<count>[\dk]+)_train": "Fréchet distance of the judge's features to those of the "
    "training set: quality and diversity in one; few images bias it upwards (lower is better)",
    r"fcd(?P<count>[\dk]+)_test": "Fréchet distance of the judge's features to those of the test "
    "set, which is 0 from itself (lower is better)",
}


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Squared Fréchet distance between Gaussians fitted to two sets of features.

    `|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2))` (Heusel et al., 2017), by TF-GAN in float64.

    Args:
        real, fake: `[N, D]`, `[M, D]`, with N and M well above D: the estimate is biased upwards
            for few rows.
    """
    distance = classifier_metrics().frechet_classifier_distance_from_activations(
        tf.constant(np.asarray(real, np.float64)), tf.constant(np.asarray(fake, np.float64))
    )
    return max(float(distance), 0.0)  # the square root of a singular matrix may leave -1e-12


def measure(view: View) -> dict[str, float]:
    reference = view.reference
    return {
        f"fcd{view.count}_train": frechet_distance(reference.train_features, view.features),
        f"fcd{view.count}_test": frechet_distance(reference.test_features, view.features),
    }
