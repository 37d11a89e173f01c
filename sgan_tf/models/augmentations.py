"""Differentiable augmentations of the real and generated images that D or E sees.

`translation`, `color` and `cutout` are those of DiffAugment (Zhao et al., 2020). `flip` and `shift`
do not change what a classifier should see in an image. `affine` and `crop` make the views for an
encoder without labels. Each is a function of `(images [N, H, W, C] in [0, 1], seed [2])` that
returns images of the same shape. You can pass your own function to `LevelGAN(augment=...)`.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

MOST_TRANSLATION = 0.125  # of the side
MOST_SHIFT = 2  # pixels
CUTOUT = 0.5  # of the side
MOST_TURN = 0.25  # radians, the largest rotation and shear
MOST_STRETCH = 0.25  # of the side
LEAST_CROP = 0.5  # of the side


def translation(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Moves each image by up to an eighth of its side along both axes; the gap is black."""
    return _moved(images, seed, max(1, round(MOST_TRANSLATION * images.shape[1])))


def shift(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Moves each image by up to two pixels along both axes; the gap is black."""
    return _moved(images, seed, MOST_SHIFT)


def flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors each image left to right with probability 1/2."""
    chosen = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed) < 0.5
    return tf.where(chosen, images[:, :, ::-1], images)


def color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Adds -0.5 to 0.5 to brightness; scales saturation by 0 to 2 and contrast by 0.5 to 1.5."""
    shape = [3, tf.shape(images)[0], 1, 1, 1]
    brightness, saturation, contrast = tf.unstack(tf.random.stateless_uniform(shape, seed))
    images += brightness - 0.5
    gray = tf.reduce_mean(images, 3, keepdims=True)
    images = gray + (images - gray) * 2 * saturation
    mean = tf.reduce_mean(images, [1, 2, 3], keepdims=True)
    return mean + (images - mean) * (0.5 + contrast)


def cutout(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Sets a square of half the side to black; it lies anywhere and may be partly outside."""
    count, size = tf.shape(images)[0], round(CUTOUT * images.shape[1])
    inside = True
    for axis in (1, 2):
        side = images.shape[axis]
        axis_seed = tf.random.experimental.stateless_fold_in(seed, axis)
        centre = tf.random.stateless_uniform([count, 1], axis_seed, 0, side + 1, tf.int32)
        place = tf.range(side)[None] - centre + size // 2
        inside &= _along(axis, (place >= 0) & (place < size))
    return tf.where(inside, tf.zeros_like(images), images)


def affine(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Rotates, shears and stretches each image, and moves it by up to an eighth of its side.

    The gap is black.
    """
    drawn = tf.random.stateless_uniform([tf.shape(images)[0], 6], seed, -1.0, 1.0)
    turn, shear, across, down, *move = tf.unstack(drawn, axis=1)
    cos, sin = tf.cos(MOST_TURN * turn), tf.sin(MOST_TURN * turn)
    across, down = 1 + MOST_STRETCH * across, 1 + MOST_STRETCH * down
    shear *= MOST_TURN
    rows = [[cos * across, cos * shear - sin * down], [sin * across, sin * shear + cos * down]]
    return _resampled(images, rows, [MOST_TRANSLATION * by for by in move])


def crop(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Enlarges a window of each image, of between half and all of its width and of its height."""
    drawn = tf.random.stateless_uniform([tf.shape(images)[0], 4], seed)
    width, height, *place = tf.unstack(drawn, axis=1)
    sides = [LEAST_CROP + (1 - LEAST_CROP) * side for side in (width, height)]
    zero = tf.zeros_like(width)
    move = [(at - 0.5) * (1 - side) for at, side in zip(place, sides)]
    return _resampled(images, [[sides[0], zero], [zero, sides[1]]], move)


def _resampled(images, rows, move):
    """Samples each image at `M p + move` for each pixel position p from the center; bilinear.

    Args:
        images: Tensor `[N, H, W, C]`.
        rows: Lists `[[a, b], [c, d]]` of tensors `[N]`. The rows of M, across and down.
        move: List `[across, down]` of tensors `[N]`. The move, as a fraction of the image's side.
    """
    height, width = images.shape[1:3]
    x, y = (width - 1) / 2, (height - 1) / 2
    (a, b), (c, d) = rows
    right, below = x - a * x - b * y + width * move[0], y - c * x - d * y + height * move[1]
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, right, c, d, below, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _moved(images, seed, most):
    count = tf.shape(images)[0]
    for axis in (1, 2):
        side = images.shape[axis]
        axis_seed = tf.random.experimental.stateless_fold_in(seed, axis)
        by = tf.random.stateless_uniform([count, 1], axis_seed, -most, most + 1, tf.int32)
        # A product with a matrix of ones and zeros selects the rows; its gradient is fast.
        chosen = tf.one_hot(tf.range(side)[None] + by, side, dtype=images.dtype)
        rule = "nij,njwc->niwc" if axis == 1 else "nij,nhjc->nhic"
        images = tf.einsum(rule, chosen, images)
    return images


def _along(axis, values):
    """Reshapes values `[N, side]` to `[N, side, 1, 1]` for axis 1, or `[N, 1, side, 1]` for 2."""
    return values[:, :, None, None] if axis == 1 else values[:, None, :, None]


AUGMENTATIONS = {
    "translation": translation,
    "shift": shift,
    "flip": flip,
    "color": color,
    "cutout": cutout,
    "affine": affine,
    "crop": crop,
}


def named(names: Sequence[str]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None:
    """Returns an augmentation that applies several of `AUGMENTATIONS` one after the other.

    Args:
        names: List of strings. Names in `AUGMENTATIONS`, in the order of application.

    Returns:
        Function `(images, seed [2]) -> images`, or None if `names` is empty.
    """
    if not names:
        return None

    def augment(h, seed):
        for i, name in enumerate(names):
            h = AUGMENTATIONS[name](h, tf.random.experimental.stateless_fold_in(seed, i))
        return h

    return augment
