"""`StackSampler`: the interface of everything that samples from a trained stack."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sgan_tf.models import checks
from sgan_tf.models.batched import BATCH, in_batches
from sgan_tf.typing import Tensor


class Decomposition(NamedTuple):
    """What a stack infers from real images: features, class probabilities and noise."""

    features: list  # the encoder's [h_1, …, h_{N-1}], each float32 [N, ...]
    probabilities: np.ndarray  # the encoder's class probabilities, [N, K]
    noise: list  # Q's estimates [z_0, …, z_{N-1}], float32 [N, z_dim], clipped to the noise's range


class StackSampler:
    """Samples from a trained stack, decodes noise into images, and decomposes real images.

    `load` returns a `StackedGAN`, or a `SavedModelSampler` for an export. Both have these methods,
    which check their arguments and accept any number of rows. The same seed gives different images
    in an export than in the stack that was exported.

    Images are float32 `[N, H, W, C]` in [0, 1]. Methods that take images also accept uint8 in
    [0, 255].

    Subclasses define the attributes and four functions. The first three take and return tensors of
    at most `max_batch` rows:

    * `_sample(seed, numbers, labels)` returns the images of a seed with these consecutive numbers
    * `_decode(top, condition, *noise)` returns the images of h_{top+1}, or of labels at the highest
      level
    * `_encode(images)` returns the `Decomposition` of the images
    * `_vary(images, n, seed, first)` returns an array `[N n, H, W, C]` for `variations`

    Attributes:
        class_names: List of K strings. The names of the classes.
        image_shape: Tuple of integers `(H, W, C)`. The shape of one image.
        z_dims: List of integers. The size of each level's noise, bottom up.
        feature_shapes: Dictionary `{i: shape of h_i}`. The shape of each h_i that can be decoded,
            without the batch dimension.
        max_batch: Integer. The largest number of rows computed at a time.
        seeds: Tuple of integers `(low, high)`. Seeds lie in [low, high).
        most_images: Integer. The number of images that one seed defines.

    Example:

    >>> from sgan_tf import load
    >>> stack = load("digits")
    >>> images = stack.sample([3, 3, 7], seed=1)
    >>> images.shape
    (3, 8, 8, 1)
    >>> stack.infer_noise(images).probabilities.argmax(-1)
    array([3, 3, 7])
    >>> stack.variations(images, 2, seed=1).shape
    (3, 2, 8, 8, 1)
    """

    class_names: list[str]
    image_shape: tuple[int, ...]
    z_dims: Sequence[int]
    feature_shapes: dict[int, tuple[int, ...]]
    max_batch: int
    seeds: tuple[int, int]
    most_images: int

    def sample(
        self,
        labels: ArrayLike | None = None,
        seed: int | None = None,
        first: int = 0,
        count: int | None = None,
    ) -> np.ndarray:
        """Samples one image per label, or `count` images if the stack has no labels.

        The first call traces the networks, for batches of any size.

        Args:
            labels: Integer array `[N]`. Labels in [0, K). Defaults to None, which is allowed if
                there is only one class.
            seed: Integer. The same labels and seed give the same images. Defaults to None: new
                noise at every call.
            first: Integer. Number of the first image in the endless sequence of images that a seed
                defines. Use it to draw many images in parts. Defaults to 0.
            count: Integer. The number of images N, if `labels` is None. Defaults to None.

        Returns:
            float32 array `[N, H, W, C]` in [0, 1]. Image j depends only on (its label, seed,
            first + j). Uniform noise depends on them exactly. Normal noise and images do so up to
            rounding, which may vary with the number of rows computed at a time.

        Raises:
            ValueError: If a label is outside [0, K), or if a seed or number is out of range.
        """
        labels = checks.labels_or_count(labels, count, len(self.class_names))
        seed, first = self._place(seed, first, len(labels))
        numbers = np.arange(first, first + len(labels))
        return self._batched(functools.partial(self._sample, seed), [numbers, labels])

    def decode(
        self,
        condition: ArrayLike,
        noise: Sequence[ArrayLike],
        top: int | None = None,
        batch_size: int = BATCH,
    ) -> np.ndarray:
        """Generates images from a condition and noise.

        Args:
            condition: Integer array `[N]` of labels, or float array `[N, ...]` of h_{top+1} if
                `top` is below the highest level.
            noise: List of float arrays `[z_0, …, z_top]`, each `[N, z_dim]`.
            top: Integer. The level to start from. Defaults to the highest.
            batch_size: Integer. The largest number of images computed at a time. It affects the
                result only by rounding. Defaults to 100.

        Returns:
            float32 array `[N, H, W, C]`.

        Raises:
            ValueError: If a label is outside [0, K), or an array has the wrong shape.
        """
        top = self._level("top", len(self.z_dims) - 1 if top is None else top)
        checks.integer("batch_size", batch_size, 1, 2**31)
        if top == len(self.z_dims) - 1:
            condition = checks.labels(condition, len(self.class_names))
        else:
            condition = checks.rows("condition", condition, self.feature_shapes[top + 1])
        noise = checks.noise(noise, self.z_dims[: top + 1], len(condition))
        return self._batched(functools.partial(self._decode, top), [condition, *noise], batch_size)

    def infer_noise(self, images: ArrayLike) -> Decomposition:
        """Infers the features, class probabilities and noise of real images.

        Args:
            images: Array `[N, H, W, C]`. Images, float in [0, 1] or uint8.

        Returns:
            `Decomposition` of arrays.

        Raises:
            ValueError: If the images have another shape or range.
        """
        return self._batched(self._encode, [checks.images(images, self.image_shape)])

    def reconstruct(self, images: ArrayLike, level: int = 0) -> np.ndarray:
        """Regenerates real images from their h_{level+1} and the noise inferred below it.

        Args:
            images: Array `[N, H, W, C]`. Images, float in [0, 1] or uint8.
            level: Integer. The level to start from. The highest starts from the predicted label.
                Defaults to 0.

        Returns:
            float32 array `[N, H, W, C]`.

        Raises:
            ValueError: If the images have another shape or range, or the level does not exist.
        """
        level, known = self._level("level", level), self.infer_noise(images)
        return self.decode(self._upper(known, level), known.noise, level)

    def variations(self, images: ArrayLike, n: int, seed: int | None = None) -> np.ndarray:
        """Generates images that share h_1 with real images and have new z_0.

        Args:
            images: Array `[N, H, W, C]`. Images, float in [0, 1] or uint8.
            n: Integer. The number of variations per image.
            seed: Integer. The same images and seed give the same result. Defaults to None: new
                noise at every call.

        Returns:
            float32 array `[N, n, H, W, C]`.

        Raises:
            ValueError: If the images have another shape or range, or the seed is out of range.
        """
        images = checks.images(images, self.image_shape)
        n = checks.integer("n", n, 0, 2**31)
        varied = self._vary(images, n, *self._place(seed, 0, n * len(images)))
        return varied.reshape(len(images), n, *self.image_shape)

    def _sample(self, seed: int, numbers: Tensor, labels: Tensor) -> Tensor:
        """Returns the images of a seed that have these consecutive numbers."""
        raise NotImplementedError

    def _decode(self, top: int, condition: Tensor, *noise: Tensor) -> Tensor:
        """Returns images of h_{top+1}, or of labels at the highest level."""
        raise NotImplementedError

    def _encode(self, images: Tensor) -> Decomposition:
        """Returns the `Decomposition` of images, in tensors."""
        raise NotImplementedError

    def _vary(self, images: np.ndarray, n: int, seed: int, first: int) -> np.ndarray:
        """Returns `[N n, H, W, C]`: `n` images that share h_1 with each of `images`."""
        raise NotImplementedError

    def _batched(self, function, arrays, batch_size=BATCH):
        return in_batches(function, arrays, min(batch_size, self.max_batch))

    def _place(self, seed, first, count):
        """Returns a seed and the number of its first image; without a seed, both are random."""
        end = self.most_images - count + 1
        first = checks.integer("first", first, 0, end)
        if seed is None:
            random = np.random.default_rng()
            return int(random.integers(*self.seeds)), int(random.integers(end))
        return checks.integer("seed", seed, *self.seeds), first

    def _level(self, name, level):
        return checks.integer(name, level, 0, len(self.z_dims))

    def _upper(self, known, level):
        """Returns a level's condition in a `Decomposition`: h_{level+1}, or labels at the top."""
        if level == len(self.z_dims) - 1:
            return np.argmax(known.probabilities, -1)
        return known.features[level]
