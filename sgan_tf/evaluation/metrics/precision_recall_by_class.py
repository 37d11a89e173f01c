"""Improved precision and recall per class, to find classes without fidelity or coverage."""

from sgan_tf.evaluation.metrics.precision_recall import precision_recall
from sgan_tf.evaluation.scores import Description, Score, by_class
from sgan_tf.evaluation.view import View

ORDER = 45
SCORES = {
    "precision_class": Description(
        "precision among the images of the class alone: fidelity", better="higher", per="class"
    ),
    "recall_class": Description(
        "recall among the images of the class alone: coverage", better="higher", per="class"
    ),
}


def measure(view: View) -> list[Score]:
    if not view.judge_knows:
        return []
    precision, recall = {}, {}
    for name, train, features in view.progress("precision and recall by class")(view.by_class()):
        # Equally many rows of both, since the radii shrink as rows are added.
        count = min(len(train), len(features))
        precision[name], recall[name] = precision_recall(train[:count], features[:count])
    return [
        *by_class("precision_class", precision, view.samples),
        *by_class("recall_class", recall, view.samples),
    ]
