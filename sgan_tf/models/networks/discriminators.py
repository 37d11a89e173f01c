"""The discriminators D_i and posterior networks Q_i: one trunk with two heads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from sgan_tf.config.schema import DiscriminatorConfig, LevelConfig
from sgan_tf.models.keras_internals import layers_at_any_depth
from sgan_tf.models.layers.convolution import Conv2D, Rearrange
from sgan_tf.models.layers.dtypes import UNCAST
from sgan_tf.models.layers.normalization import BatchNormalization
from sgan_tf.models.layers.regularization import Dropout, GaussianNoise
from sgan_tf.models.layers.spectral import FeatureHeads, Projection, Spectral, SumPlaces
from sgan_tf.models.losses import ADVERSARIAL
from sgan_tf.models.networks.families import Family, is_even_map, is_map, is_vector
from sgan_tf.models.noise import NOISE
from sgan_tf.models.trainable import deserialized
from sgan_tf.typing import Shape, Tensor

LEAKY_SLOPE = 0.2  # slope of LeakyReLU after convolutions
HALVED_SLOPE = 0.1  # the same slope in the family `halved`
PRIOR_STDDEV = 0.005  # stddev of the weights of a Q head that starts at the prior


@keras.saving.register_keras_serializable("sgan_tf")
class Discriminator(keras.Model):
    """D_i and Q_i on h_i; Q_i shares all but the last layer with D_i.

    You can use any Keras model `h_i -> (logits, estimate of z_i)` instead.

    Args:
        trunk: Keras model. It maps h_i to shared features.
        logits: Keras model. It maps shared features to D_i's logits, `[N, 1]`, or `[N, K]` with one
            per class.
        posterior: Keras model. It maps shared features to Q_i's mean of z_i, `[N, z_dim]`.
        projection: `Projection`. The projection of the shared features on labels, on h_{i+1} or on
            both, which is added to D_i's logits. Defaults to None.
        heads: `FeatureHeads`. Heads on maps of the frozen E_i, whose logits are added to D_i's.
            Defaults to None.

    Attributes:
        separate_rows: Boolean. Whether no row's output depends on other rows, so that real and
            generated rows may share a batch.

    Example:

    >>> trunk = keras.Sequential([keras.Input((16,)), layers.Dense(8, "relu")])
    >>> heads = [keras.Sequential([keras.Input((8,)), layers.Dense(n)]) for n in (1, 4)]
    >>> [output.shape for output in Discriminator(trunk, *heads)(keras.ops.ones((2, 16)))]
    [TensorShape([2, 1]), TensorShape([2, 4])]
    """

    def __init__(
        self,
        trunk: keras.Model,
        logits: keras.Model,
        posterior: keras.Model,
        projection: Projection | None = None,
        heads: FeatureHeads | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, **UNCAST})  # its parts cast for themselves
        self.trunk, self.logits, self.posterior = trunk, logits, posterior
        self.projection, self.heads = projection, heads
        parts = layers_at_any_depth(self)
        self.separate_rows = not any(isinstance(x, layers.BatchNormalization) for x in parts)
        self.built = True

    def call(
        self,
        h: Tensor,
        labels: Tensor | None = None,
        condition: Tensor | None = None,
        features: Sequence[Tensor] | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Returns D_i's logits and Q_i's estimates for real or generated h_i.

        Labels, condition or features that are None do not contribute to the logits.

        Args:
            h: Tensor `[N, ...]`. h_i.
            labels: Integer tensor `[N]`. Labels, for the projection. Defaults to None.
            condition: Tensor `[N, ...]`. h_{i+1}, for the projection. Defaults to None.
            features: List of tensors `[N, H, W, C]`. Maps of E_i, for the heads. Defaults to None.
            training: Boolean. Whether the trunk runs in training mode. Defaults to False.

        Returns:
            Tuple `(logits, z_estimate)`.
        """
        shared = self.trunk(h, training=training)
        logits = self.logits(shared)
        if self.projection is not None:
            logits += self.projection(shared, labels, condition)
        if self.heads is not None and features is not None:
            logits += self.heads(features)
        return logits, self.posterior(shared)

    def estimate_noise(self, h: Tensor) -> Tensor:
        """Returns only Q_i's estimate, so that a sampler need not contain D_i's other parts."""
        return self.posterior(self.trunk(h, training=False))

    def get_config(self) -> dict[str, Any]:
        parts = {name: getattr(self, name) for name in _PARTS}
        serialized = {n: keras.saving.serialize_keras_object(p) for n, p in parts.items()}
        return {**super().get_config(), **serialized}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Discriminator":
        return cls(**{**config, **{name: deserialized(config[name]) for name in _PARTS}})


_PARTS = ("trunk", "logits", "posterior", "projection", "heads")


def build_discriminator(
    config: LevelConfig,
    target_shape: Shape,
    condition_shape: Shape,
    num_classes: int,
    mean: Callable[[], keras.Layer] | None = None,
    feature_shapes: Sequence[Shape] = (),
    name: str = "discriminator",
) -> Discriminator:
    """Makes D_i and Q_i of a configuration.

    Args:
        config: `LevelConfig`. It has settings of a discriminator, whose `family` is a name in
            `DISCRIMINATORS`.
        target_shape: Tuple of integers. The shape of h_i, `(D,)` or `(H, W, C)`.
        condition_shape: Tuple of integers. The shape of h_{i+1}, `(K,)` at the top.
        num_classes: Integer. K. D has K logits if the adversarial form has one per class.
        mean: Function. It returns a new layer that subtracts the mean image. Defaults to None: no
            mean image is subtracted.
        feature_shapes: List of tuples. The shapes of the maps of E_i that `config.features` names.
            Defaults to none.
        name: String. The name of the model. Defaults to `discriminator`.

    Returns:
        `Discriminator`.
    """
    settings = config.discriminator
    assert settings is not None  # None is for networks that `build` does not make
    family = DISCRIMINATORS[settings.family]
    center = [mean()] if mean is not None and not family.rescales else []
    before = [*center, *_noise(settings.input_noise, "input_noise")]
    parts = family.make(settings)
    trunk = keras.Sequential([keras.Input(target_shape), *before, *parts], name="trunk")
    shape = trunk.output_shape[1:]

    def head(dense, reduce, name):
        reduce = [reduce] if len(shape) == 3 else []
        shared = keras.Input(shape, dtype=trunk.outputs[0].dtype)
        return keras.Sequential([shared, *reduce, dense], name=name)

    initializer = {"normal": _normal, "glorot_uniform": keras.initializers.GlorotUniform}
    initializer = initializer[settings.head_init]
    num_logits = num_classes if ADVERSARIAL[config.loss.adversarial].class_logits else 1
    start = initializer()  # made even if unused: the seeds of later layers depend on it
    if settings.spectral_norm:
        last = Spectral(num_logits, compute="float32", name="dense")
    else:
        last = layers.Dense(num_logits, kernel_initializer=start, name="dense", dtype="float32")
    logits = head(last, family.reduce(), "logits")
    posterior = head(_posterior_layer(config, initializer), layers.Flatten(), "posterior")
    projection = None
    if settings.projection:
        classes = num_classes if "labels" in settings.projection else None
        projection = Projection(classes, "condition" in settings.projection, name="projection")
        projection.build((None, *shape), (None,), (None, *condition_shape))
    heads = None
    if feature_shapes:
        heads = FeatureHeads(feature_shapes, settings.features_weight, name="heads")
        heads.build()
    return Discriminator(trunk, logits, posterior, projection, heads, name=name)


def _posterior_layer(config, initializer):
    """The last layer of Q_i; with `posterior_prior_init` its estimates start near z_i's mean.

    Otherwise G_i is trained on the errors of arbitrary estimates at first.
    """
    settings, start = config.discriminator, {"kernel_initializer": initializer()}
    activation = settings.posterior_activation
    if settings.posterior_prior_init:
        linear = activation == "linear"
        mean = NOISE[config.noise].mean if linear else 0.0  # before the activation
        start = {
            "kernel_initializer": _normal(PRIOR_STDDEV),
            "bias_initializer": keras.initializers.Constant(mean),
        }
    return layers.Dense(config.z_dim, activation, name="dense", dtype="float32", **start)


def _dense_trunk(config: DiscriminatorConfig) -> list[keras.Layer]:
    parts: list[keras.Layer] = []
    for i, units in enumerate(config.units):
        parts += _noise(config.hidden_noise, f"noise{i}") if i else []
        parts.append(_dense(config, units, f"dense{i}"))
        parts += _activated(config.batch_norm and i > 0, config.dense_slope, f"dense{i}")
    return parts + _noise(config.hidden_noise, "head_noise")


def _strided_trunk(config: DiscriminatorConfig) -> list[keras.Layer]:
    parts: list[keras.Layer] = []
    for i, channels in enumerate(config.channels):
        parts.append(_convolution(config, channels, config.kernel_size, 2, "same", f"conv{i}"))
        parts += _activated(config.batch_norm and i > 0, LEAKY_SLOPE, f"conv{i}")
    parts += [layers.Flatten(name="flatten")] if config.units else []
    for i, units in enumerate(config.units):
        parts.append(_dense(config, units, f"dense{i}"))
        parts += _activated(config.batch_norm, config.dense_slope, f"dense{i}")
    return parts


def _allconv_trunk(config: DiscriminatorConfig) -> list[keras.Layer]:
    """The CIFAR-10 network of the authors' code."""
    rows = (  # kernel, stride, padding, batch normalisation, dropout
        (3, 1, "same", False, False),
        (3, 2, "same", True, True),
        (3, 1, "same", True, False),
        (3, 2, "same", True, True),
        (3, 1, "valid", True, False),
        (1, 1, "same", False, False),
    )
    parts: list[keras.Layer] = []
    for i, (channels, row) in enumerate(zip(config.channels, rows)):
        kernel, stride, padding, norm, drop = row
        parts.append(_convolution(config, channels, kernel, stride, padding, f"conv{i}"))
        parts += _activated(config.batch_norm and norm, LEAKY_SLOPE, f"conv{i}")
        parts += [Dropout(config.dropout, name=f"dropout{i}")] if drop and config.dropout else []
    return parts


def _halved_trunk(config: DiscriminatorConfig) -> list[keras.Layer]:
    """Alternates 3 x 3 convolutions with 4 x 4 convolutions of stride 2, from half the side down.

    Squares of 2 x 2 pixels become channels first, because layers at full side with few channels
    cost the most for their effect.
    """
    parts = [
        layers.Rescaling(2.0, -1.0, name="signed", dtype="float32"),
        Rearrange(2, "channels", name="half", dtype="float32"),
    ]
    for i, channels in enumerate(config.channels):
        kernel, stride = (4, 2) if i % 2 else (3, 1)
        parts.append(_convolution(config, channels, kernel, stride, "same", f"conv{i}"))
        parts += _activated(config.batch_norm and i > 0, HALVED_SLOPE, f"conv{i}")
    return parts


def _dense(config, units, name):
    if config.spectral_norm:
        return Spectral(units, name=name)
    return layers.Dense(units, kernel_initializer=_normal(), name=name)


def _convolution(config, channels, kernel, stride, padding, name):
    if config.spectral_norm:
        return Spectral(channels, kernel, stride, padding, name=name)
    return Conv2D(
        channels,
        kernel,
        strides=stride,
        padding=padding,
        kernel_initializer=_normal(),
        name=name,
    )


def _activated(norm, slope, name):
    relu = layers.ReLU(name=f"{name}_relu")
    activation = layers.LeakyReLU(slope, name=f"{name}_lrelu") if slope else relu
    return ([BatchNormalization(name=f"{name}_bn")] if norm else []) + [activation]


def _noise(stddev, name):
    return [GaussianNoise(stddev, name=name)] if stddev else []


def _normal(stddev=0.02):
    return keras.initializers.RandomNormal(stddev=stddev)


@dataclass(frozen=True)
class TrunkFamily(Family):
    """A family of trunks of D_i and Q_i.

    Attributes:
        reduce: Class of a Keras layer. The layer between the last maps and D_i's logits; Q_i takes
            all positions of the maps. Defaults to `layers.Flatten`.
        rescales: Boolean. Whether the trunk rescales images itself, so that no mean image is
            subtracted. Defaults to False.
    """

    reduce: type = layers.Flatten
    rescales: bool = False


# Families by name; `make` is a function `DiscriminatorConfig -> [layers of the trunk]`.
DISCRIMINATORS = {
    "dense": TrunkFamily(_dense_trunk, is_vector, "units"),
    "strided": TrunkFamily(_strided_trunk, is_map),
    "allconv": TrunkFamily(
        _allconv_trunk,
        lambda target: is_map(target) and min(target.sides) > 8,
        least=6,
        most=6,
        reduce=layers.GlobalAveragePooling2D,
    ),
    "halved": TrunkFamily(_halved_trunk, is_even_map, reduce=SumPlaces, rescales=True),
}
