"""Noise and dropout whose draws differ between replicas and are saved with the weights."""

from typing import Any

import keras
from keras import ops

from sgan_tf.models.layers.replicas import SeedGenerator
from sgan_tf.typing import Tensor


@keras.saving.register_keras_serializable("sgan_tf")
class GaussianNoise(keras.layers.Layer):
    """Adds Gaussian noise during training, as in Keras, differently on each replica.

    Args:
        stddev: Float. The standard deviation, in the units of the input.
    """

    def __init__(self, stddev: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev
        self.seed_generator = SeedGenerator()

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training:
            return inputs
        return inputs + keras.random.normal(
            ops.shape(inputs), stddev=self.stddev, dtype=inputs.dtype, seed=self.seed_generator
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


@keras.saving.register_keras_serializable("sgan_tf")
class Dropout(keras.layers.Layer):
    """Sets a fraction of the input to 0 during training, as in Keras, differently on each replica.

    Args:
        rate: Float. The fraction, in [0, 1).
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = SeedGenerator()

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training:
            return inputs
        return keras.random.dropout(inputs, self.rate, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
