"""The generators G_i of a configuration, by the layers of the stage E_i that they invert."""

import keras
from keras import layers

from sgan_tf.config import LevelConfig
from sgan_tf.models.layers import BatchNormalization

POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)


def build_generator(
    config: LevelConfig, stage: keras.Model, condition_shape, image=False, name="generator"
) -> keras.Model:
    """Makes G_i: `[condition [N, ...], z [N, z_dim]] -> h_i`.

    A vector comes from dense layers. A map comes from the mirror image of the stage's layers: a
    transposed convolution for each convolution, with its kernel, stride and padding, and one of the
    pooling's stride for each pooling.

    Args:
        config: A `LevelConfig`.
        stage: E_i, a sequential Keras model whose input is h_i.
        condition_shape: Of h_{i+1}: `(K,)` for one-hot labels, `(D,)` or `(H, W, C)`.
        image: h_i is h_0: the output passes a sigmoid, else (features after a ReLU) a ReLU.
        name: Of the model.

    Returns:
        A functional Keras model.
    """
    condition = keras.Input(condition_shape, name="condition")
    z = keras.Input((config.z_dim,), name="z")
    noise = z
    for i, units in enumerate(config.noise_units):
        noise = _dense(noise, units, f"noise{i}")
    output_activation = "sigmoid" if image else "relu"
    make = _vector if len(stage.input_shape) == 2 else _map
    output = make(config, stage, condition, noise, output_activation)
    return keras.Model([condition, z], output, name=name)


def _vector(config, stage, condition, noise, activation):
    x = layers.Concatenate(name="joined")([noise, _hidden_condition(condition, config)])
    for i, units in enumerate(config.g_units):
        x = _dense(x, units, f"hidden{i}")
    return layers.Dense(
        stage.input_shape[-1], activation=activation, kernel_initializer=_normal(), name="output"
    )(x)


def _map(config, stage, condition, noise, activation):
    undo = _mirrored(stage, config.g_kernel)
    side = undo[0]["side"]
    # The last width serves any further layer.
    channels = config.g_channels + config.g_channels[-1:] * len(undo)
    x = _activated(_base(config, condition, noise, side, channels[0]), "base")
    for i, settings in enumerate(undo):
        last = i == len(undo) - 1
        x = layers.Conv2DTranspose(
            stage.input_shape[-1] if last else channels[i + 1],
            settings["kernel_size"],
            strides=settings["strides"],
            padding=settings["padding"],
            use_bias=last,
            kernel_initializer=_normal(),
            name="output" if last else f"up{i}",
        )(x)
        x = x if last else _activated(x, f"up{i}")
    return layers.Activation(activation, name="activation")(x)


def _base(config, condition, noise, side, channels):
    """The smallest map, of `side` x `side`, out of the condition and the noise."""
    if len(condition.shape) == 4:
        noise = layers.Reshape((1, 1, -1), name="point")(noise)
        noise = layers.UpSampling2D(side, name="spread")(noise)
        x = layers.Concatenate(name="joined")([noise, condition])
        return layers.Conv2D(
            channels,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=_normal(),
            name="base",
        )(x)
    x = layers.Concatenate(name="joined")([noise, _hidden_condition(condition, config)])
    units = channels * side * side
    x = layers.Dense(units, use_bias=False, kernel_initializer=_normal(), name="base")(x)
    return layers.Reshape((side, side, channels), name="map")(x)


def _mirrored(stage, pooling_kernel):
    """What undoes a stage's map layers, from the top down: settings of transposed convolutions."""
    kernels = [layer.kernel_size[0] for layer in stage.layers if isinstance(layer, layers.Conv2D)]
    undo = []
    for layer in reversed(stage.layers):
        if isinstance(layer, layers.Conv2D):
            settings = (layer.kernel_size[0], layer.strides[0], layer.padding)
        elif isinstance(layer, POOLINGS):
            stride = layer.strides[0]
            # Without a hint, a kernel as wide as the convolutions' beside it.
            kernel = pooling_kernel or (kernels[0] if kernels else 2 * stride + 1)
            settings = (kernel, stride, "same")
        else:
            continue
        undo.append(dict(zip(("kernel_size", "strides", "padding"), settings)))
        undo[-1]["side"] = layer.output.shape[1]
    side = stage.input_shape[1]
    return undo or [{"kernel_size": 3, "strides": 1, "padding": "same", "side": side}]


def _hidden_condition(condition, config):
    x = condition
    for i, units in enumerate(config.condition_units):
        x = _dense(x, units, f"condition{i}")
    return x


def _dense(x, units, name):
    dense = layers.Dense(units, use_bias=False, kernel_initializer=_normal(), name=name)
    return _activated(dense(x), name)


def _activated(x, name):
    return layers.ReLU(name=f"{name}_relu")(BatchNormalization(name=f"{name}_bn")(x))


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)
