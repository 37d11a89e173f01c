"""Sample accuracy: whether the judge sees the requested class in a sample."""

from sgan_tf.evaluation.judge import accuracy
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import View

ORDER = 50
SCORES = {
    "sample_accuracy": Description(
        "share of images in which the judge sees the class that was asked for", better="higher"
    )
}


def measure(view: View) -> list[Score]:
    if not view.judge_knows:
        return []
    return [Score("sample_accuracy", accuracy(view.logits, view.labels))]
