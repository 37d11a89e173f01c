"""Training of features without labels: two views of an image should have the same features.

The objectives also keep the features informative. The features represent the properties of an image
that the views share. An expander network follows the features; the objective is computed from its
outputs, and it is discarded after training.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from sgan_tf.config.schema import EncoderConfig
from sgan_tf.models.augmentations import named
from sgan_tf.models.encoder.encoder import Encoder, trunk_of
from sgan_tf.models.layers.images import unit_images
from sgan_tf.models.layers.normalization import BatchNormalization
from sgan_tf.models.noise import step_seed
from sgan_tf.models.trainable import TrainedModel, apply_gradients
from sgan_tf.typing import Tensor

EXPANDER = (256, 256)


def vicreg(a: Tensor, b: Tensor) -> Tensor:
    """Returns the loss of VICReg (Bardes et al., 2022), with the weights of its authors' code.

    The loss is `25 mean (a - b)^2 + 25 v + c`. v is the mean over views and columns of
    `max(0, 1 - s)`, where s is a column's standard deviation. c is the sum over both views of the
    squared covariances of different columns, divided by D.

    Args:
        a: Tensor `[N, D]`. The outputs for one view of N images.
        b: Tensor `[N, D]`. The outputs for another view of the same images.

    Returns:
        Scalar tensor.
    """
    invariance, variance, covariance = ops.mean(ops.square(a - b)), 0.0, 0.0
    for z in (a, b):
        z = z - ops.mean(z, axis=0)
        c = ops.matmul(ops.transpose(z), z) / (ops.cast(ops.shape(z)[0], "float32") - 1)
        diagonal = ops.diagonal(c)
        variance += ops.mean(ops.relu(1 - ops.sqrt(diagonal + 1e-4))) / 2
        covariance += (ops.sum(ops.square(c)) - ops.sum(ops.square(diagonal))) / z.shape[-1]
    return 25 * invariance + 25 * variance + covariance


def barlow_twins(a: Tensor, b: Tensor) -> Tensor:
    """Returns the loss of Barlow Twins (Zbontar et al., 2021).

    The loss is `sum_i (1 - C_ii)^2 + 0.0051 sum_{i != j} C_ij^2`, where C is the correlation of a's
    columns with b's.

    Args:
        a: Tensor `[N, D]`. The outputs for one view of N images.
        b: Tensor `[N, D]`. The outputs for another view of the same images.

    Returns:
        Scalar tensor.
    """
    a, b = ((z - ops.mean(z, axis=0)) / ops.sqrt(ops.var(z, axis=0) + 1e-5) for z in (a, b))
    c = ops.matmul(ops.transpose(a), b) / ops.cast(ops.shape(a)[0], "float32")
    diagonal = ops.diagonal(c)
    others = ops.sum(ops.square(c)) - ops.sum(ops.square(diagonal))
    return ops.sum(ops.square(1 - diagonal)) + 0.0051 * others


OBJECTIVES = {"vicreg": vicreg, "barlow_twins": barlow_twins}


class SelfSupervised(TrainedModel):
    """Trains a network to compute features without labels: `fit(images, anything)`.

    The objective is computed on a replica's share of the batch. The views are a function of
    (noise_seed, the optimizer's iterations), so a restored model continues with the views that the
    original would have seen.

    Args:
        network: Keras model. It maps images `[N, H, W, C]` to features `[N, D]`.
        augment: Function `(images, seed [2]) -> images`. It makes a view.
        objective: String. A name in `OBJECTIVES`. Defaults to `vicreg`.
        expander: List of integers. Units of the dense layers that follow the features. Defaults to
            `(256, 256)`.
        noise_seed: Integer. Seed of the views. Defaults to 0.

    Example:

    >>> network = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(16)])
    >>> model = SelfSupervised(network, named(["affine", "color"]))
    >>> model.compile()
    >>> images = keras.random.uniform((32, 8, 8, 1), seed=0)
    >>> _ = model.fit(images, ops.zeros(32), verbose=0)
    """

    def __init__(
        self,
        network: keras.Model,
        augment: Callable,
        objective: str = "vicreg",
        expander: Sequence[int] = EXPANDER,
        noise_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(["loss"], **kwargs)
        self.network, self.augment, self.noise_seed = network, augment, noise_seed
        self.objective = OBJECTIVES[objective]
        hidden = [
            part
            for units in expander[:-1]
            for part in (layers.Dense(units, use_bias=False), BatchNormalization(), layers.ReLU())
        ]
        features = keras.Input(network.output_shape[1:])
        self.expander = keras.Sequential(
            [features, *hidden, layers.Dense(expander[-1], use_bias=False)], name="expander"
        )

    def compile(self, optimizer: str | keras.Optimizer = "adam", **kwargs: Any) -> None:
        """Compiles the model as in Keras; the loss is not passed."""
        super().compile(optimizer=optimizer, **{"jit_compile": False, **kwargs})
        self.optimizer.build(self._trained_variables())

    def update(self, x: Tensor, y: Tensor) -> Tensor:
        variables = self._trained_variables()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            loss = self._loss(x, self.optimizer.iterations, training=True)
            objective = loss / tf.distribute.get_strategy().num_replicas_in_sync
        apply_gradients(self.optimizer, objective, tape, variables)
        return self._numbers({"loss": loss})

    def measure(self, x: Tensor, y: Tensor) -> Tensor:
        return self._numbers({"loss": self._loss(x, 0, training=False)})

    def _loss(self, x, step, training):
        images, seed = unit_images(x), step_seed(self.noise_seed, 0, step)
        seeds = [tf.random.experimental.stateless_fold_in(seed, view) for view in range(2)]
        # TensorFlow loses the static height and width of moved images.
        images = tf.ensure_shape(images, self.network.input_shape)
        views = tf.concat([self.augment(images, seed) for seed in seeds], 0)
        embedded = self.expander(self.network(views, training=training), training=training)
        return self.objective(*tf.split(embedded, 2))

    def _trained_variables(self):
        return [*self.network.trainable_variables, *self.expander.trainable_variables]

    def networks(self) -> dict[str, list[keras.Variable]]:
        return {"network": self.network.variables}

    def optimizers(self) -> dict[str, keras.Optimizer]:
        return {"optimizer": self.optimizer}

    def state(self) -> dict[str, list[keras.Variable]]:
        return {**super().state(), "expander": self.expander.variables}


class UnlabelledEncoder(SelfSupervised):
    """Trains conv1 to fc3 of an `Encoder` without labels; fc4 stays as it is.

    Args:
        encoder: `Encoder`. An encoder from `build_encoder`.
        config: `EncoderConfig`. The settings from which it was built and with which it is trained.
            If `config.flip` is set, views may also be mirror images.
        noise_seed: Integer. Seed of the views. Defaults to 0.
    """

    def __init__(
        self, encoder: Encoder, config: EncoderConfig, noise_seed: int = 0, **kwargs: Any
    ) -> None:
        augment = named([*config.views, *(["flip"] if config.flip else [])])
        assert augment is not None  # a configuration names at least one view
        super().__init__(
            trunk_of(encoder), augment, config.objective, config.expander, noise_seed, **kwargs
        )
        self.encoder = encoder

    def networks(self) -> dict[str, list[keras.Variable]]:
        return self.encoder.networks()
