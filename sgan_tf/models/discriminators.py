"""The discriminators D_i and posterior networks Q_i: one trunk, two heads."""

import keras
from keras import layers

from sgan_tf.models.layers import BatchNormalization, Dropout, GaussianNoise

LEAKY_SLOPE = 0.2  # after convolutions
PRIOR_STDDEV = 0.005  # of the weights of a Q head that starts at the prior


class Discriminator(keras.Model):
    """D_i and Q_i on h_i; Q_i shares all but the last layer with D_i.

    Args:
        level: A `LevelConfig`.
        target_shape: Shape of h_i: `(D,)` or `(H, W, C)`.
        num_classes: K, the number of D's logits in the `class_logits` form; the `binary` form has one.
        center: The encoder's layer that subtracts the mean image (level 0), or None.

    Attributes:
        trunk, logits, posterior: Keras models: h_i -> shared features -> D_i's logits, Q_i's mean of z_i.
    """

    def __init__(self, level, target_shape, num_classes, center=None, **kwargs):
        super().__init__(**kwargs)
        build = {"dense": _dense_trunk, "strided": _strided_trunk, "allconv": _allconv_trunk}[
            level.d_family
        ]
        before = ([center] if center is not None else []) + _noise(level.input_noise, "input_noise")
        self.trunk = keras.Sequential(
            [keras.Input(target_shape), *before, *build(level)], name="trunk"
        )
        shape = self.trunk.output_shape[1:]

        def head(dense, reduce, name):
            return keras.Sequential(
                [keras.Input(shape), *([reduce] if len(shape) == 3 else []), dense], name=name
            )

        # As in the release, the all-convolutional D averages over places, while Q sees each of them.
        reduce = (
            layers.GlobalAveragePooling2D() if level.d_family == "allconv" else layers.Flatten()
        )
        initializer = {"normal": _normal, "glorot_uniform": keras.initializers.GlorotUniform}[
            level.head_init
        ]
        num_logits = num_classes if level.adversarial == "class_logits" else 1
        self.logits = head(
            layers.Dense(num_logits, kernel_initializer=initializer(), name="dense"),
            reduce,
            "logits",
        )
        self.posterior = head(_posterior_layer(level, initializer), layers.Flatten(), "posterior")
        self.built = True

    def call(self, h, training=False, logits=True, posterior=True):
        """Returns `(logits, z_estimate)` for `h` `[N, *target_shape]`; None in place of what is not asked for."""
        shared = self.trunk(h, training=training)
        return self.logits(shared) if logits else None, self.posterior(
            shared
        ) if posterior else None


def _posterior_layer(level, initializer):
    """The last layer of Q_i; with `q_prior_init` its estimates start near z_i's mean, as G_i follows the error of wild ones."""
    start = {"kernel_initializer": initializer()}
    if level.q_prior_init:
        mean = 0.5 if level.q_activation == "linear" else 0.0  # before the activation
        start = {
            "kernel_initializer": _normal(PRIOR_STDDEV),
            "bias_initializer": keras.initializers.Constant(mean),
        }
    return layers.Dense(level.z_dim, activation=level.q_activation, name="dense", **start)


def _dense_trunk(level):
    parts = []
    for i, units in enumerate(level.d_units):
        parts += _noise(level.hidden_noise, f"noise{i}") if i else []
        parts.append(layers.Dense(units, kernel_initializer=_normal(), name=f"dense{i}"))
        parts += _activated(level.d_batch_norm and i > 0, level.d_dense_slope, f"dense{i}")
    return parts + _noise(level.hidden_noise, "head_noise")


def _strided_trunk(level):
    parts = []
    for i, channels in enumerate(level.d_channels):
        parts.append(_convolution(channels, level.d_kernel, 2, "same", f"conv{i}"))
        parts += _activated(level.d_batch_norm and i > 0, LEAKY_SLOPE, f"conv{i}")
    parts += [layers.Flatten(name="flatten")] if level.d_units else []
    for i, units in enumerate(level.d_units):
        parts.append(layers.Dense(units, kernel_initializer=_normal(), name=f"dense{i}"))
        parts += _activated(level.d_batch_norm, level.d_dense_slope, f"dense{i}")
    return parts


def _allconv_trunk(level):
    """The release's CIFAR-10 network: kernel, stride, padding, batch normalisation and dropout of each layer."""
    rows = (
        (3, 1, "same", False, False),
        (3, 2, "same", True, True),
        (3, 1, "same", True, False),
        (3, 2, "same", True, True),
        (3, 1, "valid", True, False),
        (1, 1, "same", False, False),
    )
    parts = []
    for i, (channels, (kernel, stride, padding, norm, drop)) in enumerate(
        zip(level.d_channels, rows)
    ):
        parts.append(_convolution(channels, kernel, stride, padding, f"conv{i}"))
        parts += _activated(level.d_batch_norm and norm, LEAKY_SLOPE, f"conv{i}")
        parts += [Dropout(level.dropout, name=f"dropout{i}")] if drop and level.dropout else []
    return parts


def _convolution(channels, kernel, stride, padding, name):
    return layers.Conv2D(
        channels, kernel, strides=stride, padding=padding, kernel_initializer=_normal(), name=name
    )


def _activated(norm, slope, name):
    activation = (
        layers.LeakyReLU(slope, name=f"{name}_lrelu") if slope else layers.ReLU(name=f"{name}_relu")
    )
    return ([BatchNormalization(name=f"{name}_bn")] if norm else []) + [activation]


def _noise(stddev, name):
    return [GaussianNoise(stddev, name=name)] if stddev else []


def _normal(stddev=0.02):
    return keras.initializers.RandomNormal(stddev=stddev)
