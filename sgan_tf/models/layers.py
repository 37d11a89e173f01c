"""Layers that Keras lacks, or has in a form that will not do here; with TensorFlow fast paths."""

import keras
from keras import ops

# For a layer that casts for itself: its weights stay float32, and its inputs are not cast.
AS_THEY_COME = {"dtype": "float32", "autocast": False}


def replica_context():
    """TensorFlow's replica context; None outside `strategy.run` and on other backends."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()


class SeedGenerator(keras.random.SeedGenerator):
    """A Keras `SeedGenerator` whose draws differ between replicas of a `tf.distribute` strategy.

    Its state is the same everywhere, so one copy in a checkpoint serves any number of devices.
    """

    _STRIDE = 0x9E3779B97F4A7C15 >> 1  # far apart, so that no replica meets another layer's seed

    def next(self, ordered=True):
        seed = super().next(ordered)
        context = replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return seed
        shift = ops.cast(context.replica_id_in_sync_group, seed.dtype) * ops.cast(
            self._STRIDE, seed.dtype
        )
        return seed + ops.stack([shift, ops.zeros_like(shift)])


@keras.saving.register_keras_serializable("sgan_tf")
class GaussianNoise(keras.layers.Layer):
    """Adds Gaussian noise while training, as Keras's layer does, but each replica its own.

    Args:
        stddev: Standard deviation, in the units of the input.
    """

    def __init__(self, stddev, **kwargs):
        super().__init__(**kwargs)
        self.stddev = stddev
        self.seed_generator = SeedGenerator()

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return inputs + keras.random.normal(
            ops.shape(inputs), stddev=self.stddev, dtype=inputs.dtype, seed=self.seed_generator
        )

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}


@keras.saving.register_keras_serializable("sgan_tf")
class Dropout(keras.layers.Layer):
    """Sets a fraction of the input to 0 while training, as in Keras, but each replica its own.

    Args:
        rate: The fraction, in [0, 1).
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = SeedGenerator()

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return keras.random.dropout(inputs, self.rate, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable("sgan_tf")
class Conv2D(keras.layers.Conv2D):
    """As in Keras, with bfloat16 gradients that can be trusted on maps of one place too."""

    def convolution_op(self, inputs, kernel):
        return convolve(inputs, kernel, self.strides[0], self.padding)


@keras.saving.register_keras_serializable("sgan_tf")
class SubtractMean(keras.layers.Layer):
    """Subtracts a stored mean image.

    Args:
        mean: Float `[H, W, C]`; zeros where none is given, until weights are loaded.
    """

    def __init__(self, mean=None, **kwargs):
        super().__init__(**kwargs)
        self._initial = mean

    def build(self, input_shape):
        self.mean = self.add_weight(
            shape=input_shape[1:], initializer="zeros", trainable=False, name="mean"
        )
        if self._initial is not None:
            self.mean.assign(self._initial)

    def call(self, inputs):
        return inputs - ops.convert_to_tensor(self.mean)

    def get_config(self):
        return super().get_config()  # the mean is a weight


@keras.saving.register_keras_serializable("sgan_tf")
class Rearrange(keras.layers.Layer):
    """Moves squares of `block` x `block` pixels into channels, or channels into squares.

    Args:
        block: Side of the squares.
        into: `"channels"` (space to depth) or `"space"` (depth to space).
    """

    def __init__(self, block, into, **kwargs):
        super().__init__(**kwargs)
        self.block, self.into = block, into

    def call(self, x):
        b, (height, width, channels) = self.block, x.shape[1:]
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            moved = tf.nn.space_to_depth if self.into == "channels" else tf.nn.depth_to_space
            return moved(x, b)
        if self.into == "channels":
            x = ops.reshape(x, (-1, height // b, b, width // b, b, channels))
            x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
            return ops.reshape(x, (-1, height // b, width // b, channels * b * b))
        x = ops.reshape(x, (-1, height, width, b, b, channels // b**2))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, height * b, width * b, channels // b**2))

    def compute_output_shape(self, shape):
        b, (count, height, width, channels) = self.block, shape
        if self.into == "channels":
            return (count, height // b, width // b, channels * b * b)
        return (count, height * b, width * b, channels // b**2)

    def get_config(self):
        return {**super().get_config(), "block": self.block, "into": self.into}


def convolve(x, kernel, stride, padding):
    """Convolves maps `[N, H, W, C]` with a kernel `[k, k, C, D]`."""
    # A stride changes nothing on a map of one place, but TensorFlow 2.21's bfloat16 gradient of the
    # kernel is then what was in memory before.
    stride = 1 if tuple(x.shape[1:3]) == (1, 1) and padding == "same" else stride
    return ops.conv(x, kernel, stride, padding)


def unit_images(images):
    """Returns images as the networks take them, float32 in [0, 1]: uint8 is divided by 255."""
    images = ops.convert_to_tensor(images)
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "float32") / 255
    return ops.cast(images, "float32")


def scale_gradient(x, weight):
    """Returns `x` itself, through which gradients flow back multiplied by `weight`."""
    if weight == 1:
        return x
    frozen = ops.stop_gradient(x)
    return frozen if weight == 0 else frozen + weight * (x - frozen)
