"""The generators G_i of a configuration, which may mirror the layers of the stage E_i."""

import keras
from keras import layers

from sgan_tf.config.schema import GeneratorConfig, LevelConfig
from sgan_tf.models.layers.convolution import Rearrange
from sgan_tf.models.layers.normalization import BatchNormalization, Modulated
from sgan_tf.models.networks.families import Family, is_even_map, is_map, is_vector
from sgan_tf.typing import Shape, Tensor

POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)
SMALLEST_MAP = 4  # side of the first map of `shapes`, if the condition is a vector


def build_generator(
    config: LevelConfig,
    stage: keras.Model,
    condition_shape: Shape,
    activation: str = "relu",
    name: str = "generator",
) -> keras.Model:
    """Makes G_i: `[condition [N, ...], z [N, z_dim]] -> h_i`.

    `config.generator.family` is a name in `GENERATORS`. The family `dense` generates vectors. Three
    families generate maps:

    * `mirror` mirrors the stage's layers. It has a transposed convolution for each convolution,
      with the same kernel, stride and padding, and one with the pooling's stride for each pooling.
    * `pyramid` starts from a small map. Transposed 4 x 4 convolutions of stride 2, which overlap
      evenly, enlarge it to half the side. The last doubling moves channels into space, so that no
      layer works on maps of full side.
    * `shapes` fits any stage. It starts from maps of the condition's size, or from a small map if
      the condition is a vector. It uses the same convolutions as `pyramid` and crops odd sides.

    Args:
        config: `LevelConfig`. It has settings of a generator.
        stage: Keras model. E_i, whose input is h_i. For `mirror` it is sequential.
        condition_shape: Tuple of integers. The shape of h_{i+1}: `(K,)` for one-hot labels, `(D,)`
            or `(H, W, C)`.
        activation: String. The output activation: sigmoid for images, relu for features after a
            ReLU. Defaults to `relu`.
        name: String. The name of the model. Defaults to `generator`.

    Returns:
        Keras model, functional.
    """
    settings = config.generator
    assert settings is not None  # None is for networks that `build` does not make
    condition = keras.Input(condition_shape, name="condition")
    z = keras.Input((config.z_dim,), name="z")
    noise = z
    for i, units in enumerate(settings.noise_units):
        noise = _dense(noise, units, f"noise{i}")
    x = GENERATORS[settings.family].make(settings, stage, condition, noise)
    output = layers.Activation(activation, name="activation", dtype="float32")
    return keras.Model([condition, z], output(x), name=name)


def _dense_vector(
    config: GeneratorConfig, stage: keras.Model, condition: Tensor, noise: Tensor
) -> Tensor:
    x = _joined(config, condition, noise)
    embedding = _embedding(config, x)
    for i, units in enumerate(config.units):
        x = _dense(x, units, f"hidden{i}", embedding)
    return layers.Dense(stage.input_shape[-1], kernel_initializer=_normal(), name="output")(x)


def _pyramid(
    config: GeneratorConfig, stage: keras.Model, condition: Tensor, noise: Tensor
) -> Tensor:
    side, _, depth = stage.input_shape[1:]
    half, channels = side // 2, config.channels
    # As many doublings as the widths allow, and the side, from a map of at least 3 x 3.
    doublings = max(
        n for n in range(len(channels)) if n == 0 or (half % 2**n == 0 and half >= 3 * 2**n)
    )
    flat = layers.Flatten(name="flat")(condition)
    x, embedding = _base(config, flat, noise, (half // 2**doublings,) * 2, channels[0])
    x = _activated(x, "base", embedding)
    for i, width in enumerate(channels[1 : doublings + 1]):
        x = _activated(_doubled(x, width, f"up{i}"), f"up{i}", embedding)
    x = layers.Conv2D(4 * depth, 3, padding="same", kernel_initializer=_normal(), name="output")(x)
    return Rearrange(2, "space", name="full", dtype="float32")(x)


def _of_any_shape(
    config: GeneratorConfig, stage: keras.Model, condition: Tensor, noise: Tensor
) -> Tensor:
    *size, depth = stage.input_shape[1:]
    maps = len(condition.shape) == 4
    smallest = condition.shape[1:3] if maps else (SMALLEST_MAP, SMALLEST_MAP)
    sizes = [tuple(size)]
    while any(side > least for side, least in zip(sizes[-1], smallest)):
        halved = tuple(-(-side // 2) for side in sizes[-1])
        if maps and any(side < least for side, least in zip(halved, smallest)):
            break  # do not shrink the condition's maps
        sizes.append(halved)
    start, *upward = sizes[::-1]
    if maps and start != smallest:
        condition = layers.Resizing(*start, name="resized", dtype="float32")(condition)
    # The last width serves any further layer.
    widths = [*config.channels, *[config.channels[-1]] * len(upward)]
    x, embedding = _base(config, condition, noise, start, widths[0])
    x = _activated(x, "base", embedding)
    for i, larger in enumerate(upward[:-1]):
        x = _cropped(_doubled(x, widths[i + 1], f"up{i}"), larger)
        x = _activated(x, f"up{i}", embedding)
    if upward:
        return _cropped(_doubled(x, depth, "output", use_bias=True), size)
    return layers.Conv2D(depth, 3, padding="same", kernel_initializer=_normal(), name="output")(x)


def _doubled(x, channels, name, use_bias=False):
    """Doubles the side of maps; 4 x 4 kernels of stride 2 overlap evenly."""
    return layers.Conv2DTranspose(
        channels,
        4,
        strides=2,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=_normal(),
        name=name,
    )(x)


def _cropped(x, size):
    """Removes the last rows and columns of maps that are larger than `size`."""
    margins = [(0, side - wanted) for side, wanted in zip(x.shape[1:3], size)]
    return layers.Cropping2D(margins)(x) if any(margin for _, margin in margins) else x


def _mirror(
    config: GeneratorConfig, stage: keras.Model, condition: Tensor, noise: Tensor
) -> Tensor:
    undo = _mirrored(stage, config.kernel_size)
    side = undo[0]["side"]
    # The last width serves any further layer.
    channels = config.channels + config.channels[-1:] * len(undo)
    x, embedding = _base(config, condition, noise, (side, side), channels[0])
    x = _activated(x, "base", embedding)
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
        x = x if last else _activated(x, f"up{i}", embedding)
    return x


def _base(config, condition, noise, size, channels):
    """Returns the smallest map, of height and width `size`, and the embedding that modulates."""
    if len(condition.shape) == 4:
        point = layers.Reshape((1, 1, -1), name="point")(noise)
        point = layers.UpSampling2D(size, name="spread")(point)
        x = layers.Concatenate(name="joined")([point, condition])
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=_normal(),
            name="base",
        )(x)
        return x, _embedding(config, noise)
    joined = _joined(config, condition, noise)
    units = channels * size[0] * size[1]
    x = layers.Dense(units, use_bias=False, kernel_initializer=_normal(), name="base")(joined)
    x = layers.Reshape((*size, channels), name="map")(x)
    return x, _embedding(config, joined)


def _joined(config, condition, noise):
    condition = layers.Flatten(name="flat")(condition) if len(condition.shape) > 2 else condition
    if config.condition_norm:
        normalize = BatchNormalization(center=False, scale=False, name="condition_norm")
        condition = normalize(condition)
    for i, units in enumerate(config.condition_units):
        condition = _dense(condition, units, f"condition{i}")
    return layers.Concatenate(name="joined")([noise, condition])


def _embedding(config, joined):
    """Returns the embedding that modulates the normalizations; None if they have learned scales."""
    if not config.modulation:
        return None
    return layers.Dense(config.modulation, activation="relu", name="embedding")(joined)


def _mirrored(stage, pooling_kernel):
    """Settings of the transposed convolutions that mirror a stage's map layers, top down."""
    kernels = [layer.kernel_size[0] for layer in stage.layers if isinstance(layer, layers.Conv2D)]
    undo = []
    for layer in reversed(stage.layers):
        if isinstance(layer, layers.Conv2D):
            settings = (layer.kernel_size[0], layer.strides[0], layer.padding)
        elif isinstance(layer, POOLINGS):
            stride = layer.strides[0]
            # By default, use the kernel size of the stage's first convolution.
            kernel = pooling_kernel or (kernels[0] if kernels else 2 * stride + 1)
            settings = (kernel, stride, "same")
        else:
            continue
        undo.append(dict(zip(("kernel_size", "strides", "padding"), settings)))
        undo[-1]["side"] = layer.output.shape[1]
    side = stage.input_shape[1]
    return undo or [{"kernel_size": 3, "strides": 1, "padding": "same", "side": side}]


def _dense(x, units, name, embedding=None):
    dense = layers.Dense(units, use_bias=False, kernel_initializer=_normal(), name=name)
    return _activated(dense(x), name, embedding)


def _activated(x, name, embedding=None):
    if embedding is None:
        x = BatchNormalization(name=f"{name}_bn")(x)
    else:
        x = Modulated(name=f"{name}_bn")(x, embedding)
    return layers.ReLU(name=f"{name}_relu")(x)


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)


# Families by name; `make` is a function `(GeneratorConfig, E_i, condition, noise) -> h_i`, where
# condition, noise and h_i (before its activation) are symbolic tensors.
GENERATORS = {
    "dense": Family(_dense_vector, is_vector, "units", least=0),
    "mirror": Family(_mirror, lambda target: is_map(target) and target.sequential),
    "pyramid": Family(
        _pyramid, lambda target: is_even_map(target) and target.sides[0] == target.sides[1]
    ),
    "shapes": Family(_of_any_shape, is_map),
}
