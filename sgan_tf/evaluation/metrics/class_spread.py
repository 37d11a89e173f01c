"""How widely the images of a class spread, in pixels."""

from sgan_tf.evaluation.spread import class_spread
from sgan_tf.evaluation.view import View

ORDER = 80
SCORES = {
    "class_spread": "how widely the images of a class spread, in pixels, over the real spread; "
    "near 0: collapsed, and 1 is right"
}
MOST = 10_000  # images of each kind that it is measured on


def measure(view: View) -> dict[str, float]:
    if len(view.class_names) == 1:
        return {}
    reference = view.reference
    real = class_spread(reference.test_images[:MOST], reference.test_labels[:MOST])
    return {"class_spread": class_spread(view.images[:MOST], view.labels[:MOST]) / real}
