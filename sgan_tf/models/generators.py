"""Builders for the generators G_i, by the shapes of the condition h_{i+1} and of the target h_i."""

import keras
from keras import layers

from sgan_tf.models.layers import BatchNormalization


def build_generator(
    level,
    condition_shape,
    target_shape,
    mirrored=(),
    kernel_size=5,
    padding="valid",
    image=False,
    name="generator",
):
    """Builds G_i: `[condition [N, ...], z [N, z_dim]] -> h_i [N, *target_shape]`.

    A vector comes from dense layers. A map comes from the mirror image of the encoder's layers: a transposed
    convolution for each convolution (with its kernel and padding), one of stride 2 for each pooling.

    Args:
        level: A `LevelConfig`.
        condition_shape: `(K,)` for labels, `(D,)` for a vector, `(H, W, C)` for a map.
        target_shape: `(D,)` or `(H, W, C)`.
        mirrored: `Encoder.mirrored(i)`, kinds of layers to undo, from the top down. Maps only.
        kernel_size, padding: The encoder's. Maps only.
        image: The target is h_0: the output passes a sigmoid, else (features after a ReLU) a ReLU.

    Returns:
        A functional Keras model.
    """
    condition = keras.Input(condition_shape, name="condition")
    z = keras.Input((level.z_dim,), name="z")
    noise = z
    for i, units in enumerate(level.noise_units):
        noise = _dense(noise, units, f"noise{i}")
    if len(target_shape) == 1:
        x = layers.Concatenate(name="joined")([noise, _vector(condition, level)])
        for i, units in enumerate(level.g_units):
            x = _dense(x, units, f"hidden{i}")
        output = layers.Dense(
            target_shape[0], activation="relu", kernel_initializer=_normal(), name="output"
        )(x)
        return keras.Model([condition, z], output, name=name)

    undo = list(mirrored) or ["same"]
    side = target_shape[0]
    for kind in reversed(undo):
        side = (
            side // 2
            if kind == "pool"
            else side - (kernel_size - 1 if kind == "conv" and padding == "valid" else 0)
        )
    channels = level.g_channels + level.g_channels[-1:] * len(
        undo
    )  # the last width serves any further layer
    if len(condition_shape) == 3:
        noise = layers.UpSampling2D(side, name="spread")(
            layers.Reshape((1, 1, -1), name="point")(noise)
        )
        x = layers.Concatenate(name="joined")([noise, condition])
        x = layers.Conv2D(
            channels[0],
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=_normal(),
            name="base",
        )(x)
    else:
        x = layers.Concatenate(name="joined")([noise, _vector(condition, level)])
        x = layers.Dense(
            channels[0] * side * side, use_bias=False, kernel_initializer=_normal(), name="base"
        )(x)
        x = layers.Reshape((side, side, channels[0]), name="map")(x)
    x = _activated(x, "base")
    for i, kind in enumerate(undo):
        last = i == len(undo) - 1
        x = layers.Conv2DTranspose(
            target_shape[-1] if last else channels[i + 1],
            3 if kind == "same" else kernel_size,
            strides=2 if kind == "pool" else 1,
            padding=padding if kind == "conv" else "same",
            use_bias=last,
            kernel_initializer=_normal(),
            name="output" if last else f"up{i}",
        )(x)
        if not last:
            x = _activated(x, f"up{i}")
    output = layers.Activation("sigmoid" if image else "relu", name="activation")(x)
    return keras.Model([condition, z], output, name=name)


def _vector(condition, level):
    x = condition
    for i, units in enumerate(level.condition_units):
        x = _dense(x, units, f"condition{i}")
    return x


def _dense(x, units, name):
    return _activated(
        layers.Dense(units, use_bias=False, kernel_initializer=_normal(), name=name)(x), name
    )


def _activated(x, name):
    return layers.ReLU(name=f"{name}_relu")(BatchNormalization(name=f"{name}_bn")(x))


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)
