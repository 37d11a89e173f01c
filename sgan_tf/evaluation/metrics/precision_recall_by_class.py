"""Improved precision and recall inside each class: which classes lack fidelity or coverage."""

from sgan_tf.evaluation.metrics.precision_recall import precision_recall
from sgan_tf.evaluation.protocol import by_class
from sgan_tf.evaluation.view import View

ORDER = 45
SCORES = {
    r"precision(?P<count>[\dk]+)_class": "mean over the classes of precision inside a class: "
    "fidelity (higher is better)",
    r"precision(?P<count>[\dk]+)_class_(?P<class>.+)": "precision among the images of the class "
    "alone: fidelity (higher is better)",
    r"recall(?P<count>[\dk]+)_class": "mean over the classes of recall inside a class: coverage "
    "(higher is better)",
    r"recall(?P<count>[\dk]+)_class_(?P<class>.+)": "recall among the images of the class alone: "
    "coverage (higher is better)",
}
BEST = max


def measure(view: View) -> dict[str, float]:
    if not view.judge_knows:
        return {}
    precision, recall = {}, {}
    for name, train, seen in view.progress("precision and recall by class")(view.by_class()):
        # As many rows of each: the radii shrink as rows are added.
        count = min(len(train), len(seen))
        precision[name], recall[name] = precision_recall(train[:count], seen[:count])
    return {
        **by_class(f"precision{view.count}_class", precision),
        **by_class(f"recall{view.count}_class", recall),
    }
