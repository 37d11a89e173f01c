"""`invert`: a stack on a classifier of one's own, in one call."""

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

SMALL_SIDE = 16  # up to which the preset is `digits`
HELD_OUT = 10  # every so many-th image is kept for testing
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
    """Trains a stack that inverts a classifier; called again, it goes on where it was.

    Args:
        model: A Keras classifier; see `Encoder.from_keras`. It stays as it is: the run folder holds
            a copy.
        images: `[N, H, W, C]`, uint8 or floats in [0, 1], of the kind that it was trained on. Every
            tenth is kept for testing, the first one among them. Three are the least; where they are
            fewer than the preset's batch, all of them are the batch.
        labels: Integers `[N]` in [0, K).
        cuts: Names of layers at which it is cut.
        run_dir: The run folder; `sgan_tf.load` and `export.py` read it.
        input_range: What the model expects of images, see `Encoder.from_keras`.
        class_names: K strings; by default "0", "1", … up to the largest label.
        hyperparameters: `Hyperparameters`, of which the levels are fitted to the features. The
            preset defaults to `digits` for images of up to 16 pixels a side, else to
            `cifar10-small`.
        options: `TrainingOptions`. Defaults to `TrainingOptions()`.
        overwrite: Boolean. Whether to start afresh in a run folder that holds a run. Defaults to
            False.

    Returns:
        The trained `StackedGAN`.

    Raises:
        ConfigError: for a model or a cut that will not do, and for settings that cannot be.
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
    """Returns arrays as an `ImageDataset`, checked."""
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
