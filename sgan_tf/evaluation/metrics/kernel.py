"""Kernel distance of the judge's features. With Inception's features it would be the KID."""

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.protocol import check_rows
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.tfgan import classifier_metrics
from sgan_tf.evaluation.view import View

ORDER = 30
SCORES = {
    "kcd": Description(
        "kernel distance of the judge's features to those of the training set; few images do not "
        "bias it",
        better="lower",
        judged=True,
    )
}
BLOCK = 1000  # most rows per block


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the squared maximum mean discrepancy with the kernel `(x.y / D + 1)^3`.

    Source: Bińkowski et al., 2018. TF-GAN computes it in float64. The first min(N, M) rows of each
    array are compared in blocks of up to 1,000, as blocks of very different sizes would add
    variance.

    Args:
        real: Float `np.ndarray` `[N, D]`. The features of real images in random order.
        fake: Float `np.ndarray` `[M, D]`. The features of samples in random order.

    Returns:
        Float. It is unbiased, so it may be below 0 if both distributions are alike.

    Raises:
        Unmeasurable: for fewer than two rows, which have no pairs.
    """
    check_rows(2, real, fake)
    count = min(len(real), len(fake))
    return float(
        classifier_metrics().kernel_classifier_distance_from_activations(
            tf.constant(np.asarray(real[:count], np.float64)),
            tf.constant(np.asarray(fake[:count], np.float64)),
            max_block_size=BLOCK,
        )
    )


def measure(view: View) -> list[Score]:
    distance = kernel_distance(view.reference.train_features, view.features)
    return [Score("kcd", distance, view.samples)]
