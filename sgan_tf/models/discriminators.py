"""The discriminators D_i and posterior networks Q_i: one trunk, two heads."""

import keras
from keras import layers

from sgan_tf.config import LevelConfig
from sgan_tf.models.layers import BatchNormalization, Dropout, GaussianNoise
from sgan_tf.models.losses import ADVERSARIAL

LEAKY_SLOPE = 0.2  # after convolutions
PRIOR_STDDEV = 0.005  # of the weights of a Q head that starts at the prior


@keras.saving.register_keras_serializable("sgan_tf")
class Discriminator(keras.Model):
    """D_i and Q_i on h_i; Q_i shares all but the last layer with D_i.

    Any Keras model `h_i -> (logits, estimate of z_i)` may stand in its place.

    Args:
        trunk: Keras model: h_i -> shared features.
        logits: Keras model: shared features -> D_i's logits, `[N, 1]` or one a class.
        posterior: Keras model: shared features -> Q_i's mean of z_i.

    Example:

    >>> trunk = keras.Sequential([keras.Input((16,)), layers.Dense(8, "relu")])
    >>> heads = [keras.Sequential([keras.Input((8,)), layers.Dense(n)]) for n in (1, 4)]
    >>> [output.shape for output in Discriminator(trunk, *heads)(keras.ops.ones((2, 16)))]
    [TensorShape([2, 1]), TensorShape([2, 4])]
    """

    def __init__(self, trunk: keras.Model, logits: keras.Model, posterior: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.trunk, self.logits, self.posterior = trunk, logits, posterior
        self.built = True

    def call(self, h, training=False):
        """Returns `(logits, z_estimate)` for `h` `[N, ...]`."""
        shared = self.trunk(h, training=training)
        return self.logits(shared), self.posterior(shared)

    def estimate_noise(self, h):
        """Returns Q_i's estimate alone; a sampler that needs no more holds no more."""
        return self.posterior(self.trunk(h, training=False))

    def get_config(self):
        parts = {name: getattr(self, name) for name in ("trunk", "logits", "posterior")}
        serialized = {n: keras.saving.serialize_keras_object(p) for n, p in parts.items()}
        return {**super().get_config(), **serialized}

    @classmethod
    def from_config(cls, config):
        for name in ("trunk", "logits", "posterior"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


def build_discriminator(
    config: LevelConfig, target_shape, num_classes: int, mean=None, name="discriminator"
) -> Discriminator:
    """Makes D_i and Q_i of a configuration.

    Args:
        config: A `LevelConfig`.
        target_shape: Shape of h_i: `(D,)` or `(H, W, C)`.
        num_classes: K, the number of D's logits where the adversarial form has one a class.
        mean: A function that makes the layer which subtracts the mean image, or None.
        name: Of the model.
    """
    families = {"dense": _dense_trunk, "strided": _strided_trunk, "allconv": _allconv_trunk}
    before = [*([mean()] if mean else []), *_noise(config.input_noise, "input_noise")]
    parts = families[config.d_family](config)
    trunk = keras.Sequential([keras.Input(target_shape), *before, *parts], name="trunk")
    shape = trunk.output_shape[1:]

    def head(dense, reduce, name):
        reduce = [reduce] if len(shape) == 3 else []
        return keras.Sequential([keras.Input(shape), *reduce, dense], name=name)

    # As in the release, the all-convolutional D averages over places, while Q sees each of them.
    pooled = config.d_family == "allconv"
    reduce = layers.GlobalAveragePooling2D() if pooled else layers.Flatten()
    initializer = {"normal": _normal, "glorot_uniform": keras.initializers.GlorotUniform}
    initializer = initializer[config.head_init]
    num_logits = num_classes if ADVERSARIAL[config.adversarial].class_logits else 1
    last = layers.Dense(num_logits, kernel_initializer=initializer(), name="dense")
    logits = head(last, reduce, "logits")
    posterior = head(_posterior_layer(config, initializer), layers.Flatten(), "posterior")
    return Discriminator(trunk, logits, posterior, name=name)


def _posterior_layer(config, initializer):
    """The last layer of Q_i; with `q_prior_init` its estimates start near z_i's mean.

    G_i follows the error of wild estimates.
    """
    start = {"kernel_initializer": initializer()}
    if config.q_prior_init:
        mean = 0.5 if config.q_activation == "linear" else 0.0  # before the activation
        start = {
            "kernel_initializer": _normal(PRIOR_STDDEV),
            "bias_initializer": keras.initializers.Constant(mean),
        }
    return layers.Dense(config.z_dim, activation=config.q_activation, name="dense", **start)


def _dense_trunk(config):
    parts = []
    for i, units in enumerate(config.d_units):
        parts += _noise(config.hidden_noise, f"noise{i}") if i else []
        parts.append(layers.Dense(units, kernel_initializer=_normal(), name=f"dense{i}"))
        parts += _activated(config.d_batch_norm and i > 0, config.d_dense_slope, f"dense{i}")
    return parts + _noise(config.hidden_noise, "head_noise")


def _strided_trunk(config):
    parts = []
    for i, channels in enumerate(config.d_channels):
        parts.append(_convolution(channels, config.d_kernel, 2, "same", f"conv{i}"))
        parts += _activated(config.d_batch_norm and i > 0, LEAKY_SLOPE, f"conv{i}")
    parts += [layers.Flatten(name="flatten")] if config.d_units else []
    for i, units in enumerate(config.d_units):
        parts.append(layers.Dense(units, kernel_initializer=_normal(), name=f"dense{i}"))
        parts += _activated(config.d_batch_norm, config.d_dense_slope, f"dense{i}")
    return parts


def _allconv_trunk(config):
    """The release's CIFAR-10 network."""
    rows = (  # kernel, stride, padding, batch normalisation, dropout
        (3, 1, "same", False, False),
        (3, 2, "same", True, True),
        (3, 1, "same", True, False),
        (3, 2, "same", True, True),
        (3, 1, "valid", True, False),
        (1, 1, "same", False, False),
    )
    parts = []
    for i, (channels, row) in enumerate(zip(config.d_channels, rows)):
        kernel, stride, padding, norm, drop = row
        parts.append(_convolution(channels, kernel, stride, padding, f"conv{i}"))
        parts += _activated(config.d_batch_norm and norm, LEAKY_SLOPE, f"conv{i}")
        parts += [Dropout(config.dropout, name=f"dropout{i}")] if drop and config.dropout else []
    return parts


def _convolution(channels, kernel, stride, padding, name):
    return layers.Conv2D(
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
