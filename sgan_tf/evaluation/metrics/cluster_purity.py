"""Cluster purity: whether the judge sees one class in the samples of a cluster."""

from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import View
from sgan_tf.models.encoder.clusters import agreement

ORDER = 55
SCORES = {
    "cluster_purity": Description(
        "share of images whose class, as the judge sees it, is the most frequent one of their "
        "cluster; in the real column of test images, in the encoder's clusters",
        better="higher",
    ),
    "visible_clusters": Description(
        "share of clusters of which the judge sees one class in more than half of the images",
        better="higher",
    ),
}


def measure(view: View) -> list[Score]:
    if view.judge_knows or len(view.class_names) == 1 or not view.reference.labelled:
        return []
    return list(map(Score, SCORES, agreement(view.labels, view.logits.argmax(-1))))
