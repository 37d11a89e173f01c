"""The scores that papers print: classifier score and Fréchet distance by Inception 2015-12-05."""

from sgan_tf.evaluation.metrics.classifier_score import named_score
from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.view import View

ORDER = 110
SCORES = {
    r"is[\dkx_]+": "Inception score, the published scale (higher)",
    r"is[\dkx_]+_std": "its standard deviation over ten parts",
    r"fid[\dk]+_train": "Fréchet Inception distance, the published scale (lower)",
}


def measure(view: View) -> dict[str, float]:
    seen = view.inception
    if seen is None:
        return {}
    return {
        **named_score("is", seen.logits, view.samples),
        f"fid{view.count}_train": frechet_distance(seen.train_features, seen.features),
    }
