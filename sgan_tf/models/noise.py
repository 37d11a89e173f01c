"""The noise z: uniform draws from a seed, and distributions as functions of these draws."""

import tensorflow as tf
from keras import ops

from sgan_tf.typing import Tensor

PHILOX = tf.random.Algorithm.PHILOX.value
COUNTED = 4  # float32 values that Philox gives per value of its counter
MOST_ROWS = 2**48  # most rows of a table, so that int64 can number its values


def uniform_rows(
    seed: int | tf.Tensor,
    table: int | tf.Tensor,
    first: int | tf.Tensor,
    count: int | tf.Tensor,
    columns: int,
) -> tf.Tensor:
    """Reads rows of an endless table of draws that are uniform on [0, 1).

    A row depends only on (seed, table, its number, columns). From row 0 on, the rows are
    `tf.random.stateless_uniform([count, columns], [seed, table])`. Philox (Salmon et al., 2011)
    numbers its values, so reading can start at any row without drawing the rows above it. All
    arguments except `columns` may be scalar tensors.

    Args:
        seed: int64. The seed, any value.
        table: int64. The number of the table. Tables of one seed are independent.
        first: int64. The number of the first row, in [0, `MOST_ROWS`).
        count: int32. The number of rows.
        columns: Integer. The number of columns, not a tensor.

    Returns:
        float32 tensor `[count, columns]`.
    """
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(
        seed=tf.stack([tf.cast(seed, tf.int64), tf.cast(table, tf.int64)])
    )
    start = tf.cast(first, tf.uint64) * columns
    # The counter has 128 bits, of which the lower 64 start at 0.
    counter += tf.stack([start // COUNTED, tf.zeros_like(start)])
    before = tf.cast(start % COUNTED, tf.int32)  # values of the same count that are not needed
    values = tf.raw_ops.StatelessRandomUniformV2(
        shape=[before + count * columns], key=key, counter=counter, alg=PHILOX
    )
    return tf.reshape(values[before:], [count, columns])


def step_seed(noise_seed: int, kind: int, step: int | Tensor) -> tf.Tensor:
    """Returns the seed of a step's noise, so that a restored model continues with the same noise.

    Args:
        noise_seed: Integer. The model's seed.
        kind: Integer. The kind of the update. Different kinds have different noise.
        step: Integer tensor. The number of updates so far, such as an optimizer's `iterations`.

    Returns:
        Integer tensor `[2]`.
    """
    seed = tf.constant([noise_seed, kind], tf.int32)
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(step, tf.int32))


def draw_uniform(seed: Tensor, count: int | Tensor, z_dim: int) -> tf.Tensor:
    """Draws this replica's rows of the global batch's noise, uniform on [0, 1).

    Every replica draws the whole batch and keeps its share, so a step on several replicas sees the
    same noise as on one.

    Args:
        seed: Integer tensor `[2]`. The step's seed.
        count: Integer. The number of rows on this replica.
        z_dim: Integer. The number of columns.

    Returns:
        float32 tensor `[count, z_dim]`.
    """
    context = tf.distribute.get_replica_context()
    z = tf.random.stateless_uniform([count * context.num_replicas_in_sync, z_dim], seed)
    start = context.replica_id_in_sync_group * count
    return z[start : start + count]


class Uniform:
    """Noise that is uniform on [0, 1), as in the authors' code."""

    bounded = True  # to [0, 1], so that the estimate may end in a sigmoid
    name, mean, variance, text = "uniform", 0.5, 1 / 12, "uniform on [0, 1)"

    def of_uniform(self, u: Tensor) -> Tensor:
        """Converts draws that are uniform on [0, 1) to noise `[N, z_dim]`."""
        return u

    def clip(self, z: Tensor) -> Tensor:
        """Clips estimates of noise to the range of the noise."""
        return ops.clip(z, 0, 1)


class Normal:
    """Standard normal noise: the inverse distribution function at the middle of each step."""

    bounded = False
    name, mean, variance, text = "normal", 0.0, 1.0, "standard normal"

    def of_uniform(self, u: Tensor) -> Tensor:
        return 2**0.5 * ops.erfinv(2 * u - 1 + 2.0**-23)  # draws are multiples of 2^-23

    def clip(self, z: Tensor) -> Tensor:
        return z


NOISE = {noise.name: noise for noise in (Uniform(), Normal())}
