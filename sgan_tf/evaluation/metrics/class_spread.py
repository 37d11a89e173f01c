"""Spread of the images within a class, in pixels."""

import numpy as np

from sgan_tf.evaluation.protocol import Unmeasurable
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.spread import class_spread
from sgan_tf.evaluation.view import View

ORDER = 80
SCORES = {
    "class_spread": Description(
        "how widely the images of a class spread, in pixels, over the real spread; near 0: "
        "collapsed, and 1 is right"
    )
}
MOST = 10_000  # largest number of samples and of test images that it is measured on


def measure(view: View) -> list[Score]:
    if len(view.class_names) == 1:
        return []
    reference = view.reference
    real = _spread(reference.test_images, reference.test_labels)
    if not real:
        raise Unmeasurable("needs test images of a class that are not all the same")
    return [Score("class_spread", _spread(view.images, view.labels) / real)]


def _spread(images, labels):
    if np.bincount(labels[:MOST]).max() < 2:
        raise Unmeasurable("needs at least 2 images of a class, and there is 1")
    return class_spread(images[:MOST], labels[:MOST])
