"""Whether samples show the class that was asked for."""

from sgan_tf.evaluation.judge import accuracy
from sgan_tf.evaluation.view import View

ORDER = 50
SCORES = {
    "sample_accuracy": "share of images in which the judge sees the class that was asked for "
    "(higher is better)"
}


def measure(view: View) -> dict[str, float]:
    if not view.judge_knows:
        return {}
    return {"sample_accuracy": accuracy(view.logits, view.labels)}
