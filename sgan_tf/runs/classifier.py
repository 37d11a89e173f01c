"""`Classifier`: a Keras classifier that is to be inverted, and where it comes from."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Callable, Sequence

import keras

from sgan_tf.config.schema import ClassifierConfig
from sgan_tf.config.validation import ConfigError
from sgan_tf.data.datasets import ImageDataset
from sgan_tf.models.encoder.adapters import candidates
from sgan_tf.models.encoder.classifier_graph import ClassifierError, Cut
from sgan_tf.models.encoder.encoder import Encoder
from sgan_tf.runs.applications import application
from sgan_tf.runs.keras_file import import_objects, model_bytes, read_model

ADAPT_IMAGES = 5000  # on which features are measured, at the most


@dataclasses.dataclass
class Classifier:
    """A Keras classifier that is to be inverted.

    Attributes:
        model: It, built.
        source: What it is called in messages.
        content: The bytes of its `.keras` file.
        input_range: What it expects of images; see `Encoder.from_keras`.
        custom_objects: `module:name` of layers of its own.
    """

    model: keras.Model
    source: str
    content: bytes
    input_range: str = "0..1"
    custom_objects: Sequence[str] = ()

    @classmethod
    def of_file(
        cls, path: str | os.PathLike, input_range: str = "0..1", custom_objects: Sequence[str] = ()
    ) -> "Classifier":
        """Reads a `.keras` file; code that lies in it is not run.

        Raises:
            ConfigError: when it is none, cannot be read, or would run code.
        """
        objects = import_objects(custom_objects)
        try:
            content = pathlib.Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"`encoder`: {path} cannot be read ({error.strerror})") from error
        model = read_model(path, content, objects)
        return cls(model, str(path), content, input_range, list(custom_objects))

    @classmethod
    def of_model(
        cls,
        model: keras.Model,
        input_range: str | Callable = "0..1",
        image_shape: Sequence[int] | None = None,
    ) -> "Classifier":
        """Takes a copy of a model of this program; it stays as it is, trainable or not.

        Args:
            model: A Keras model, whose custom layers have to be registered with Keras.
            input_range: As in `Encoder.from_keras`; a function becomes part of the copy.
            image_shape: `(H, W, C)` of the images that such a function takes; by default the
                model's.
        """
        content = model_bytes(model)
        model = read_model("the model", content)
        if callable(input_range):
            encoder = Encoder.from_keras(model, (), input_range, image_shape)
            model, input_range = encoder.stages[0], "0..1"
            content = model_bytes(model)
        return cls(model, "the model", content, input_range)

    @classmethod
    def of_name(
        cls,
        name: str,
        weights: str,
        image_shape: Sequence[int],
        num_classes: int,
        input_range: str | None = None,
    ) -> "Classifier":
        """Makes a model of `keras.applications`.

        Args:
            name, weights, image_shape, num_classes: As in `application`.
            input_range: By default the model's own.

        Raises:
            ConfigError: when there is no such model, or its weights cannot be had.
        """
        model, own_range = application(name, weights, image_shape, num_classes)
        return cls(model, name, model_bytes(model), input_range or own_range)

    def candidates(self, image_shape: Sequence[int]) -> list[Cut]:
        """Returns where it can be cut, bottom up."""
        with self._named():
            return candidates(self.model, self.input_range, image_shape)

    def encoder(
        self,
        cuts: Sequence[str],
        image_shape: Sequence[int],
        activations: Sequence[str] | None = None,
    ) -> Encoder:
        """Returns it as an `Encoder`."""
        with self._named():
            return Encoder.from_keras(
                self.model, cuts, self.input_range, image_shape, activations, name="encoder"
            )

    def adapted(
        self, cuts: Sequence[str], dataset: ImageDataset
    ) -> tuple[Encoder, list[str], ClassifierConfig]:
        """Fits it to a data set.

        Args:
            cuts: Names of its layers, in any order.
            dataset: An `ImageDataset`.

        Returns:
            The encoder, its features measured; the cuts, bottom up; what a `Config` holds of it.

        Raises:
            ConfigError: as `Encoder.from_keras` and `Encoder.adapt` do, and where its classes are
                not as many as the data set's.
        """
        encoder = self.encoder(cuts, dataset.image_shape)
        if encoder.num_classes != dataset.num_classes:
            raise ConfigError(
                f"`encoder`: {self.source} has {encoder.num_classes} classes, and the images have "
                f"{dataset.num_classes}"
            )
        images = dataset.train_images
        with self._named():
            encoder.adapt(images[:: -(-len(images) // ADAPT_IMAGES)])
        described = ClassifierConfig(
            sha256=hashlib.sha256(self.content).hexdigest(),
            input_range=self.input_range,
            custom_objects=list(self.custom_objects),
            shapes=[list(shape) for shape in encoder.shapes[:-1]],
            activations=encoder.activations,
        )
        return encoder, encoder.cuts, described

    @contextlib.contextmanager
    def _named(self):
        try:
            yield
        except ClassifierError as error:
            raise ConfigError(f"`encoder`: {self.source}: {error}") from error
