"""`StackSampler`: the one interface of everything that samples from a trained stack."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sgan_tf.models import checks
from sgan_tf.models.batched import BATCH, in_batches
from sgan_tf.typing import Tensor


class Decomposition(NamedTuple):
    """What a stack knows of N real images."""

    features: list  # [h_1, …, h_{N-1}] of the encoder, each float32 [N, ...]
    probabilities: np.ndarray  # the encoder's class probabilities, [N, K]
    noise: list  # [z_0, …, z_{N-1}]: Q's estimates, float32 [N, z_dim], where noise can lie


class StackSampler:
    """Samples from a trained stack, decodes noise into images, and decomposes real images.

    `load` returns a `StackedGAN` or, of an export, a `SavedModelSampler`. Both have these methods,
    which check their arguments and take any number of rows. A seed gives other images in an export
    than in the stack that was exported.

    Images are float32 `[N, H, W, C]` in [0, 1]. Where images are taken, uint8 in [0, 255] serve as
    well.

    Subclasses give the attributes and four functions. The first three take and return tensors, of
    at most `max_batch` rows:

    * `_sample(seed, numbers, labels)`: the images of a seed that have these consecutive numbers
    * `_decode(top, condition, *noise)`: images of h_{top+1}, or of labels at the highest level
    * `_encode(images)`: their `Decomposition`
    * `_vary(images, n, seed, first)`: an array `[N n, H, W, C]`, for `variations`

    Attributes:
        class_names: K strings.
        image_shape: `(H, W, C)`.
        z_dims: Integers: the size of each level's noise, bottom up.
        feature_shapes: `{i: shape of h_i}` of each h_i that can be decoded, without the rows.
        max_batch: Integer. Most rows that are computed at a time.
        seeds: `(low, high)`: seeds lie in [low, high).
        most_images: Integer. Images of one seed.

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
        """Samples an image for each label, or, of a stack without labels, `count` images.

        The first call traces the networks, for batches of any size.

        Args:
            labels: Integers in [0, K), `[N]`. They may be left out if there is one class.
            seed: Integer. The same labels and seed give the same images. Defaults to None: new
                noise at every call.
            first: Integer. Number of the first image in the endless sequence of images that a seed
                defines, so that many images can be drawn in parts. Defaults to 0.
            count: Integer. N, where labels are left out.

        Returns:
            float32 array `[N, H, W, C]` in [0, 1]. Image j depends on (its label, seed, first + j)
            alone: its uniform noise exactly, normal noise and images up to rounding, which may
            differ with the number of rows that are computed at a time.

        Raises:
            ValueError: for a label outside [0, K), and for a seed or number that is out of range.
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
        """Generates images from given noise.

        Args:
            condition: Integer labels `[N]`, or h_{top+1} when `top` is below the highest level.
            noise: `[z_0, …, z_top]`, each `[N, z_dim]`.
            top: Integer. The level to start from. Defaults to the highest.
            batch_size: Integer. Most images that are computed at a time. The result depends on it
                by rounding alone. Defaults to 100.

        Returns:
            float32 array `[N, H, W, C]`.

        Raises:
            ValueError: for a label outside [0, K), and for arrays of other shapes.
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
        """Computes what the stack knows of real images: features, classes and noise.

        Args:
            images: `[N, H, W, C]`, float in [0, 1] or uint8.

        Returns:
            A `Decomposition` of arrays.

        Raises:
            ValueError: for images of another shape or range.
        """
        return self._batched(self._encode, [checks.images(images, self.image_shape)])

    def reconstruct(self, images: ArrayLike, level: int = 0) -> np.ndarray:
        """Regenerates real images from their h_{level+1} and the noise inferred below it.

        Args:
            images: `[N, H, W, C]`, float in [0, 1] or uint8.
            level: Integer. The level to start from. The highest starts from the predicted label.
                Defaults to 0.

        Returns:
            float32 array `[N, H, W, C]`.

        Raises:
            ValueError: for images of another shape or range, and for a level that is not there.
        """
        level, known = self._level("level", level), self.infer_noise(images)
        return self.decode(self._upper(known, level), known.noise, level)

    def variations(self, images: ArrayLike, n: int, seed: int | None = None) -> np.ndarray:
        """Generates images that share h_1 with real images and have new z_0.

        Args:
            images: `[N, H, W, C]`, float in [0, 1] or uint8.
            n: Integer. Images for each one given.
            seed: Integer. The same images and seed give the same result. Defaults to None: new
                noise at every call.

        Returns:
            float32 array `[N, n, H, W, C]`.

        Raises:
            ValueError: for images of another shape or range, and for a seed that is out of range.
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
        """Returns a seed and the number of its first image; for no seed a place at random."""
        end = self.most_images - count + 1
        first = checks.integer("first", first, 0, end)
        if seed is None:
            random = np.random.default_rng()
            return int(random.integers(*self.seeds)), int(random.integers(end))
        return checks.integer("seed", seed, *self.seeds), first

    def _level(self, name, level):
        return checks.integer(name, level, 0, len(self.z_dims))

    def _upper(self, known, level):
        """The condition of a level out of a `Decomposition`: h_{level+1}, or labels at the top."""
        if level == len(self.z_dims) - 1:
            return np.argmax(known.probabilities, -1)
        return known.features[level]
