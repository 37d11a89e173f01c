"""The copy of a user's classifier in a run folder, and the networks that are built around it."""

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
PROBES = 8  # images that tell whether two models of the same weights are one


def write_copy(run: Run, classifier: Classifier, encoder: Encoder) -> None:
    """Writes a classifier to a run folder: its file, and the encoder as a finished stage.

    Args:
        run: The opened `Run`, of a configuration with this classifier.
        classifier: The `Classifier`.
        encoder: What `Classifier.adapted` returned.
    """
    checkpoint, path = run.checkpoint("encoder"), run.path / FILE
    if run.writes and not (path.exists() and path.read_bytes() == classifier.content):
        run.write(FILE, classifier.content)
    if run.writes and not checkpoint.path.exists():
        checkpoint.save(encoder.networks(), 0, done=True, config=run.config.to_json())


def with_bytes_of_copy(
    classifier: Classifier, run_dir: str | os.PathLike, dataset: ImageDataset
) -> Classifier:
    """Returns a classifier with the bytes of a run's copy, if that is the same model.

    A model that is made twice makes two files, because Keras numbers its names differently.

    Args:
        classifier: The `Classifier`.
        run_dir: The run folder, which need not exist.
        dataset: An `ImageDataset`. Two models are the same if they have the same weights and the
            same outputs on some of its images.
    """
    path = pathlib.Path(run_dir) / FILE
    if not path.exists():
        return classifier
    content = path.read_bytes()
    copy = dataclasses.replace(classifier, model=read_model(path, content), content=content)
    theirs, own = copy.model.get_weights(), classifier.model.get_weights()
    if len(theirs) != len(own) or not all(map(np.array_equal, theirs, own)):
        return classifier
    images = dataset.train_images[:PROBES]
    theirs, own = (c.encoder((), dataset.image_shape)(images) for c in (copy, classifier))
    return copy if np.allclose(theirs, own, rtol=1e-4, atol=1e-4) else classifier


def builder(run: Run) -> Callable:
    """Returns what makes the networks of a run: `build`, around its classifier where it has one."""

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
