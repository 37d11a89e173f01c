"""The scores of papers: classifier score and Fréchet distance by Inception 2015-12-05."""

from collections.abc import Iterator

from sgan_tf.evaluation.metrics.classifier_score import mean_and_deviation
from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import View

ORDER = 110
SCORES = {
    "is": Description(
        "Inception score: the classifier score on the scale that papers print", better="higher"
    ),
    "is_std": Description("standard deviation of the Inception score over ten parts"),
    "fid_train": Description(
        "Fréchet Inception distance to the training set, on the scale that papers print",
        better="lower",
    ),
}


def measure(view: View) -> Iterator[Score]:
    outputs = view.inception
    if outputs is None:
        return
    yield from mean_and_deviation("is", outputs.logits, view.samples)
    yield Score(
        "fid_train", frechet_distance(outputs.train_features, outputs.features), view.samples
    )
