"""Classifier score; with Inception 2015-12-05 as the classifier, the Inception score."""

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.protocol import short
from sgan_tf.evaluation.tfgan import classifier_metrics
from sgan_tf.evaluation.view import View

ORDER = 10
SCORES = {
    r"cs(?P<count>[\dk]+_\d+x[\dk]+)": "classifier score: how surely the judge sees one class in "
    "each image, and how evenly all of them; blind to collapse inside a class, and lower for few "
    "images (higher is better)",
    r"cs(?P<count>[\dk]+_\d+x[\dk]+)_std": "standard deviation of the classifier score over ten "
    "parts",
}
SPLITS = 10


def classifier_score(logits: np.ndarray, splits: int = SPLITS) -> tuple[float, float]:
    """`exp(E KL(p(y|x) || p(y)))` (Salimans et al., 2016), over equal splits of the samples.

    It rises with confident and evenly spread classes, and is blind to collapse inside a class.
    TF-GAN does the mathematics, in float64.

    Args:
        logits: `[N, K]`, in random order; rows beyond a multiple of `splits` are left out.
        splits: Number of parts.

    Returns:
        `(mean, standard deviation)` over the parts.
    """
    logits = np.asarray(logits, np.float64)
    size = len(logits) // splits
    score = classifier_metrics().classifier_score_from_logits
    scores = [float(score(tf.constant(logits[i * size :][:size]))) for i in range(splits)]
    return float(np.mean(scores)), float(np.std(scores))


def named_score(prefix: str, logits: np.ndarray, samples: int) -> dict[str, float]:
    """Returns the classifier score under a name that tells the samples and the parts' size."""
    mean, deviation = classifier_score(logits)
    name = f"{prefix}{short(samples)}_{SPLITS}x{short(samples // SPLITS)}"
    return {name: mean, f"{name}_std": deviation}


def measure(view: View) -> dict[str, float]:
    if not view.reference.labelled:
        return {}
    return named_score("cs", view.logits, view.samples)
