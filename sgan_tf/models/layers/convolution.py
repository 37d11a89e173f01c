"""Convolutions with correct bfloat16 gradients, and a layer that moves pixels into channels."""

from typing import Any

import keras
from keras import ops

from sgan_tf.typing import Shape, Tensor


@keras.saving.register_keras_serializable("sgan_tf")
class Conv2D(keras.layers.Conv2D):
    """The convolution of Keras, with bfloat16 gradients that are also correct on 1 x 1 maps."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        return convolve(inputs, kernel, self.strides[0], self.padding)


@keras.saving.register_keras_serializable("sgan_tf")
class Rearrange(keras.layers.Layer):
    """Moves squares of `block` x `block` pixels into channels, or channels into squares.

    Args:
        block: Integer. The side of the squares, in pixels.
        into: String. `"channels"` (space to depth) or `"space"` (depth to space).
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
    """Convolves maps with a kernel.

    Args:
        x: Tensor `[N, H, W, C]`. The maps.
        kernel: Tensor `[k, k, C, D]`. The kernel.
        stride: Integer. The stride along both axes.
        padding: String. `same` or `valid`.

    Returns:
        Tensor `[N, H', W', D]`.
    """
    # A stride has no effect on a 1 x 1 map, but with one the kernel's bfloat16 gradient in
    # TensorFlow 2.21 is uninitialized memory.
    stride = 1 if tuple(x.shape[1:3]) == (1, 1) and padding == "same" else stride
    return ops.conv(x, kernel, stride, padding)
