"""`Encoder`, the classifier E, and `build_encoder`, which makes the paper's network."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers, ops

from sgan_tf.config.schema import EncoderConfig
from sgan_tf.config.validation import ENCODER_LAYERS, check_image_size
from sgan_tf.models.batched import in_batches
from sgan_tf.models.encoder import adapters
from sgan_tf.models.encoder.classifier_graph import ClassifierError
from sgan_tf.models.encoder.gradient_probe import check_gradients
from sgan_tf.models.layers.images import SubtractMean, unit_images
from sgan_tf.models.layers.regularization import Dropout
from sgan_tf.models.losses import label_loss
from sgan_tf.models.trainable import TrainedModel, apply_gradients, deserialized
from sgan_tf.typing import Tensor


@keras.saving.register_keras_serializable("sgan_tf")
class Encoder(TrainedModel):
    """A classifier cut into stages: `h_0 = x`, `h_{i+1} = E_i(h_i)`; `h_N` are the class logits.

    Train it with `fit(images, labels)` as any Keras classifier, then freeze it with
    `trainable = False`.

    Args:
        stages: List of Keras models `[E_0, …, E_{N-1}]`. Bottom up, each with one input and one
            output. E_0 takes images, float32 `[N, H, W, C]` in [0, 1]. E_{N-1} returns the logits.
        activations: List of strings. The activations that produce h_0, …, h_{N-1}: `sigmoid`,
            `tanh`, `relu` or `linear`. The generators use them as output activations. Defaults to
            `sigmoid` for images and `relu` for features.

    Attributes:
        stages: List of Keras models. As passed.
        activations: List of strings. As passed, or as `adapt` found them.
        shapes: List of tuples. The shapes of h_0, …, h_N without the batch dimension.
        image_shape: Tuple of integers `(H, W, C)`. The shape of one image.
        num_classes: Integer. K, the number of classes.

    Raises:
        ValueError: If a stage's input shape differs from the output shape of the stage below.

    Example:

    >>> from keras import Input, Sequential
    >>> lower = Sequential([Input((8, 8, 1)), layers.Flatten(), layers.Dense(16, "relu")])
    >>> upper = Sequential([Input((16,)), layers.Dense(10)])
    >>> Encoder([lower, upper]).shapes
    [(8, 8, 1), (16,), (10,)]
    """

    def __init__(
        self, stages: Sequence[keras.Model], activations: Sequence[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(["accuracy", "loss"], **{"dtype": "float32", **kwargs})
        self.stages = list(stages)
        upper = ["relu"] * (len(self.stages) - 1)
        self.activations = list(activations or ["sigmoid", *upper])
        self.shapes = [tuple(self.stages[0].input_shape[1:])]
        for i, stage in enumerate(self.stages):
            if tuple(stage.input_shape[1:]) != self.shapes[-1]:
                raise ValueError(
                    f"stages[{i}] takes {tuple(stage.input_shape[1:])}, but what is below it gives "
                    f"{self.shapes[-1]}"
                )
            self.shapes.append(tuple(stage.output_shape[1:]))
        self.image_shape, self.num_classes = self.shapes[0], self.shapes[-1][0]

    @classmethod
    def from_keras(
        cls,
        model: keras.Model,
        cuts: Sequence[str],
        input_range: str | Callable = "0..1",
        image_shape: Sequence[int] | None = None,
        activations: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> "Encoder":
        """Cuts your own classifier into stages, which use its layers and their weights.

        Nested models are opened, a final softmax is removed, and everything runs in inference mode.
        The layers are frozen, so the model can no longer be trained; pass a copy to avoid this.
        Call `adapt(images)` next to measure the features.

        Args:
            model: Keras model. It must be built: functional, Sequential, or a subclass whose `call`
                Keras can trace. It takes images as its only input and returns one output, a logit
                or a probability per class.
            cuts: List of strings. Names of layers or operations, in any order. h_i is the output of
                the i-th of them from below. Every path from input to output must pass each cut. A
                layer in a nested model is `model/layer`, or `layer` if the name is unique.
            input_range: String or function. The values that the model expects: `0..1`, `0..255`,
                `-1..1`, `imagenet` (mean 0 and variance 1 over ImageNet), `caffe` (0..255 minus
                ImageNet's means, blue first), or a function in `keras.ops` of images in [0, 1].
                Defaults to `0..1`.
            image_shape: Tuple of integers `(H, W, C)`. The shape of the encoder's images, which it
                resizes for the model. One channel is repeated if the model takes three. Defaults to
                the model's shape.
            activations: List of strings. The activations that `adapt` found earlier. Defaults to
                those of `Encoder`.
            kwargs: Keyword arguments of `Encoder`.

        Returns:
            `Encoder`, frozen.

        Raises:
            ClassifierError: If the model has other inputs or outputs, or cannot be traced.
            ConfigError: If a cut is not a layer, or does not separate the model.

        Example:

        >>> from keras import Input, Sequential
        >>> hidden = [layers.Conv2D(4, 3, 2, name="conv"), layers.Flatten(), layers.Dense(9)]
        >>> model = Sequential([Input((8, 8, 1)), *hidden, layers.Dense(3, "softmax")])
        >>> Encoder.from_keras(model, cuts=["conv"]).shapes
        [(8, 8, 1), (3, 3, 4), (3,)]
        """
        stages = adapters.stages_of(model, cuts, input_range, image_shape)
        encoder = cls(stages, activations, **kwargs)
        encoder.trainable = False
        return encoder

    def adapt(self, images: np.ndarray, batch_size: int = 100) -> "Encoder":
        """Measures the features of an encoder made by `from_keras`, and standardizes them.

        Each channel of a feature is divided by its standard deviation over images and positions.
        Features that can be negative are centered first. Bounded features are left unchanged.
        `activations` are taken from the classifier's layers, or else from the range of the values.

        Args:
            images: `np.ndarray` `[N, H, W, C]`. Images from the data set on which the encoder will
                be inverted.
            batch_size: Integer. Number of images processed at a time. Defaults to 100.

        Returns:
            The encoder itself.

        Raises:
            ClassifierError: If weights are not finite, or if no gradient flows through a stage.
            ConfigError: If features are not finite, or are the same for all images.
        """
        # Features do not always reveal NaN weights: oneDNN's ReLU turns NaN into 0.
        for variable in self.variables:
            if not np.isfinite(variable.numpy()).all():
                raise ClassifierError(f"the weights {variable.path} are not finite")
        seams = [
            (lower.get_layer(f"h{i}"), upper.get_layer(f"raw_h{i}"))
            for i, (lower, upper) in enumerate(zip(self.stages, self.stages[1:]), 1)
        ]
        for layer in (layer for seam in seams for layer in seam):
            layer.measured(1.0, 0.0)
        statistics = [adapters.FeatureStatistics(h.of, h.activation) for h, _ in seams]
        features = tf.function(lambda batch: self.features(batch)[:-1])
        for start in range(0, len(images) if seams else 0, batch_size):
            for part, h in zip(
                statistics, features(tf.constant(images[start : start + batch_size]))
            ):
                part.add(h.numpy())
        for i, (seam, part) in enumerate(zip(seams, statistics), 1):
            found = part.standardization()
            self.activations[i] = found.activation
            for layer in seam:
                layer.measured(found.scale, found.offset)
        check_gradients(self.stages, unit_images(images[:batch_size]))
        return self

    @property
    def cuts(self) -> list[str]:
        """Names of the layers at which `from_keras` cut the classifier, bottom up."""
        ends = [stage.get_layer(f"h{i}") for i, stage in enumerate(self.stages[:-1], 1)]
        return [end.of for end in ends]

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Returns the class logits `[N, K]` of `images` `[N, H, W, C]`.

        A frozen encoder always runs in inference mode.
        """
        h = unit_images(images)
        for stage in self.stages:
            h = stage(h, training=training and self.trainable)
        return h

    def features(self, images: Tensor | npt.ArrayLike) -> list[Tensor]:
        """Returns `[h_1, …, h_{N-1}, logits]` of `images`, computed in inference mode."""
        h, outputs = unit_images(images), []
        for stage in self.stages:
            h = stage(h, training=False)
            outputs.append(h)
        return outputs

    def classify(self, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
        """Returns the labels, int32 `[N]`, that the encoder predicts for images `[N, H, W, C]`."""
        logits = tf.function(lambda batch: self(batch, training=False))
        return in_batches(logits, [images], batch_size).argmax(-1).astype(np.int32)

    def compile(self, optimizer: str | keras.Optimizer = "adam", **kwargs: Any) -> None:
        """Compiles the model as in Keras. The loss is the cross-entropy and is not passed."""
        super().compile(optimizer=optimizer, **{"jit_compile": False, **kwargs})
        self.optimizer.build(self.trainable_variables)

    def update(self, x: Tensor, y: Tensor) -> Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            variables = self.trainable_variables
            tape.watch([v.value for v in variables])
            logits = self(x, training=True)
            loss = label_loss(logits, y)
            objective = loss / tf.distribute.get_strategy().num_replicas_in_sync
        apply_gradients(self.optimizer, objective, tape, variables)
        return self._numbers({"loss": loss, "accuracy": _accuracy(logits, y)})

    def measure(self, x: Tensor, y: Tensor) -> Tensor:
        logits = self(x, training=False)
        return self._numbers({"loss": label_loss(logits, y), "accuracy": _accuracy(logits, y)})

    def networks(self) -> dict[str, list[keras.Variable]]:
        return {"encoder": [v for stage in self.stages for v in stage.variables]}

    def optimizers(self) -> dict[str, keras.Optimizer]:
        return {"optimizer": self.optimizer}

    def get_config(self) -> dict[str, Any]:
        stages = [keras.saving.serialize_keras_object(stage) for stage in self.stages]
        return {**super().get_config(), "stages": stages, "activations": list(self.activations)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Encoder":
        return cls(**{**config, "stages": [deserialized(stage) for stage in config["stages"]]})


def build_encoder(
    config: EncoderConfig,
    image_shape: Sequence[int],
    num_classes: int,
    cuts: Sequence[str] = ("fc3",),
    mean: npt.ArrayLike | None = None,
    **kwargs: Any,
) -> Encoder:
    """Makes the paper's classifier: conv1, pool1, conv2, pool2, fc3, fc4, all ReLU but the last.

    Args:
        config: `EncoderConfig`. The settings of the classifier.
        image_shape: Tuple of integers `(H, W, C)`. The shape of one image.
        num_classes: Integer. K, the number of classes.
        cuts: List of strings. Names of layers, bottom up. `h_i` is the output of the i-th (from 1),
            after its ReLU. Defaults to `("fc3",)`.
        mean: Float array `[H, W, C]`. The mean image, which is subtracted if
            `config.subtract_mean` is set. Defaults to None: zeros until weights are loaded.
        kwargs: Keyword arguments of `Encoder`.

    Returns:
        `Encoder`.

    Raises:
        ConfigError: If the image size does not fit the layers.
    """
    check_image_size(config, image_shape[0])
    groups = _layers_by_name(config, num_classes, mean)
    ends = [0, *(ENCODER_LAYERS.index(cut) + 1 for cut in cuts), len(groups)]
    shape, stages = tuple(image_shape), []
    for i, (start, end) in enumerate(zip(ends[:-1], ends[1:])):
        parts = [layer for group in groups[start:end] for layer in group]
        if parts[-1].compute_dtype != "float32":
            parts.append(layers.Activation("linear", dtype="float32", name=f"h{i + 1}"))
        stages.append(keras.Sequential([keras.Input(shape), *parts], name=f"e{i}"))
        shape = tuple(stages[-1].output_shape[1:])
    return Encoder(stages, **kwargs)


def _layers_by_name(c, num_classes, mean):
    """The layers of conv1, pool1, conv2, pool2, fc3 and fc4, one list each."""

    def convolution(name, channels):
        return layers.Conv2D(
            channels,
            c.kernel_size,
            padding=c.padding,
            activation="relu",
            kernel_initializer="he_normal",
            name=name,
        )

    def dense(name, units, **settings):
        return layers.Dense(units, name=name, dtype="float32", **settings)

    return [
        [
            *([SubtractMean(mean, name="center", dtype="float32")] if c.subtract_mean else []),
            convolution("conv1", c.channels[0]),
        ],
        [layers.MaxPooling2D(2, name="pool1")],
        [convolution("conv2", c.channels[1])],
        [layers.MaxPooling2D(2, name="pool2")],
        [
            layers.Flatten(name="flatten", dtype="float32"),
            dense("fc3", c.units, activation="relu", kernel_initializer="he_normal"),
        ],
        [
            *([Dropout(c.dropout, name="dropout", dtype="float32")] if c.dropout else []),
            dense("fc4", num_classes),
        ],
    ]


def trunk_of(encoder: Encoder) -> keras.Model:
    """Returns conv1 to fc3 of an encoder from `build_encoder` as a model that shares its layers."""
    found = [keras.Input(encoder.image_shape)]
    for stage in encoder.stages:
        for layer in stage.layers:
            found.append(layer)
            if layer.name == "fc3":
                return keras.Sequential(found, name="trunk")
    raise ValueError("the encoder has no layer fc3, as those of `build_encoder` have")


def inner_maps(stage: keras.Model, names: Sequence[str]) -> Callable[[Tensor], list[Tensor]] | None:
    """Returns a function that maps h_i to the outputs of layers inside E_i.

    Args:
        stage: Keras model. E_i.
        names: List of strings. Names of layers of E_i.

    Returns:
        Function that maps h_i to a list of tensors, or None if `names` is empty.
    """
    if not names:
        return None
    inner = keras.Model(stage.inputs, [stage.get_layer(name).output for name in names])
    return lambda h: inner(h, training=False)


def one_hot(labels: Tensor | npt.ArrayLike, num_classes: int) -> Tensor:
    """Returns labels as one-hot rows, float32 `[N, K]`: the condition of the top generator."""
    return ops.one_hot(ops.cast(labels, "int32"), num_classes, dtype="float32")


def _accuracy(logits, labels):
    right = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), ops.cast(labels, "int32"))
    return ops.mean(ops.cast(right, "float32"))
