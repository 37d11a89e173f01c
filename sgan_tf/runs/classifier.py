"""`Classifier` is a Keras classifier to be inverted, read from a file or made by its name."""

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

ADAPT_IMAGES = 5000  # most images on which features are measured


@dataclasses.dataclass
class Classifier:
    """A Keras classifier to be inverted.

    Attributes:
        model: `keras.Model`. The classifier, built.
        source: String. The classifier's name in messages.
        content: Bytes. The content of its `.keras` file.
        input_range: String. The values that it expects of images, a name in `INPUT_RANGES`; see
            `Encoder.from_keras`. Defaults to `"0..1"`.
        custom_objects: List of strings `module:name`. Its custom layers. Defaults to none.
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
        """Reads a `.keras` file. Code in the file is not run.

        Args:
            path: String or path. The file.
            input_range: String. The values that the classifier expects of images, a name in
                `INPUT_RANGES`. Defaults to `"0..1"`.
            custom_objects: List of strings `module:name`. Layers that Keras does not know. Defaults
                to none.

        Returns:
            A `Classifier`.

        Raises:
            ConfigError: If the file is not a `.keras` file, cannot be read, or would run code.
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
        """Copies a model of this program. The model itself is not changed.

        Args:
            model: `keras.Model`. Its custom layers have to be registered with Keras.
            input_range: String or function. The values that the model expects of images; see
                `Encoder.from_keras`. A function becomes part of the copy. Defaults to `"0..1"`.
            image_shape: Tuple of integers `(H, W, C)`. Shape of the images that such a function
                takes. Defaults to the model's input shape.

        Returns:
            A `Classifier`.

        Raises:
            ClassifierError: If Keras cannot save the model, or if it cannot be cut with such a
                function.
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
            name: String. The model's name, such as `mobilenet_v2`.
            weights: String. Path of a file of weights, or `imagenet`; see `application`.
            image_shape: Tuple of integers `(H, W, C)`. Shape of the images, in pixels.
            num_classes: Integer. Number of classes, K.
            input_range: String. The values that the model expects of images, a name in
                `INPUT_RANGES`. Defaults to those of its `preprocess_input`.

        Returns:
            A `Classifier`.

        Raises:
            ConfigError: If there is no such model, or if its weights cannot be loaded.
        """
        model, own_range = application(name, weights, image_shape, num_classes)
        return cls(model, name, model_bytes(model), input_range or own_range)

    def candidates(self, image_shape: Sequence[int]) -> list[Cut]:
        """Lists where the classifier can be cut.

        Args:
            image_shape: Tuple of integers `(H, W, C)`. Shape of the images, in pixels.

        Returns:
            List of `Cut`, bottom up.

        Raises:
            ConfigError: If the classifier cannot be inverted.
        """
        with self._named():
            return candidates(self.model, self.input_range, image_shape)

    def encoder(
        self,
        cuts: Sequence[str],
        image_shape: Sequence[int],
        activations: Sequence[str] | None = None,
    ) -> Encoder:
        """Returns the classifier as an `Encoder`.

        Args:
            cuts: List of strings. Names of its layers, in any order.
            image_shape: Tuple of integers `(H, W, C)`. Shape of the images, in pixels.
            activations: List of strings. Activations that `Encoder.adapt` found earlier. Defaults
                to None.

        Returns:
            An `Encoder`.

        Raises:
            ConfigError: If the classifier cannot be inverted, or cannot be cut there.
        """
        with self._named():
            return Encoder.from_keras(
                self.model, cuts, self.input_range, image_shape, activations, name="encoder"
            )

    def adapted(
        self, cuts: Sequence[str], dataset: ImageDataset
    ) -> tuple[Encoder, list[str], ClassifierConfig]:
        """Fits the classifier to a data set.

        Args:
            cuts: List of strings. Names of its layers, in any order.
            dataset: `ImageDataset`. Its training images are used to measure the features.

        Returns:
            Tuple `(encoder, cuts, config)`: the `Encoder` with its features measured, the names of
            the cuts, bottom up, and the `ClassifierConfig` that describes the classifier.

        Raises:
            ConfigError: For the reasons of `Encoder.from_keras` and `Encoder.adapt`, and if the
                classifier and the data set do not have the same number of classes.
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
