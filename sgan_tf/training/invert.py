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
from sgan_tf.runs.run import Run
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
    preset: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    **training,
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
        preset: A name in `PRESETS`, whose levels are fitted to the features; by default `digits`
            for images of up to 16 pixels a side, else `cifar10-small`.
        epochs: Of every stage, in place of the preset's.
        seed: Of weights, noise and the order of images.
        overrides: Strings `"dotted.name=value"`, as `"levels.0.z_dim=4"`.
        overwrite: Start anew in a run folder that holds a run.
        training: For `Pipeline`: `sample_every`, `checkpoint_minutes`, `strategy`, `stop`.

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
    >>> stack = invert(model, images, labels, ["hidden"], tempfile.mkdtemp(), epochs=1)
    >>> stack.variations(images[:2], 5, seed=0).shape
    (2, 5, 8, 8, 1)
    """
    dataset = _dataset(images, labels, class_names)
    side = dataset.image_shape[0]
    classifier = Classifier.of_model(model, input_range, dataset.image_shape)
    if not overwrite:
        classifier = classifier.as_kept(run_dir, dataset)
    encoder, cuts, described = classifier.adapted(cuts, dataset)
    preset = preset or ("digits" if max(dataset.image_shape[:2]) <= SMALL_SIDE else "cifar10-small")
    settings = dict(epochs=epochs, seed=seed, overrides=overrides, classifier=described)
    config = make_config("folder", preset, cuts, side, **settings)
    batch_size = min(config.batch_size, len(dataset.train_images))
    config = dataclasses.replace(config, batch_size=batch_size)
    run = Run.open(run_dir, config, overwrite)
    try:
        classifier.place(run, encoder)
        return Pipeline(run.config, run, dataset, **training).train()
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
