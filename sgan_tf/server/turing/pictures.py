"""Nine images, each real or generated with even odds, that nothing but their pixels tells apart."""

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
    """A model and a data set between which nobody could choose; the message says why."""


class Pictures:
    """Draws the images of a trial.

    Real ones are of the test set, which the model has not seen. Generated ones have the class of a
    random test image, so that classes are as frequent, and a random seed. All go through the same
    encoder, and nine are always generated, so that the time that a trial takes tells nothing.

    Args:
        model: What generates.
        dataset: What is real; of it the test images are kept.
    """

    def __init__(self, model: Model, dataset: ImageDataset) -> None:
        self.model, self.dataset = model, dataset.name
        self._images, self._labels = dataset.test_images, dataset.test_labels
        self._class_names = list(dataset.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(H, W, C)` of the images."""
        return self._images.shape[1:]

    def check(self) -> None:
        """Raises `TuringError` when the model that is loaded does not fit the data set."""
        with self.model.use(self.model.name) as loaded:
            self._labels_of(loaded)

    def draw(self, rows: Ticket) -> tuple[int, tuple[Shown, ...], list[bytes]]:
        """Draws nine images.

        Args:
            rows: Of the request, which is one of nine rows.

        Returns:
            The version of the model, what each image is, and the nine as PNG files.

        Raises:
            Refused: when too many rows are under way.
            TuringError: when a version that was loaded since `check` does not fit.
        """
        rows.hold(IMAGES)
        chance, count = secrets.SystemRandom(), len(self._images)  # which nobody can predict
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
        """Returns the model's label for each class of the data set; without labels that is 0."""
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
        return np.array([names.index(own) for own in self._class_names])


def _picture(image):
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def _size(shape):
    return " x ".join(map(str, shape))


def _list(names):
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
