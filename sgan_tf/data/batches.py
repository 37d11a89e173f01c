"""Deterministic epochs of batches out of arrays in memory or on disk."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sgan_tf.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Share:
    """Which replicas' parts of every batch are wanted: `count` of `total` equal ones."""

    first: int = 0
    count: int = 1
    total: int = 1


WHOLE = Share()


def epoch_order(count: int, seed: "int | tf.Tensor", epoch: "int | tf.Tensor") -> "tf.Tensor":
    """Returns the order of an epoch's examples: a pure function of its arguments.

    Args:
        count: Number of examples.
        seed, epoch: Integers, or scalar integer tensors.

    Returns:
        int64 tensor `[count]`, a permutation of `range(count)`.
    """
    import tensorflow as tf

    numbers = tf.range(count, dtype=tf.int64)
    return tf.random.experimental.stateless_shuffle(numbers, _stateless_seed(seed, epoch))


def batches(
    arrays: Sequence[np.ndarray],
    batch_size: int,
    seed: int,
    start_step: int = 0,
    flip: bool = False,
    shift: int = 0,
    mirrored: Sequence[np.ndarray] | None = None,
    share: Share = WHOLE,
) -> "tf.data.Dataset":
    """Endless batches, epoch after epoch, from a given step on.

    Rows are read when their batch is due, so arrays may be memory-mapped files.

    Args:
        arrays: Arrays of equal length; uint8 ones (images) become float32 in [0, 1] after batching.
        batch_size: Examples a batch; an epoch's incomplete last batch is left out.
        seed: Of the epochs' orders (`epoch_order`), flips and shifts.
        start_step: Step, counted from the first of epoch 0, of the first batch.
        flip: Flip half of the first array's images horizontally, another half each epoch.
        mirrored: Arrays as `arrays`, of the mirror images, out of which half of the rows are taken
            instead, another half each epoch.
        shift: Move the first array's images by up to so many pixels both ways, black coming in; a
            batch moves alike, which costs nothing.
        share: The part of every batch that is wanted: each replica's rows are an element of
            their own.

    Returns:
        A `tf.data.Dataset` of tuples; of its own it keeps no state, so that any step can be started
        from.

    Raises:
        DataError: when there is not one full batch.
    """
    import tensorflow as tf

    count = len(arrays[0])
    steps = steps_per_epoch(count, batch_size)
    rows = batch_size // share.total
    as_it_is = tf.autograph.experimental.do_not_convert  # AutoGraph takes long, and finds nothing

    @as_it_is
    def epoch(number):
        order = epoch_order(count, seed, number)
        flips = tf.zeros([count], tf.bool)
        if flip or mirrored:
            # Epochs count from 0, so the negative numbers share no seed with any order.
            random = tf.random.stateless_uniform([count], _stateless_seed(seed, -1 - number))
            flips = random < 0.5
        return tf.data.Dataset.from_tensor_slices((order, flips)).batch(
            batch_size, drop_remainder=True
        )

    @as_it_is
    def parts(step, chosen):
        def split(values):
            values = tf.reshape(values, [share.total, rows])
            return values[share.first : share.first + share.count]

        order, flips = chosen
        return tf.data.Dataset.from_tensor_slices(
            (tf.repeat(step, share.count), split(order), split(flips))
        )

    @as_it_is
    def gather(step, indices, flips):
        parts = _rows(arrays, mirrored, indices, flips, rows)
        if flip:
            parts[0] = tf.where(flips[:, None, None, None], parts[0][:, :, ::-1], parts[0])
        if shift:
            parts[0] = _shifted(parts[0], shift, _stateless_seed(seed, step))
        return tuple(parts)

    first, skipped = divmod(start_step, steps)
    dataset = tf.data.Dataset.range(first, np.iinfo(np.int64).max).flat_map(epoch)
    dataset = dataset.skip(skipped).enumerate(start_step).flat_map(parts)
    return dataset.map(gather).prefetch(tf.data.AUTOTUNE)


def _rows(arrays, mirrored, indices, flips, count):
    """Reads rows of arrays, which stay where they are: no copy of a data set, none on a device."""
    import tensorflow as tf

    def read(indices, flips):
        parts = [array[indices] for array in arrays]
        for part, other in zip(parts, mirrored or ()):
            part[flips] = other[indices[flips]]
        return parts

    types = [tf.dtypes.as_dtype(array.dtype) for array in arrays]
    parts = tf.numpy_function(read, [indices, flips], types)
    for part, array in zip(parts, arrays):
        part.set_shape([count, *array.shape[1:]])
    return [tf.cast(p, tf.float32) / 255 if p.dtype == tf.uint8 else p for p in parts]


def _shifted(images, most, seed):
    import tensorflow as tf

    height, width = images.shape[1:3]
    top, left = tf.unstack(tf.random.stateless_uniform([2], seed, 0, 2 * most + 1, tf.int32))
    padded = tf.pad(images, [[0, 0], [most, most], [most, most], [0, 0]])
    return padded[:, top : top + height, left : left + width]


def _stateless_seed(seed, number):
    """The seed of a stateless operation, from the run's seed and an epoch's or step's number."""
    import tensorflow as tf

    return tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Returns the number of full batches. Raises `DataError` when there is none."""
    if count < batch_size:
        raise DataError(
            f"batch_size: {batch_size} is more than the {count} training images; lower it with "
            f"`set` batch_size={max(2, count // 4)}"
        )
    return count // batch_size
