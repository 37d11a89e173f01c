"""Deterministic epochs of batches."""

import numpy as np

from sgan_tf.errors import DataError


def epoch_order(count, seed, epoch):
    """Returns the order of an epoch's examples, a permutation of `range(count)`: a pure function of its arguments.

    Args:
        count: Number of examples.
        seed, epoch: Integers, or scalar integer tensors.

    Returns:
        int64 tensor `[count]`.
    """
    import tensorflow as tf

    return tf.random.experimental.stateless_shuffle(
        tf.range(count, dtype=tf.int64), _stateless_seed(seed, epoch)
    )


def _stateless_seed(seed, number):
    """The seed of a stateless random operation, from the run's seed and the number of an epoch or a step."""
    import tensorflow as tf

    return tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)])


def batches(arrays, batch_size, seed, start_step=0, flip=False, shift=0):
    """Endless batches, epoch after epoch, from a given step on.

    Args:
        arrays: Arrays of equal length; uint8 ones (images) become float32 in [0, 1] after batching.
        batch_size: Examples a batch; an epoch's incomplete last batch is left out.
        seed: Of the epochs' orders (`epoch_order`), flips and shifts.
        start_step: Step, counted from the first of epoch 0, of the first batch.
        flip: Flip half of the first array's images horizontally, another half each epoch.
        shift: Move the first array's images by up to so many pixels both ways, black coming in; a batch moves alike, which costs nothing.

    Returns:
        A `tf.data.Dataset` of tuples; of its own it keeps no state, so that any step can be started from.

    Raises:
        DataError: when there is not one full batch.
    """
    import tensorflow as tf

    count = len(arrays[0])
    steps = steps_per_epoch(count, batch_size)
    tensors = [tf.constant(array) for array in arrays]

    def epoch(number):
        indices = tf.data.Dataset.from_tensor_slices(epoch_order(count, seed, number))
        # Epochs count from 0, so the negative numbers share no seed with any order.
        flips = (
            tf.random.stateless_uniform([count], _stateless_seed(seed, -1 - number)) < 0.5
            if flip
            else tf.zeros([count], tf.bool)
        )
        return tf.data.Dataset.zip(indices, tf.data.Dataset.from_tensor_slices(flips)).batch(
            batch_size, drop_remainder=True
        )

    def gather(step, indices_and_flips):
        indices, flips = indices_and_flips
        parts = [tf.gather(tensor, indices) for tensor in tensors]
        parts = [
            tf.cast(part, tf.float32) / 255 if part.dtype == tf.uint8 else part for part in parts
        ]
        if flip:
            parts[0] = tf.where(flips[:, None, None, None], parts[0][:, :, ::-1], parts[0])
        if shift:
            height, width = parts[0].shape[1:3]
            top, left = tf.unstack(
                tf.random.stateless_uniform(
                    [2], _stateless_seed(seed, step), 0, 2 * shift + 1, tf.int32
                )
            )
            padded = tf.pad(parts[0], [[0, 0], [shift, shift], [shift, shift], [0, 0]])
            parts[0] = padded[:, top : top + height, left : left + width]
        return tuple(parts)

    first, skipped = divmod(start_step, steps)
    dataset = (
        tf.data.Dataset.range(first, np.iinfo(np.int64).max)
        .flat_map(epoch)
        .skip(skipped)
        .enumerate(start_step)
    )
    return dataset.map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(
        tf.data.AUTOTUNE
    )


def steps_per_epoch(count, batch_size):
    """Returns the number of full batches. Raises `DataError` when there is none."""
    if count < batch_size:
        raise DataError(
            f"batch_size: {batch_size} is more than the {count} training images; lower it with --set batch_size={max(2, count // 4)}"
        )
    return count // batch_size
