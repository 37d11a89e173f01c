"""What a data set's runs are measured against: the judge, and its view of the real images. Cached, once a data set."""

import dataclasses
import io
import os
import pathlib
import zipfile

import numpy as np

from sgan_tf.evaluation.judge import BATCH, accuracy, build_judge, judged, train_judge
from sgan_tf.evaluation.protocol import EvaluationError
from sgan_tf.files import write_whole

SMALL_WIDTH, SMALL_EPOCHS, SMALL_STEPS = (
    0.5,
    20,
    1000,
)  # of the small classifier of `train_on_fake_accuracy`: epochs, but no more than so many steps
VERSION = 1  # of the judge and of the file; another makes every reference anew


@dataclasses.dataclass
class Reference:
    """Real images as the judge sees them.

    Attributes:
        judge: Keras model: images -> (logits, features).
        judge_accuracy: On the test images.
        train_features, train_labels: float32 `[N, D]`, int32 `[N]`.
        test_images, test_labels: uint8 `[M, H, W, C]`, int32 `[M]`.
        test_logits, test_features: float32 `[M, K]`, `[M, D]`.
        train_on_real_accuracy: Of the small classifier, trained on the training images, on the test images.
    """

    judge: object
    judge_accuracy: float
    train_features: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    test_logits: np.ndarray
    test_features: np.ndarray
    train_on_real_accuracy: float


def default_cache():
    """Returns the folder of the references: SGAN_TF_CACHE, else `~/.cache/sgan_tf`."""
    return pathlib.Path(
        os.environ.get("SGAN_TF_CACHE") or pathlib.Path.home() / ".cache" / "sgan_tf"
    )


def reference_path(cache, data):
    """Returns the file of a data set's reference.

    Args:
        cache: The folder.
        data: `ImageDataset.description()`.
    """
    side = data["image_shape"][0]
    return pathlib.Path(cache) / f"{data['name']}-{side}-{data['crc32']}-v{VERSION}.npz"


def load_reference(cache, data):
    """Returns the cached `Reference` of a data set, or None. Arguments as in `reference_path`; a damaged file counts as none."""
    path = reference_path(cache, data)
    try:
        with np.load(path) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    weights = [
        arrays.pop(f"weight{i:03d}")
        for i in range(sum(name.startswith("weight") for name in arrays))
    ]
    judge = build_judge(tuple(data["image_shape"]), len(data["class_names"]))
    judge.set_weights(weights)
    numbers = {
        name: float(arrays.pop(name)) for name in ("judge_accuracy", "train_on_real_accuracy")
    }
    return Reference(judge=judge, **numbers, **arrays)


def make_reference(cache, dataset, progress):
    """Trains a data set's judge and measures its images; writes the cache and returns the `Reference`.

    Args:
        cache: The folder.
        dataset: An `ImageDataset`.
        progress: `progress(what)` returns a wrapper of iterables that shows how far `what` is.
    """
    judge = train_judge(
        dataset.train_images,
        dataset.train_labels,
        dataset.num_classes,
        dataset.name,
        progress=progress("judge"),
    )
    _, train_features = judged(
        judge, dataset.train_images, progress=progress("judging training images")
    )
    test_logits, test_features = judged(judge, dataset.test_images)
    on_real = small_classifier_accuracy(
        dataset.train_images,
        dataset.train_labels,
        dataset.test_images,
        dataset.test_labels,
        dataset.num_classes,
        dataset.name,
        progress("small classifier on real images"),
    )
    reference = Reference(
        judge,
        accuracy(test_logits, dataset.test_labels),
        train_features,
        dataset.train_labels,
        dataset.test_images,
        dataset.test_labels,
        test_logits,
        test_features,
        on_real,
    )
    _write(reference_path(cache, dataset.description()), reference)
    return reference


def small_classifier_accuracy(
    images, labels, test_images, test_labels, num_classes, dataset, progress
):
    """Trains a small classifier on some images and returns its accuracy on others (Ravuri and Vinyals, 2019)."""
    steps = min(SMALL_STEPS, SMALL_EPOCHS * max(1, len(images) // BATCH))
    small = train_judge(
        images, labels, num_classes, dataset, width=SMALL_WIDTH, steps=steps, progress=progress
    )
    return accuracy(judged(small, test_images)[0], test_labels)


def _write(path, reference):
    arrays = {
        field.name: getattr(reference, field.name)
        for field in dataclasses.fields(reference)
        if field.name != "judge"
    }
    arrays.update({f"weight{i:03d}": w for i, w in enumerate(reference.judge.get_weights())})
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, buffer.getvalue())
    except OSError as error:
        raise EvaluationError(
            f"--cache_dir: cannot write {path}: {error.strerror or error}"
        ) from error
