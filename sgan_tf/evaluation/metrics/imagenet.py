"""Scores by a network that does not know the data set: EfficientNet-Lite0, trained on ImageNet."""

from sgan_tf.evaluation.metrics.classifier_score import classifier_score
from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.metrics.precision_recall import precision_recall
from sgan_tf.evaluation.protocol import ProgressBars
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import NetworkOutputs, View

ORDER = 120
_COLUMNS = "Both columns are of {count} images; compare equal numbers only"
SCORES = {
    "fd_imagenet": Description(
        "Fréchet distance of ImageNet features to those of {count} training images: quality and "
        "diversity, seen by a network that was trained on other images. It is not the FID, whose "
        f"network is another one. {_COLUMNS}, as few images bias it upwards",
        better="lower",
        same_count=True,
    ),
    "precision_imagenet": Description(
        "share of images that lie as near to {count} training images as those to each other, in "
        f"ImageNet features. {_COLUMNS}",
        better="higher",
        same_count=True,
    ),
    "recall_imagenet": Description(
        "share of {count} training images that lie as near to these images as those to each other, "
        f"in ImageNet features. {_COLUMNS}",
        better="higher",
        same_count=True,
    ),
    "cs_imagenet": Description(
        "classifier score by the 1,000 classes of ImageNet: how surely the network sees one of "
        "them in each image, and how many of them in all. It is not the Inception score. "
        f"{_COLUMNS}",
        better="higher",
        same_count=True,
    ),
}


def imagenet_scores(seen: NetworkOutputs, progress: ProgressBars) -> list[Score]:
    """Returns the scores by EfficientNet-Lite0, in the order of `SCORES`.

    Args:
        seen: `NetworkOutputs`. The outputs for equally many images and training images.
        progress: Function. `progress(what)` returns a wrapper of iterables that shows the progress
            of `what`.

    Returns:
        List of `Score`.
    """
    precision, recall = precision_recall(
        seen.train_features,
        seen.features,
        progress=progress("precision and recall of ImageNet features"),
    )
    count = len(seen.features)
    return [
        Score("fd_imagenet", frechet_distance(seen.train_features, seen.features), count),
        Score("precision_imagenet", precision, count),
        Score("recall_imagenet", recall, count),
        Score("cs_imagenet", classifier_score(seen.logits, splits=1)[0], count),
    ]


def measure(view: View) -> list[Score]:
    return [] if view.imagenet is None else imagenet_scores(view.imagenet, view.progress)
