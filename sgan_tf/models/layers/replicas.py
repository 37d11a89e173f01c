"""The replica of a `tf.distribute` strategy on which a layer runs, and a seed for each replica."""

from typing import TYPE_CHECKING

import keras
from keras import ops

from sgan_tf.typing import Tensor

if TYPE_CHECKING:
    import tensorflow as tf


def replica_context() -> "tf.distribute.ReplicaContext | None":
    """Returns TensorFlow's replica context; None in cross-replica context and on other backends."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()


class SeedGenerator(keras.random.SeedGenerator):
    """A Keras `SeedGenerator` whose draws differ between replicas of a `tf.distribute` strategy.

    Its state is the same on all replicas, so one copy in a checkpoint fits any number of devices.
    """

    _STRIDE = 0x9E3779B97F4A7C15 >> 1  # large, so that no replica gets the seed of another layer

    def next(self, ordered: bool = True) -> Tensor:
        seed = super().next(ordered)
        context = replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return seed
        shift = ops.cast(context.replica_id_in_sync_group, seed.dtype) * ops.cast(
            self._STRIDE, seed.dtype
        )
        return seed + ops.stack([shift, ops.zeros_like(shift)])
