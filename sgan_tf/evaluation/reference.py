"""The reference that a data set's runs are measured against: the judge and its view of real images.

It is made once per data set, and cached.
"""

import dataclasses
import io
import os
import pathlib
import zipfile
from typing import Any

import keras
import numpy as np

from sgan_tf.data.datasets import ImageDataset, info
from sgan_tf.evaluation.judge import (
    accuracy,
    build_judge,
    judged,
    small_classifier_accuracy,
    train_judge,
)
from sgan_tf.evaluation.protocol import EvaluationError, ProgressBars, silent
from sgan_tf.utils.files import write_whole

VERSION = 1  # of the judge and of the file; a change invalidates every cached reference


@dataclasses.dataclass
class Reference:
    """Real images as the judge sees them.

    Attributes:
        judge: Keras model. Images -> `(logits, features)`.
        judge_accuracy: Float. The judge's accuracy on the test images. 1 if there is only one
            class.
        train_features: float32 `np.ndarray` `[N, D]`. The features of the training images.
        train_labels: int32 `np.ndarray` `[N]`. The labels of the training images.
        test_images: uint8 `np.ndarray` `[M, H, W, C]`. The test images.
        test_labels: int32 `np.ndarray` `[M]`. The labels of the test images.
        test_logits: float32 `np.ndarray` `[M, K]`. The logits of the test images.
        test_features: float32 `np.ndarray` `[M, D]`. The features of the test images.
        train_on_real_accuracy: Float. The accuracy on the test images of a small classifier that is
            trained on the training images, to compare with `train_on_fake_accuracy`. 1 if there is
            only one class.
        flip: Boolean. Whether both classifiers, and those that are trained on samples, see mirror
            images too. Defaults to False.
    """

    judge: keras.Model
    judge_accuracy: float
    train_features: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    test_logits: np.ndarray
    test_features: np.ndarray
    train_on_real_accuracy: float
    flip: bool = False

    @property
    def labelled(self) -> bool:
        """Whether the judge is a classifier; if not, its features were trained without labels."""
        return self.test_logits.shape[-1] > 1

    def in_random_order(self) -> "Reference":
        """Returns the reference with its test rows in a random order, the same at every call."""
        order = np.random.default_rng(0).permutation(len(self.test_labels))
        names = ("test_images", "test_labels", "test_logits", "test_features")
        return dataclasses.replace(self, **{name: getattr(self, name)[order] for name in names})


def default_cache() -> pathlib.Path:
    """Returns the default folder of references: `SGAN_TF_CACHE`, or else `~/.cache/sgan_tf`."""
    return pathlib.Path(
        os.environ.get("SGAN_TF_CACHE") or pathlib.Path.home() / ".cache" / "sgan_tf"
    )


def reference_path(cache_dir: str | os.PathLike, data: dict, flip: bool = False) -> pathlib.Path:
    """Returns the path of a data set's reference.

    Args:
        cache_dir: Path. The folder of the cache.
        data: Dictionary. What `ImageDataset.description` returned.
        flip: Boolean. The run's `encoder.flip`, which decides for your own images whether mirror
            images are as real. Defaults to False.

    Returns:
        A `pathlib.Path`.
    """
    name, side = data["name"], data["image_shape"][0]
    if info(name).flips is None:  # the run decides it
        name += "-flip" if flip else "-noflip"
    return pathlib.Path(cache_dir) / f"{name}-{side}-{data['crc32']}-v{VERSION}.npz"


def load_reference(
    cache_dir: str | os.PathLike, data: dict, flip: bool = False
) -> Reference | None:
    """Loads the reference of a data set from the cache.

    Args:
        cache_dir: Path. The folder of the cache.
        data: Dictionary. What `ImageDataset.description` returned.
        flip: Boolean. The run's `encoder.flip`, see `reference_path`. Defaults to False.

    Returns:
        The `Reference`. None if it is not in the cache, or if the file is damaged.
    """
    arrays = read_arrays(reference_path(cache_dir, data, flip))
    if arrays is None:
        return None
    count = sum(name.startswith("weight") for name in arrays)
    weights = [arrays.pop(f"weight{i:03d}") for i in range(count)]
    judge = build_judge(tuple(data["image_shape"]), len(data["class_names"]))
    judge.set_weights(weights)
    names = ("judge_accuracy", "train_on_real_accuracy")
    facts: dict[str, Any] = {name: float(arrays.pop(name)) for name in names}
    mirrors = info(data["name"]).mirrors(flip)
    return Reference(judge=judge, flip=mirrors, **{**facts, **arrays})


def make_reference(
    cache_dir: str | os.PathLike,
    dataset: ImageDataset,
    progress: ProgressBars = silent,
    flip: bool = False,
) -> Reference:
    """Trains a data set's judge, measures the images, and writes the reference to the cache.

    Args:
        cache_dir: Path. The folder of the cache.
        dataset: `ImageDataset`. The images.
        progress: Function. `progress(what)` returns a wrapper of iterables that shows the progress
            of `what`. Defaults to one that shows nothing.
        flip: Boolean. The run's `encoder.flip`, see `reference_path`. Defaults to False.

    Returns:
        The `Reference`.

    Raises:
        EvaluationError: when the cache cannot be written.
    """
    judge = train_judge(
        dataset.train_images,
        dataset.train_labels,
        dataset.num_classes,
        dataset.name,
        progress=progress("judge"),
        flip=flip,
    )
    _, train_features = judged(
        judge, dataset.train_images, progress=progress("judging training images")
    )
    test_logits, test_features = judged(judge, dataset.test_images)
    on_real = 1.0
    if dataset.num_classes > 1:
        on_real = small_classifier_accuracy(
            dataset.train_images,
            dataset.train_labels,
            dataset.test_images,
            dataset.test_labels,
            dataset.num_classes,
            dataset.name,
            progress("small classifier on real images"),
            flip,
        )
    reference = Reference(
        judge=judge,
        judge_accuracy=accuracy(test_logits, dataset.test_labels),
        train_features=train_features,
        train_labels=dataset.train_labels,
        test_images=dataset.test_images,
        test_labels=dataset.test_labels,
        test_logits=test_logits,
        test_features=test_features,
        train_on_real_accuracy=on_real,
        flip=info(dataset.name).mirrors(flip),
    )
    _write(reference_path(cache_dir, dataset.description(), flip), reference)
    return reference


def _write(path, reference):
    arrays = {
        field.name: getattr(reference, field.name)
        for field in dataclasses.fields(reference)
        if field.name not in ("judge", "flip")  # the data set or the file's name decides `flip`
    }
    arrays.update({f"weight{i:03d}": w for i, w in enumerate(reference.judge.get_weights())})
    write_arrays(path, arrays)


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray] | None:
    """Reads a file of the cache.

    Args:
        path: `pathlib.Path`. The path of the file.

    Returns:
        `{name: array}`. None if the file is missing or damaged.
    """
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None


def write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes a file of the cache.

    Args:
        path: `pathlib.Path`. The path of the file, whose folder is created if it is missing.
        arrays: Dictionary. `{name: array}`.

    Raises:
        EvaluationError: when the file cannot be written.
    """
    buffer = io.BytesIO()
    content: dict[str, Any] = dict(arrays)
    np.savez(buffer, **content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, buffer.getvalue())
    except OSError as error:
        raise EvaluationError(
            f"`cache_dir`: cannot write {path}: {error.strerror or error}"
        ) from error
