"""Similarity of the images of a class: mean pairwise MS-SSIM (Odena et al., 2017)."""

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import View

ORDER = 70
SCORES = {
    "ms_ssim": Description(
        "mean similarity of two images of the class; above the real one: less diverse than real "
        "images",
        better="lower",
        per="class",
    )
}
MS_SSIM_SIDE = 176  # smallest side for the five scales of MS-SSIM with its window of 11 pixels
WINDOW = 11


def mean_pairwise_ssim(images: np.ndarray, pairs: int = 200, seed: int = 0) -> float:
    """Returns the mean similarity of random pairs of images, near 1 if a class has collapsed.

    Args:
        images: uint8 `np.ndarray` `[N, H, W, C]`. At least two images.
        pairs: Integer. The number of pairs. Defaults to 200.
        seed: Integer. The seed of the choice of pairs. Defaults to 0.

    Returns:
        Float. MS-SSIM (Wang et al., 2003) for images of at least 176 x 176 pixels. Plain SSIM for
        smaller ones, with a window of up to 11 pixels that fits into the image.
    """
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(images), pairs)
    second = (first + rng.integers(1, len(images), pairs)) % len(images)  # never the same image
    side = min(images.shape[1:3])
    if side >= MS_SSIM_SIDE:
        values = [
            tf.image.ssim_multiscale(images[i], images[j], 255).numpy()
            for i, j in zip(first, second)
        ]
    else:
        a, b = tf.constant(images[first]), tf.constant(images[second])
        values = tf.image.ssim(a, b, 255, filter_size=min(WINDOW, side)).numpy()
    return float(np.mean(values, dtype=np.float64))


def measure(view: View) -> list[Score]:
    if len(view.class_names) == 1:
        return []
    groups = {name: view.images[view.labels == c] for c, name in enumerate(view.class_names)}
    return [
        Score("ms_ssim", mean_pairwise_ssim(group), class_name=name)
        for name, group in groups.items()
        if len(group) > 1
    ]
