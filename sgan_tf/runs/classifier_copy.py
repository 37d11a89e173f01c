"""Keeps a copy of a user's classifier in a run folder, and builds networks around it."""

import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Callable

import numpy as np

from sgan_tf.data.datasets import ImageDataset
from sgan_tf.errors import RunError
from sgan_tf.models.build import build
from sgan_tf.models.encoder.encoder import Encoder
from sgan_tf.runs.classifier import Classifier
from sgan_tf.runs.keras_file import read_model
from sgan_tf.runs.run import Run

FILE = "classifier.keras"  # in a run folder
PROBES = 8  # images on which two models of the same weights are compared


def write_copy(run: Run, classifier: Classifier, encoder: Encoder) -> None:
    """Writes a classifier's file to a run folder, and its encoder as a finished stage.

    Args:
        run: `Run`, which is open and whose configuration has this classifier.
        classifier: `Classifier`.
        encoder: `Encoder` that `Classifier.adapted` returned.
    """
    checkpoint, path = run.checkpoint("encoder"), run.path / FILE
    if run.writes and not (path.exists() and path.read_bytes() == classifier.content):
        run.write(FILE, classifier.content)
    if run.writes and not checkpoint.path.exists():
        checkpoint.save(encoder.networks(), 0, done=True, config=run.config.to_json())


def with_bytes_of_copy(
    classifier: Classifier, run_dir: str | os.PathLike, dataset: ImageDataset
) -> Classifier:
    """Returns a classifier with the bytes of a run's copy, if the copy is the same model.

    Making the same model twice gives two different files, because Keras numbers its names
    differently. Two models are the same if they have the same weights and the same outputs on some
    images of the data set.

    Args:
        classifier: `Classifier`.
        run_dir: String or path. The run folder, which need not exist.
        dataset: `ImageDataset`. Its first training images are used for the comparison.

    Returns:
        A `Classifier`: the run's copy if it is the same model, else `classifier`.

    Raises:
        ConfigError: If the copy cannot be read.
    """
    path = pathlib.Path(run_dir) / FILE
    if not path.exists():
        return classifier
    content = path.read_bytes()
    copy = dataclasses.replace(classifier, model=read_model(path, content), content=content)
    old, new = copy.model.get_weights(), classifier.model.get_weights()
    if len(old) != len(new) or not all(map(np.array_equal, old, new)):
        return classifier
    images = dataset.train_images[:PROBES]
    old, new = (c.encoder((), dataset.image_shape)(images) for c in (copy, classifier))
    return copy if np.allclose(old, new, rtol=1e-4, atol=1e-4) else classifier


def builder(run: Run) -> Callable:
    """Returns the function that builds the networks of a run.

    Args:
        run: `Run`.

    Returns:
        Function with the arguments of `build`. It builds the networks around the run's classifier
        if the configuration has one, and raises `RunError` if the classifier's file has changed.
    """

    @functools.wraps(build)
    def networks(config, image_shape, class_names, mean=None, joint=False):
        encoder, described = None, config.classifier
        if described is not None:
            path = run.path / FILE
            classifier = Classifier.of_file(path, described.input_range, described.custom_objects)
            if hashlib.sha256(classifier.content).hexdigest() != described.sha256:
                raise RunError(
                    f"`run_dir`: {path} is not the file that the run was begun with (its SHA-256 "
                    "is another); put that back"
                )
            encoder = classifier.encoder(config.cuts, image_shape, described.activations)
        return build(config, image_shape, class_names, mean, joint, encoder)

    return networks
