"""Differentiable augmentations of what D sees, real and generated alike (Zhao et al., 2020).

Each is a function of `(images [N, H, W, C], seed [2])` that returns images of the same shape; an
own one can be handed to `LevelGAN(augment=...)`.
"""

import tensorflow as tf

MOST_SHIFT = 0.125  # of the side


def translation(images, seed):
    """Moves each image by up to an eighth of its side both ways; black comes in."""
    count = tf.shape(images)[0]
    for axis in (1, 2):
        side = images.shape[axis]
        most = max(1, round(MOST_SHIFT * side))
        axis_seed = tf.random.experimental.stateless_fold_in(seed, axis)
        shift = tf.random.stateless_uniform([count, 1], axis_seed, -most, most + 1, tf.int32)
        source = tf.range(side)[None] + shift
        inside = tf.cast((source >= 0) & (source < side), images.dtype)
        moved = tf.gather(images, tf.clip_by_value(source, 0, side - 1), axis=axis, batch_dims=1)
        images = moved * tf.reshape(inside, [count, *(side if a == axis else 1 for a in (1, 2)), 1])
    return images


AUGMENTATIONS = {"translation": translation}
