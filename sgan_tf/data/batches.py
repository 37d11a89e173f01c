"""Deterministic epochs of batches from arrays in memory or on disk."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sgan_tf.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Share:
    """The part of every batch that a process reads: `count` of `total` equal parts.

    Attributes:
        first: Integer. The number of the first of these parts. Defaults to 0.
        count: Integer. The number of parts that are read. Defaults to 1.
        total: Integer. The number of parts of a batch, one per replica. Defaults to 1.
    """

    first: int = 0
    count: int = 1
    total: int = 1


WHOLE = Share()


def epoch_order(count: int, seed: "int | tf.Tensor", epoch: "int | tf.Tensor") -> "tf.Tensor":
    """Returns the order of an epoch's examples, as a pure function of its arguments.

    Args:
        count: Integer. The number of examples.
        seed: Integer, or scalar integer tensor. The seed of all orders.
        epoch: Integer, or scalar integer tensor. The number of the epoch.

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
    """Makes endless batches, epoch after epoch, from any step on.

    Rows are read when their batch is due, so arrays may be memory-mapped files.

    Args:
        arrays: Sequence of `np.ndarray` of equal length. Arrays of uint8 (images) become float32 in
            [0, 1] after batching.
        batch_size: Integer. The number of examples per batch. An incomplete last batch of an epoch
            is left out.
        seed: Integer. The seed of the epochs' orders (`epoch_order`), flips and shifts.
        start_step: Integer. The step of the first batch, counted from the first step of epoch 0.
            Defaults to 0.
        flip: Boolean. Whether to flip a random half of the first array's images horizontally,
            another half each epoch. Defaults to False.
        shift: Integer. The largest number of pixels by which the first array's images move along
            each axis. Black fills the gap. All images of a batch move alike, which costs nothing.
            Defaults to 0.
        mirrored: Sequence of `np.ndarray`, with the shapes of `arrays`. The same of the mirror
            images. A random half of the rows is taken from here instead, another half each epoch.
            Defaults to None.
        share: `Share`. The part of every batch that is read. Each replica's rows are one element of
            the data set. Defaults to the whole batch.

    Returns:
        A `tf.data.Dataset` of tuples with one tensor per array. It keeps no state, so it can start
        from any step.

    Raises:
        DataError: when there are too few examples for one full batch.
    """
    import tensorflow as tf

    count = len(arrays[0])
    steps = steps_per_epoch(count, batch_size)
    rows = batch_size // share.total
    # AutoGraph would take long, and finds nothing to convert.
    without_autograph = tf.autograph.experimental.do_not_convert

    @without_autograph
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

    @without_autograph
    def parts(step, chosen):
        def split(values):
            values = tf.reshape(values, [share.total, rows])
            return values[share.first : share.first + share.count]

        order, flips = chosen
        return tf.data.Dataset.from_tensor_slices(
            (tf.repeat(step, share.count), split(order), split(flips))
        )

    @without_autograph
    def gather(step, indices, flips):
        parts = _rows(arrays, mirrored, indices, flips, rows)
        if flip:
            parts[0] = tf.where(flips[:, None, None, None], parts[0][:, :, ::-1], parts[0])
        if shift:
            parts[0] = _shift_images(parts[0], shift, _stateless_seed(seed, step))
        return tuple(parts)

    first, skipped = divmod(start_step, steps)
    dataset = tf.data.Dataset.range(first, np.iinfo(np.int64).max).flat_map(epoch)
    dataset = dataset.skip(skipped).enumerate(start_step).flat_map(parts)
    return dataset.map(gather).prefetch(tf.data.AUTOTUNE)


def _rows(arrays, mirrored, indices, flips, count):
    """Reads rows of arrays, and copies no whole array into memory or to a device."""
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


def _shift_images(images, most, seed):
    import tensorflow as tf

    height, width = images.shape[1:3]
    top, left = tf.unstack(tf.random.stateless_uniform([2], seed, 0, 2 * most + 1, tf.int32))
    padded = tf.pad(images, [[0, 0], [most, most], [most, most], [0, 0]])
    return padded[:, top : top + height, left : left + width]


def _stateless_seed(seed, number):
    """Returns the seed of a stateless operation for the run's seed and an epoch or step."""
    import tensorflow as tf

    return tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Returns the number of full batches per epoch.

    Args:
        count: Integer. The number of examples.
        batch_size: Integer. The number of examples per batch.

    Returns:
        Integer, at least 1.

    Raises:
        DataError: when there are too few examples for one full batch.
    """
    if count < batch_size:
        raise DataError(
            f"batch_size: {batch_size} is more than the {count} training images; lower it with "
            f"`set` batch_size={max(2, count // 4)}"
        )
    return count // batch_size
