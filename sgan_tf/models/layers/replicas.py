"""The replica of a `tf.distribute` strategy that a layer runs on, and seeds that differ by it."""

from typing import TYPE_CHECKING

import keras
from keras import ops

from sgan_tf.typing import Tensor

if TYPE_CHECKING:
    import tensorflow as tf


def replica_context() -> "tf.distribute.ReplicaContext | None":
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

    def next(self, ordered: bool = True) -> Tensor:
        seed = super().next(ordered)
        context = replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return seed
        shift = ops.cast(context.replica_id_in_sync_group, seed.dtype) * ops.cast(
            self._STRIDE, seed.dtype
        )
        return seed + ops.stack([shift, ops.zeros_like(shift)])
