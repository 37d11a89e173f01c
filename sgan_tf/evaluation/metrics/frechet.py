"""Fréchet distance of the judge's features. With Inception's features it is the FID."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.protocol import check_rows
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.tfgan import classifier_metrics
from sgan_tf.evaluation.view import View

ORDER = 20
SCORES = {
    "fcd_train": Description(
        "Fréchet distance of the judge's features to those of the training set: quality and "
        "diversity in one; few images bias it upwards",
        better="lower",
        judged=True,
    ),
    "fcd_test": Description(
        "Fréchet distance of the judge's features to those of the test set, which is 0 from itself",
        better="lower",
        judged=True,
    ),
}


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the squared Fréchet distance between Gaussians fitted to two sets of features.

    `|m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2))` (Heusel et al., 2017). TF-GAN computes it in
    float64. It is biased upwards unless N and M are well above D.

    Args:
        real: Float `np.ndarray` `[N, D]`. The features of real images.
        fake: Float `np.ndarray` `[M, D]`. The features of samples.

    Returns:
        Float, at least 0.

    Raises:
        Unmeasurable: for fewer than two rows, which have no covariance.
    """
    check_rows(2, real, fake)
    distance = classifier_metrics().frechet_classifier_distance_from_activations(
        tf.constant(np.asarray(real, np.float64)), tf.constant(np.asarray(fake, np.float64))
    )
    return max(float(distance), 0.0)  # the square root of a singular matrix may leave -1e-12


def measure(view: View) -> Iterator[Score]:
    sets = {"fcd_train": view.reference.train_features, "fcd_test": view.reference.test_features}
    for key, real in sets.items():
        yield Score(key, frechet_distance(real, view.features), view.samples)
