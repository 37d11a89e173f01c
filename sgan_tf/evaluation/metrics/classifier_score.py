"""Classifier score, which is the Inception score if the classifier is Inception 2015-12-05."""

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.protocol import check_rows
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.tfgan import classifier_metrics
from sgan_tf.evaluation.view import View

ORDER = 10
SCORES = {
    "cs": Description(
        "classifier score: how surely the judge sees one class in each image, and how evenly all "
        "of them; blind to collapse inside a class, and lower for few images",
        better="higher",
    ),
    "cs_std": Description("standard deviation of the classifier score over ten parts"),
}
SPLITS = 10


def classifier_score(logits: np.ndarray, splits: int = SPLITS) -> tuple[float, float]:
    """Returns `exp(E KL(p(y|x) || p(y)))` (Salimans et al., 2016), over equal parts of the samples.

    It rises with confident and evenly spread classes, and is blind to collapse inside a class.
    TF-GAN computes it in float64.

    Args:
        logits: Float `np.ndarray` `[N, K]`. The logits in random order. Rows beyond a multiple of
            `splits` are left out.
        splits: Integer. The number of parts. Defaults to 10.

    Returns:
        `(mean, standard deviation)` over the parts, two floats.

    Raises:
        Unmeasurable: when there are fewer samples than parts.
    """
    check_rows(splits, logits)
    logits = np.asarray(logits, np.float64)
    size = len(logits) // splits
    score = classifier_metrics().classifier_score_from_logits
    scores = [float(score(tf.constant(logits[i * size :][:size]))) for i in range(splits)]
    return float(np.mean(scores)), float(np.std(scores))


def mean_and_deviation(key: str, logits: np.ndarray, samples: int) -> list[Score]:
    """Returns the mean and the standard deviation of the classifier score over ten parts.

    Args:
        key: String. The key of the mean. The deviation has the key `{key}_std`.
        logits: Float `np.ndarray` `[N, K]`. The logits in random order.
        samples: Integer. The number of samples, which is part of the scores' names.

    Returns:
        List of two `Score`.
    """
    mean, deviation = classifier_score(logits)
    return [
        Score(key, mean, samples, parts=SPLITS),
        Score(f"{key}_std", deviation, samples, parts=SPLITS),
    ]


def measure(view: View) -> list[Score]:
    if not view.reference.labelled:
        return []
    return mean_and_deviation("cs", view.logits, view.samples)
