"""Layers around a given classifier, which prepare its images and standardize its features."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from sgan_tf.config.validation import INPUT_RANGES, ConfigError
from sgan_tf.models.encoder.classifier_graph import ClassifierError, ClassifierGraph, Cut
from sgan_tf.typing import Shape, Tensor

LEAST_SPREAD = 0.01  # a channel's spread relative to its layer's, below which it counts as dead
NEAR_BOUND = 0.01  # how close a sigmoid's features come to 0 and 1, and a tanh's to -1 and 1
CAFFE_MEANS = (103.939, 116.779, 123.68)  # means of ImageNet, blue first
IMAGENET_MEANS, IMAGENET_STDDEVS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@keras.saving.register_keras_serializable("sgan_tf")
class ExpectedImages(layers.Layer):
    """Converts images in [0, 1] to those that a classifier expects, differentiably.

    One channel is repeated if three are expected. Images of another size are resized bilinearly
    with antialiasing.

    Args:
        shape: Tuple of integers. The expected shape `(H, W, C)`, or `(H, W)` for gray images
            without channels.
        input_range: String. A name in `INPUT_RANGES`: `0..1`, `0..255`, `-1..1`, `imagenet` (mean 0
            and variance 1 over ImageNet) or `caffe` (0..255 minus ImageNet's means, blue first).
            Defaults to `0..1`.
    """

    def __init__(self, shape: Sequence[int], input_range: str = "0..1", **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.shape, self.input_range = tuple(shape), input_range

    def call(self, images: Tensor) -> Tensor:
        if self.shape[2:] == (3,) and images.shape[-1] == 1:
            images = ops.repeat(images, 3, axis=-1)
        if tuple(images.shape[1:3]) != self.shape[:2]:
            # Matrix products run on every device and add in the same order each time.
            vertical, horizontal = map(_resampling, images.shape[1:3], self.shape[:2])
            images = ops.einsum("yh,nhwc->nywc", vertical, images)
            images = ops.einsum("xw,nywc->nyxc", horizontal, images)
        if self.input_range == "caffe":
            images = 255 * ops.flip(images, -1) - np.array(CAFFE_MEANS, np.float32)
        elif self.input_range == "imagenet":
            means, stddevs = np.array([IMAGENET_MEANS, IMAGENET_STDDEVS], np.float32)
            images = (images - means) / stddevs
        elif self.input_range == "-1..1":
            images = 2 * images - 1
        elif self.input_range == "0..255":
            images = 255 * images
        return ops.reshape(images, (-1, *self.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": self.shape, "input_range": self.input_range}


def _resampling(size, wanted):
    """Returns weights `[wanted, size]` of a bilinear, antialiased resizing along one axis."""
    step = size / wanted
    centres = (np.arange(wanted) + 0.5) * step - 0.5
    distances = np.abs(np.arange(size) - centres[:, None]) / max(step, 1)
    weights = np.maximum(1 - distances, 0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


@keras.saving.register_keras_serializable("sgan_tf")
class Standardized(layers.Layer):
    """Standardizes features: `(h - offset) / scale`, with one offset and scale per channel.

    Args:
        of: String. The name of the layer that computes the features, for messages. Defaults to "".
        activation: String. The activation that produces the features: `relu`, `sigmoid`, `tanh` or
            `linear`. Defaults to None, if it is unknown.
        inverse: Boolean. Whether to compute the inverse, `h scale + offset`. Defaults to False.
    """

    def __init__(
        self, of: str = "", activation: str | None = None, inverse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        self.of, self.activation, self.inverse = of, activation, inverse

    def build(self, input_shape: Shape) -> None:
        shape = (input_shape[-1],)
        settings = {"shape": shape, "trainable": False}  # even if the encoder is trained further
        self.scale = self.add_weight(initializer="ones", name="scale", **settings)
        self.offset = self.add_weight(initializer="zeros", name="offset", **settings)

    def measured(self, scale: npt.ArrayLike, offset: npt.ArrayLike) -> None:
        """Sets the scale and the offset.

        Args:
            scale: Float or float array `[C]`. The scale, for all channels or for each.
            offset: Float or float array `[C]`. The offset, for all channels or for each.
        """
        self.scale.assign(np.broadcast_to(scale, self.scale.shape))
        self.offset.assign(np.broadcast_to(offset, self.offset.shape))

    def call(self, h: Tensor) -> Tensor:
        scale, offset = ops.convert_to_tensor(self.scale), ops.convert_to_tensor(self.offset)
        return h * scale + offset if self.inverse else (h - offset) / scale

    def get_config(self) -> dict[str, Any]:
        settings = {"of": self.of, "activation": self.activation, "inverse": self.inverse}
        return {**super().get_config(), **settings}


class Standardization(NamedTuple):
    """How a `Standardized` layer scales the features of real images, and their activation."""

    activation: str  # an activation with the same range: relu, sigmoid, tanh or linear
    scale: np.ndarray  # one per channel
    offset: np.ndarray  # one per channel


def stages_of(
    model: keras.Model,
    cuts: Sequence[str],
    input_range: str | Callable = "0..1",
    image_shape: Sequence[int] | None = None,
) -> list[keras.Model]:
    """Cuts a classifier into the stages of an `Encoder`.

    Args:
        model: Keras model. See `Encoder.from_keras` for this and the other arguments.
        cuts: List of strings. Names of layers or operations, in any order.
        input_range: String or function. The values that the model expects. Defaults to `0..1`.
        image_shape: Tuple of integers `(H, W, C)`. The shape of the encoder's images. Defaults to
            the model's shape.

    Returns:
        List of Keras models, bottom up.
    """
    graph, image_shape, prepare = _opened(model, input_range, image_shape)
    stages, parts, shape = [], graph.cut(cuts), tuple(image_shape)
    for i, part in enumerate(parts):
        x = keras.Input(shape)
        h = part.model(prepare(x) if i == 0 else Standardized(inverse=True, name=f"raw_h{i}")(x))
        h = h if h.dtype == "float32" else layers.Activation("linear", dtype="float32")(h)
        if i < len(parts) - 1:
            h = Standardized(part.end, part.activation, name=f"h{i + 1}")(h)
        stages.append(keras.Model(x, h, name=f"e{i}"))
        shape = tuple(h.shape[1:])
    return stages


def candidates(
    model: keras.Model,
    input_range: str | Callable = "0..1",
    image_shape: Sequence[int] | None = None,
) -> list[Cut]:
    """Returns the places where a classifier can be cut.

    Args:
        model: Keras model. See `Encoder.from_keras` for this and the other arguments.
        input_range: String or function. The values that the model expects. Defaults to `0..1`.
        image_shape: Tuple of integers `(H, W, C)`. The shape of the encoder's images. Defaults to
            the model's shape.

    Returns:
        List of `Cut`, bottom up.
    """
    return _opened(model, input_range, image_shape)[0].candidates()


def _opened(model, input_range, image_shape):
    """Returns the classifier's graph, the image shape, and the function that prepares images."""
    expected = _input_shape(model, image_shape)
    image_shape = tuple(image_shape or (*expected, 1)[:3])
    channels = expected[2] if len(expected) == 3 else 1
    if channels != image_shape[-1] and (channels, image_shape[-1]) != (3, 1):
        raise ClassifierError(
            f"the classifier takes images of {channels} channels, and these have {image_shape[-1]}"
        )
    if callable(input_range):
        fitted = ExpectedImages(expected, name="expected")
        return ClassifierGraph(model, expected), image_shape, lambda x: input_range(fitted(x))
    if input_range not in INPUT_RANGES:
        raise ConfigError(
            f"`input_range`: '{input_range}' is no function, nor one of {', '.join(INPUT_RANGES)}"
        )
    if input_range in ("imagenet", "caffe") and channels != 3:
        raise ConfigError(
            f"`input_range`: {input_range} is of three channels, and the classifier takes one"
        )
    prepare = ExpectedImages(expected, input_range, name="expected")
    return ClassifierGraph(model, expected), image_shape, prepare


def _input_shape(model, image_shape):
    """Returns the classifier's input shape, `(H, W, C)` or `(H, W)`; the image sets open sides."""
    if not isinstance(model, keras.Model):
        raise ClassifierError(f"the classifier is no Keras model but {type(model).__name__}")
    if not model.built:
        raise ClassifierError("the classifier is not built: call it on images, or train it, first")
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or [])
    if len(inputs) > 1:
        raise ClassifierError(f"the classifier has {len(inputs)} inputs; one is needed, the images")
    shape = inputs[0].shape if inputs else (model.get_build_config() or {}).get("input_shape")
    if not shape or not all(isinstance(side, int | None) for side in shape):
        shape = (None, *(image_shape or ()))
    shape = tuple(shape[1:])
    image = len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3, None))
    if not image:
        raise ClassifierError(
            f"the classifier takes {shape}, and no images: (H, W), or (H, W, C) of 1 or 3 channels"
        )
    if None in shape and image_shape is None:
        raise ClassifierError(
            f"the classifier takes images of any size, {shape}; say which by `image_shape`"
        )
    return tuple(a if a is not None else b for a, b in zip(shape, image_shape or shape))


class FeatureStatistics:
    """Accumulates the range and the moments of features batch by batch, in float64.

    Args:
        name: String. The features' name, for messages.
        activation: String. The activation that produces them. Defaults to None: it is inferred from
            their range.
    """

    def __init__(self, name: str, activation: str | None = None) -> None:
        self.name, self.activation, self.count = name, activation, 0
        self.sum: np.ndarray | float = 0.0
        self.squares: np.ndarray | float = 0.0
        self.low, self.high = np.inf, -np.inf

    def add(self, h: np.ndarray) -> None:
        """Adds a batch of features `[N, ..., C]` to the statistics."""
        h = np.asarray(h, np.float64).reshape(-1, h.shape[-1])
        self.count += len(h)
        self.sum, self.squares = self.sum + h.sum(0), self.squares + np.square(h).sum(0)
        self.low, self.high = min(self.low, h.min()), max(self.high, h.max())

    def standardization(self) -> Standardization:
        """Returns the `Standardization` of the features.

        Bounded features keep their units, as images do. Nonnegative features keep their zero.

        Raises:
            ConfigError: If the features are not finite, or are the same for all images.
        """
        if not np.isfinite(self.sum).all() or not np.isfinite(self.squares).all():
            raise ConfigError(
                f"`cuts`: the features of {self.name} are not finite on these images; look at the "
                "classifier and at `input_range`"
            )
        mean = np.asarray(self.sum / self.count)
        variance = np.maximum(self.squares / self.count - np.square(mean), 0)
        overall = np.sqrt(variance.mean())
        if overall <= 1e-6 * max(abs(self.low), abs(self.high), 1e-30):
            raise ConfigError(
                f"`cuts`: the features of {self.name} are the same for all images (a dead layer); "
                "cut elsewhere"
            )
        activation, zero = self.activation or self._by_range(), np.zeros_like(mean)
        if activation in ("sigmoid", "tanh"):
            return Standardization(activation, np.ones_like(mean), zero)
        scale = np.where(variance > np.square(LEAST_SPREAD * overall), np.sqrt(variance), overall)
        return Standardization(activation, scale, mean if activation == "linear" else zero)

    def _by_range(self):
        """Infers the activation from the range of the features.

        Only features that come close to both bounds count as bounded: wrongly treating features as
        bounded costs more than the opposite error.
        """
        high = 1 - NEAR_BOUND < self.high <= 1
        if self.low >= 0:
            return "sigmoid" if high and 0 < self.low < NEAR_BOUND else "relu"
        return "tanh" if high and -1 <= self.low < NEAR_BOUND - 1 else "linear"
