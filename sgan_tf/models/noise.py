"""What z is drawn from: uniform draws by seed, and distributions as functions of them."""

import tensorflow as tf
from keras import ops

from sgan_tf.typing import Tensor

PHILOX = tf.random.Algorithm.PHILOX.value
COUNTED = 4  # values of float32 that Philox gives for one number of its counter
MOST_ROWS = 2**48  # of a table, so that its values can be numbered in int64


def uniform_rows(
    seed: int | tf.Tensor,
    table: int | tf.Tensor,
    first: int | tf.Tensor,
    count: int | tf.Tensor,
    columns: int,
) -> tf.Tensor:
    """Reads rows of an endless table of draws that are uniform on [0, 1).

    A row depends on (seed, table, its number, columns) alone. From row 0 on they are
    `tf.random.stateless_uniform([count, columns], [seed, table])`: Philox (Salmon et al., 2011)
    numbers its values, so a table can be entered anywhere without what is before.

    Args:
        seed: int64, whole range.
        table: int64: tables of one seed are independent.
        first: int64 in [0, `MOST_ROWS`): number of the first row.
        count: int32: how many rows.
        columns: Python integer.

    Returns:
        float32 `[count, columns]`. All arguments but `columns` may be scalar tensors.
    """
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(
        seed=tf.stack([tf.cast(seed, tf.int64), tf.cast(table, tf.int64)])
    )
    start = tf.cast(first, tf.uint64) * columns
    # The counter has 128 bits, of which the lower 64 begin at 0.
    counter += tf.stack([start // COUNTED, tf.zeros_like(start)])
    before = tf.cast(start % COUNTED, tf.int32)  # values of the same number that are not wanted
    values = tf.raw_ops.StatelessRandomUniformV2(
        shape=[before + count * columns], key=key, counter=counter, alg=PHILOX
    )
    return tf.reshape(values[before:], [count, columns])


def step_seed(noise_seed: int, kind: int, step: int | Tensor) -> tf.Tensor:
    """Returns the seed `[2]` of a step's noise: a restored model goes on with that of its next one.

    Args:
        noise_seed: Integer, the model's.
        kind: Integer: updates of several kinds have noise of their own.
        step: How many updates there have been, such as an optimizer's `iterations`.
    """
    seed = tf.constant([noise_seed, kind], tf.int32)
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(step, tf.int32))


def draw_uniform(seed: Tensor, count: int | Tensor, z_dim: int) -> tf.Tensor:
    """Draws what this replica's rows of the global batch's noise are made of, uniform on [0, 1).

    Every replica draws the whole and keeps its share: a step on several replicas then sees the very
    noise of the same step on one.

    Args:
        seed: Integer tensor `[2]`.
        count: Rows on this replica.
        z_dim: Columns.

    Returns:
        float32 `[count, z_dim]`.
    """
    context = tf.distribute.get_replica_context()
    z = tf.random.stateless_uniform([count * context.num_replicas_in_sync, z_dim], seed)
    start = context.replica_id_in_sync_group * count
    return z[start : start + count]


class Uniform:
    """Uniform on [0, 1), as in the release."""

    bounded = True  # to [0, 1], where an estimate of it may end in a sigmoid
    name, mean, variance, text = "uniform", 0.5, 1 / 12, "uniform on [0, 1)"

    def of_uniform(self, u: Tensor) -> Tensor:
        """Returns noise `[N, z_dim]` of draws that are uniform on [0, 1)."""
        return u

    def clip(self, z: Tensor) -> Tensor:
        """Returns estimates of noise moved to where noise lies."""
        return ops.clip(z, 0, 1)


class Normal:
    """Standard normal: by the inverse of its distribution function, at the middle of each step."""

    bounded = False
    name, mean, variance, text = "normal", 0.0, 1.0, "standard normal"

    def of_uniform(self, u: Tensor) -> Tensor:
        return 2**0.5 * ops.erfinv(2 * u - 1 + 2.0**-23)  # draws are multiples of 2^-23

    def clip(self, z: Tensor) -> Tensor:
        return z


NOISE = {noise.name: noise for noise in (Uniform(), Normal())}
