"""The conversion of images to the networks' inputs."""

from typing import Any

import keras
import numpy.typing as npt
from keras import ops

from sgan_tf.typing import Shape, Tensor


@keras.saving.register_keras_serializable("sgan_tf")
class SubtractMean(keras.layers.Layer):
    """Subtracts a stored mean image.

    Args:
        mean: Float array `[H, W, C]`. The mean image. Defaults to None: zeros until weights are
            loaded.
    """

    def __init__(self, mean: npt.ArrayLike | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._initial = mean

    def build(self, input_shape: Shape) -> None:
        self.mean = self.add_weight(
            shape=input_shape[1:], initializer="zeros", trainable=False, name="mean"
        )
        if self._initial is not None:
            self.mean.assign(self._initial)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs - ops.convert_to_tensor(self.mean)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()  # the mean is a weight


def unit_images(images: Tensor | npt.ArrayLike) -> Tensor:
    """Converts images to float32 in [0, 1], as the networks take them; uint8 is divided by 255."""
    images = ops.convert_to_tensor(images)
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "float32") / 255
    return ops.cast(images, "float32")
