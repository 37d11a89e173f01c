"""The scores that papers print: classifier score and Fréchet distance by Inception 2015-12-05."""

from sgan_tf.evaluation.metrics.classifier_score import named_score
from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.view import View

ORDER = 110
SCORES = {
    r"is(?P<count>[\dk]+_\d+x[\dk]+)": "Inception score: the classifier score on the scale that "
    "papers print (higher is better)",
    r"is(?P<count>[\dk]+_\d+x[\dk]+)_std": "standard deviation of the Inception score over ten "
    "parts",
    r"fid(?P<count>[\dk]+)_train": "Fréchet Inception distance to the training set, on the scale "
    "that papers print (lower is better)",
}


def measure(view: View) -> dict[str, float]:
    seen = view.inception
    if seen is None:
        return {}
    return {
        **named_score("is", seen.logits, view.samples),
        f"fid{view.count}_train": frechet_distance(seen.train_features, seen.features),
    }
