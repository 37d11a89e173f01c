"""EfficientNet-Lite0 (Google, 2020), an ImageNet classifier, as a Keras model with weights."""

import keras
from keras import layers

from sgan_tf.evaluation.imagenet.weights import package_file, read_weights

SIDE = 224  # side in pixels of the images that it was trained on
FEATURES, CLASSES = 1280, 1000
# Number of blocks, kernel size, stride of the first block, expansion and channels of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def efficientnet_lite0(image_shape: tuple[int, int, int] = (SIDE, SIDE, 3)) -> keras.Model:
    """Builds EfficientNet-Lite0 with its ImageNet weights.

    Args:
        image_shape: Tuple. `(H, W, 3)` of the images. Other sizes than that of its training images
            work too, but less well the more they differ. Defaults to `(224, 224, 3)`.

    Returns:
        A functional Keras model: images float32 `[N, H, W, 3]` in [0, 255] -> logits `[N, 1000]`.
        The layer `features` outputs the pooled features `[N, 1280]`, and the layers `block0` to
        `block15` output the blocks' features.

    Raises:
        EvaluationError: when the weights are not installed or have another checksum.

    Example:

    >>> classifier = efficientnet_lite0((96, 96, 3))
    >>> classifier.get_layer("features").output.shape
    (None, 1280)
    """
    model = _network(image_shape)
    arrays = [a for n, a in read_weights(package_file()).items() if a.ndim]  # without counters
    model.set_weights([_keras_order(w, a) for w, a in zip(model.weights, arrays, strict=True)])
    return model


def _keras_order(weight, array):
    """Transposes a kernel from PyTorch's (out, in, height, width) to (height, width, in, out)."""
    if array.ndim == 4:
        return array.transpose(2, 3, *((0, 1) if "depthwise" in weight.path else (1, 0)))
    return array.T


def _network(image_shape):
    x = inputs = keras.Input(image_shape)
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(x)
    x = _convolution(x, "stem", layers.Conv2D, filters=32, kernel_size=3, strides=2)
    block = 0
    for count, kernel, stride, expansion, channels in STAGES:
        for i in range(count):
            x = _block(x, f"block{block}", kernel, 1 if i else stride, expansion, channels)
            block += 1
    x = _convolution(x, "head", layers.Conv2D, filters=FEATURES, kernel_size=1)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    logits = layers.Dense(CLASSES, name="logits")(x)
    return keras.Model(inputs, logits, name="efficientnet_lite0")


def _block(x, name, kernel, stride, expansion, channels):
    """Adds an inverted residual block (Sandler et al., 2018)."""
    inputs = x
    if expansion > 1:
        filters = expansion * x.shape[-1]
        x = _convolution(x, f"{name}_expand", layers.Conv2D, filters=filters, kernel_size=1)
    x = _convolution(
        x, f"{name}_depthwise", layers.DepthwiseConv2D, kernel_size=kernel, strides=stride
    )
    same = stride == 1 and inputs.shape[-1] == channels
    last = f"{name}_project" if same else name
    x = _convolution(x, last, layers.Conv2D, "linear", filters=channels, kernel_size=1)
    return layers.Add(name=name)([x, inputs]) if same else x


def _convolution(x, name, layer, activation="relu6", **settings):
    """Adds a convolution, batch normalization and an activation. The last of them has the name."""
    x = layer(padding="same", use_bias=False, name=f"{name}_convolution", **settings)(x)
    linear = activation == "linear"
    x = layers.BatchNormalization(epsilon=1e-3, name=name if linear else f"{name}_normalization")(x)
    return x if linear else layers.Activation(activation, name=name)(x)
