"""Classifier score, Fréchet and kernel classifier distance: pure functions of a classifier's outputs, in float64.

With Inception 2015-12-05 as the classifier they are the Inception score, FID and KID. TF-GAN does the mathematics.
"""

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.tfgan import classifier_metrics

SPLITS = 10
KERNEL_BLOCK = 1000  # rows of a block of the kernel distance


def classifier_score(logits, splits=SPLITS):
    """`exp(E KL(p(y|x) || p(y)))` (Salimans et al., 2016), over equal splits of the samples.

    It rises with confident and evenly spread classes, and is blind to collapse inside a class.

    Args:
        logits: `[N, K]`, in random order; rows beyond a multiple of `splits` are left out.
        splits: Number of parts.

    Returns:
        `(mean, standard deviation)` over the parts.
    """
    logits = np.asarray(logits, np.float64)
    size = len(logits) // splits
    scores = [
        float(
            classifier_metrics().classifier_score_from_logits(
                tf.constant(logits[i * size : (i + 1) * size])
            )
        )
        for i in range(splits)
    ]
    return float(np.mean(scores)), float(np.std(scores))


def frechet_distance(real, fake):
    """Squared Fréchet distance between Gaussians fitted to two sets of features (Heusel et al., 2017).

    Args:
        real, fake: `[N, D]`, `[M, D]`, with N and M well above D: the estimate is biased upwards for few rows.
    """
    distance = classifier_metrics().frechet_classifier_distance_from_activations(
        tf.constant(np.asarray(real, np.float64)), tf.constant(np.asarray(fake, np.float64))
    )
    return max(float(distance), 0.0)  # the square root of a singular matrix may leave -1e-12


def kernel_distance(real, fake):
    """Squared maximum mean discrepancy with the kernel `(x.y / D + 1)^3` (Bińkowski et al., 2018).

    Args:
        real, fake: `[N, D]`, `[M, D]`, each in random order. The first min(N, M) rows of each are compared, in blocks of
            up to 1,000: blocks of very different sizes would add variance.

    Returns:
        Float; unbiased, so it may fall below 0 where both are alike.
    """
    count = min(len(real), len(fake))
    return float(
        classifier_metrics().kernel_classifier_distance_from_activations(
            tf.constant(np.asarray(real[:count], np.float64)),
            tf.constant(np.asarray(fake[:count], np.float64)),
            max_block_size=KERNEL_BLOCK,
        )
    )
