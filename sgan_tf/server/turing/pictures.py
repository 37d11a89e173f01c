"""Draws nine images, each real or generated with equal odds, which differ only in their pixels."""

import secrets

import numpy as np
from PIL import Image

from sgan_tf.data.datasets import ImageDataset
from sgan_tf.errors import UserError
from sgan_tf.saving import signatures
from sgan_tf.server.model import Loaded, Model, Ticket
from sgan_tf.server.turing.trials import Shown
from sgan_tf.utils.images import png

IMAGES = 9


class TuringError(UserError):
    """Raised if a model and a data set cannot be compared. The message says why."""


class Pictures:
    """Draws the images of a trial.

    Real images come from the test set, which is not used for training. Generated images have the
    class of a random test image, so that classes are equally frequent, and a random seed. All
    images go through the same PNG encoder, and nine are always generated, so that the duration of a
    trial reveals nothing.

    Args:
        model: `Model`. The model that generates images.
        dataset: `ImageDataset`. The real images. Only its test images are kept in memory.

    Attributes:
        model: `Model`. The model that generates images.
        dataset: String. The name of the data set.
    """

    def __init__(self, model: Model, dataset: ImageDataset) -> None:
        self.model, self.dataset = model, dataset.name
        self._images, self._labels = dataset.test_images, dataset.test_labels
        self._class_names = list(dataset.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Tuple `(H, W, C)`. The shape of the images."""
        return self._images.shape[1:]

    def check(self) -> None:
        """Checks that the loaded model fits the data set.

        Raises:
            TuringError: If it does not fit.
        """
        with self.model.use(self.model.name) as loaded:
            self._labels_of(loaded)

    def draw(self, rows: Ticket) -> tuple[int, tuple[Shown, ...], list[bytes]]:
        """Draws nine images.

        Args:
            rows: `Ticket`. The rows of the request, which is set to nine.

        Returns:
            `(version, shown, images)`: the version of the model, a tuple of nine `Shown`, and a
            list of the nine images as the bytes of PNG files.

        Raises:
            Refused: If too many rows are in progress.
            TuringError: If a version that was loaded since `check` does not fit the data set.
        """
        rows.hold(IMAGES)
        chance, count = secrets.SystemRandom(), len(self._images)  # cannot be predicted
        tested = chance.sample(range(count), IMAGES)
        classes = self._labels[[chance.randrange(count) for _ in range(IMAGES)]]
        seeds = [chance.getrandbits(63) for _ in range(IMAGES)]
        real = np.array([chance.getrandbits(1) for _ in range(IMAGES)], bool)
        with self.model.use(self.model.name) as loaded:
            labels, version = self._labels_of(loaded)[classes], loaded.number
            names = [loaded.class_names[label] for label in labels]
            inputs = {signatures.LABELS: labels, signatures.SEEDS: np.array(seeds)}
            drawn = loaded.signatures[signatures.SAMPLE_SEEDED](inputs)[signatures.IMAGES]
        generated = np.round(255 * drawn).astype(np.uint8)
        images = np.where(real[:, None, None, None], self._images[tested], generated)
        shown = tuple(
            Shown(True, self._class_names[self._labels[tested[i]]], tested[i])
            if real[i]
            else Shown(False, names[i], seeds[i])
            for i in range(IMAGES)
        )
        return version, shown, [png(_picture(image)) for image in images]

    def _labels_of(self, loaded: Loaded) -> np.ndarray:
        """Returns the model's label for each class of the data set; 0 if it has no labels."""
        names, name = loaded.class_names, self.model.name
        needed = {signatures.SAMPLE_SEEDED, signatures.ENCODE}
        if not names or not needed <= loaded.signatures.keys():
            raise TuringError(
                f"`turing`: the classes of {name} are not known; give an export of this package, a "
                "run, or a stack that comes with it"
            )
        images = loaded.signatures[signatures.ENCODE].inputs[signatures.IMAGES]
        shape = images.shape[1:].as_list()
        if shape != list(self.image_shape):
            raise TuringError(
                f"`dataset`: images of {self.dataset} have the size {_size(self.image_shape)}, "
                f"those of {name} {_size(shape)}; name the data set that it was trained on"
            )
        if len(names) > 1 and set(names) != set(self._class_names):
            raise TuringError(
                f"`dataset`: the classes of {self.dataset} are {_list(self._class_names)}, those "
                f"of {name} {_list(names)}; name the data set that it was trained on"
            )
        most = loaded.signatures[signatures.SAMPLE_SEEDED].max_batch
        if most < IMAGES:
            raise TuringError(
                f"`turing`: {IMAGES} images are shown at a time, and {name} makes at most "
                f"{most}; export it with a larger max_batch"
            )
        if len(names) == 1:
            return np.zeros(len(self._class_names), np.int64)
        return np.array([names.index(name) for name in self._class_names])


def _picture(image):
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def _size(shape):
    return " x ".join(map(str, shape))


def _list(names):
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
