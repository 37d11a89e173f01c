"""`invert`: trains a stack on your own classifier in one call."""

import dataclasses
import os
from collections.abc import Callable, Sequence

import keras
import numpy as np

from sgan_tf.config.presets import make_config
from sgan_tf.data.datasets import ImageDataset
from sgan_tf.models import checks
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.runs.classifier import Classifier
from sgan_tf.runs.classifier_copy import with_bytes_of_copy, write_copy
from sgan_tf.runs.run import Run
from sgan_tf.training.options import Hyperparameters, TrainingOptions
from sgan_tf.training.pipeline import Pipeline

SMALL_SIDE = 16  # largest side in pixels for which the preset is `digits`
HELD_OUT = 10  # one image in so many is held out for testing
LEAST_IMAGES = 3  # one for testing, two for the statistics of a batch


def invert(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    cuts: Sequence[str],
    run_dir: str | os.PathLike,
    *,
    input_range: str | Callable = "0..1",
    class_names: Sequence[str] | None = None,
    hyperparameters: Hyperparameters | None = None,
    options: TrainingOptions | None = None,
    overwrite: bool = False,
) -> StackedGAN:
    """Trains a stack that inverts a classifier. If called again, it resumes training.

    Args:
        model: Keras model. The classifier, see `Encoder.from_keras`. It is not changed, as the run
            folder holds a copy.
        images: `np.ndarray` `[N, H, W, C]`, uint8 or float in [0, 1]. Images of the kind that the
            model was trained on, at least three. Every tenth is held out for testing, starting with
            the first. If fewer are left than the preset's batch size, all of them are the batch.
        labels: Integer `np.ndarray` `[N]` in [0, K). The labels of the images.
        cuts: Sequence of strings. The names of the layers at which the model is cut.
        run_dir: Path. The run folder, which `sgan_tf.load` and `export.py` read.
        input_range: String or function. The range or preprocessing of images that the model
            expects, see `Encoder.from_keras`. Defaults to `0..1`.
        class_names: Sequence of K strings. The names of the classes. Defaults to "0", "1", … up to
            the largest label.
        hyperparameters: `Hyperparameters`. Their levels are fitted to the features of the model.
            Their preset defaults to `digits` for images of up to 16 x 16 pixels, and to
            `cifar10-small` for larger ones. Defaults to `Hyperparameters()`.
        options: `TrainingOptions`. Defaults to `TrainingOptions()`.
        overwrite: Boolean. Whether to start over in a run folder that holds a run. Defaults to
            False.

    Returns:
        The trained `StackedGAN`.

    Raises:
        ConfigError: for a model or a cut that cannot be used, and for invalid settings.
        RunError: when the folder holds another run.
        ValueError: for images and labels of other shapes or ranges.

    Example:

    >>> import tempfile
    >>> from keras import Input, Sequential, layers
    >>> data = sgan_tf.load_dataset("digits")
    >>> hidden = layers.Dense(16, "relu", name="hidden")
    >>> model = Sequential([Input((8, 8, 1)), layers.Flatten(), hidden, layers.Dense(10)])
    >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> images, labels = data.train_images[:200] / 255, data.train_labels[:200]
    >>> _ = model.fit(images, labels, verbose=0)
    >>> brief = sgan_tf.Hyperparameters(epochs=1)
    >>> folder = tempfile.mkdtemp()
    >>> stack = invert(model, images, labels, ["hidden"], folder, hyperparameters=brief)
    >>> stack.variations(images[:2], 5, seed=0).shape
    (2, 5, 8, 8, 1)
    """
    dataset, chosen = _dataset(images, labels, class_names), hyperparameters or Hyperparameters()
    side = dataset.image_shape[0]
    classifier = Classifier.of_model(model, input_range, dataset.image_shape)
    if not overwrite:
        classifier = with_bytes_of_copy(classifier, run_dir, dataset)
    encoder, cuts, described = classifier.adapted(cuts, dataset)
    small = max(dataset.image_shape[:2]) <= SMALL_SIDE
    config = make_config(
        "folder",
        chosen.preset or ("digits" if small else "cifar10-small"),
        cuts,
        side,
        chosen.epochs,
        chosen.seed,
        chosen.overrides,
        classifier=described,
    )
    batch_size = min(config.batch_size, len(dataset.train_images))
    config = dataclasses.replace(config, batch_size=batch_size)
    run = Run.open(run_dir, config, overwrite)
    try:
        write_copy(run, classifier, encoder)
        return Pipeline(run.config, run, dataset, options=options).train()
    finally:
        run.close()


def _dataset(images, labels, class_names):
    """Checks arrays, and returns them as an `ImageDataset`."""
    images = checks.array("images", images)
    if images.ndim != 4:
        raise ValueError(f"images must have the shape [N, H, W, C], not {images.shape}")
    pixels = np.round(255 * checks.images(images, images.shape[1:])).astype(np.uint8)
    classes = int(np.max(labels, initial=0)) + 1 if class_names is None else len(class_names)
    labels = checks.labels(labels, classes).astype(np.int32)
    if len(labels) != len(pixels):
        raise ValueError(f"labels are {len(labels)}, and images {len(pixels)}")
    if len(pixels) < LEAST_IMAGES:
        raise ValueError(f"images are {len(pixels)}; at least {LEAST_IMAGES} are needed")
    test = np.arange(len(pixels)) % HELD_OUT == 0
    names = list(class_names or map(str, range(classes)))
    return ImageDataset("arrays", names, pixels[~test], labels[~test], pixels[test], labels[test])
