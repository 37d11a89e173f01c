"""Fréchet distance inside each class: what a mixture of all classes hides."""

from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.protocol import by_class
from sgan_tf.evaluation.view import View

ORDER = 25
_BIAS = (
    "measured on class_images images of each class, as under a thousand bias it upwards: read it "
    "against the real test set's, biased alike (lower is better)"
)
SCORES = {
    r"fcd(?P<count>[\dk]+)_class": "mean over the classes of the Fréchet distance of the judge's "
    f"features inside a class to those of its training images, {_BIAS}",
    r"fcd(?P<count>[\dk]+)_class_(?P<class>.+)": "Fréchet distance of the judge's features inside "
    f"the class to those of its training images, {_BIAS}",
}
BEST = min


def measure(view: View) -> dict[str, float]:
    if not view.judge_knows:
        return {}
    progress = view.progress("Fréchet distance by class")
    values = {c: frechet_distance(train, seen) for c, train, seen in progress(view.by_class())}
    return by_class(f"fcd{view.count}_class", values)
