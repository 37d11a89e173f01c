"""Convolutions that can be trusted in bfloat16, and squares of pixels moved into channels."""

from typing import Any

import keras
from keras import ops

from sgan_tf.typing import Shape, Tensor


@keras.saving.register_keras_serializable("sgan_tf")
class Conv2D(keras.layers.Conv2D):
    """As in Keras, with bfloat16 gradients that can be trusted on maps of one place too."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        return convolve(inputs, kernel, self.strides[0], self.padding)


@keras.saving.register_keras_serializable("sgan_tf")
class Rearrange(keras.layers.Layer):
    """Moves squares of `block` x `block` pixels into channels, or channels into squares.

    Args:
        block: Side of the squares.
        into: `"channels"` (space to depth) or `"space"` (depth to space).
    """

    def __init__(self, block: int, into: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block, self.into = block, into

    def call(self, x: Tensor) -> Tensor:
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

    def compute_output_shape(self, shape: Shape) -> Shape:
        b, (count, height, width, channels) = self.block, shape
        if self.into == "channels":
            return (count, height // b, width // b, channels * b * b)
        return (count, height * b, width * b, channels // b**2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block": self.block, "into": self.into}


def convolve(x: Tensor, kernel: Tensor, stride: int, padding: str) -> Tensor:
    """Convolves maps `[N, H, W, C]` with a kernel `[k, k, C, D]`."""
    # A stride changes nothing on a map of one place, but TensorFlow 2.21's bfloat16 gradient of the
    # kernel is then what was in memory before.
    stride = 1 if tuple(x.shape[1:3]) == (1, 1) and padding == "same" else stride
    return ops.conv(x, kernel, stride, padding)
