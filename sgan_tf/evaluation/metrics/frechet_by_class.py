"""Fréchet distance inside each class, which shows what a mixture of all classes hides."""

from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.scores import Description, Score, by_class
from sgan_tf.evaluation.view import View

ORDER = 25
SCORES = {
    "fcd_class": Description(
        "Fréchet distance of the judge's features inside the class to those of its training "
        "images, measured on class_images images of each class, as under a thousand bias it "
        "upwards: read it against the real test set's, biased alike",
        better="lower",
        per="class",
    )
}


def measure(view: View) -> list[Score]:
    if not view.judge_knows:
        return []
    progress = view.progress("Fréchet distance by class")
    values = {
        c: frechet_distance(train, features) for c, train, features in progress(view.by_class())
    }
    return by_class("fcd_class", values, view.samples)
