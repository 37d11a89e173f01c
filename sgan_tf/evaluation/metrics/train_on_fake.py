"""Accuracy on real images of a classifier trained only on samples (Ravuri and Vinyals, 2019)."""

from sgan_tf.evaluation.judge import small_classifier_accuracy
from sgan_tf.evaluation.scores import Description, Score
from sgan_tf.evaluation.view import View

ORDER = 60
SCORES = {
    "train_on_fake_accuracy": Description(
        "accuracy, on real test images, of a small classifier trained on samples; in the real "
        "column on the training images",
        better="higher",
    )
}


def measure(view: View) -> list[Score]:
    if not view.judge_knows:
        return []
    reference = view.reference
    if view.stack is None:  # trained on the training images, once per data set
        return [Score("train_on_fake_accuracy", reference.train_on_real_accuracy)]
    accuracy = small_classifier_accuracy(
        view.images,
        view.labels,
        reference.test_images,
        reference.test_labels,
        len(view.class_names),
        view.dataset,
        view.progress("small classifier on samples"),
        reference.flip,
    )
    return [Score("train_on_fake_accuracy", accuracy)]
