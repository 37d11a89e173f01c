"""Shows what each layer of the encoder keeps of an image, and what it ignores.

Each level is conditioned on h_i = E(x) at a layer, the top one on the class that E sees. For a real
image x, images that share that condition are drawn: `x' = G_0(… G_{i-1}(h_i, z_{i-1}) …, z_0)`,
with new noise z for each. The layer keeps what these images have in common, and ignores what varies
among them. E itself shows how far this can be trusted, as `E(x')` should be `h_i` again.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from sgan_tf.evaluation.layer_scores import LayerScores
from sgan_tf.evaluation.protocol import Wrapper, unseen
from sgan_tf.models import checks
from sgan_tf.models.stacked_gan import StackedGAN

BATCH = 100  # images at a time
TINY = 1e-12  # replaces the norm of an h of zeros, for example if all units are off


@dataclasses.dataclass(frozen=True)
class LayerInspection:
    """Images that share a condition, for each of N real images.

    Attributes:
        name: String. The name of the condition: `h_1`, …, or `label`.
        drawn: float32 `np.ndarray` `[N, draws, H, W, C]` in [0, 1]. The images x'.
        relative_errors: float64 `np.ndarray` `[N, draws]`. `||E(x') - h|| / ||h||`.
        unrelated_errors: float64 `np.ndarray` `[N]`. The relative error of the previous image's h,
            as an x' of another image would have it. The last image precedes the first. Empty for a
            single image.
        agrees: bool `np.ndarray` `[N, draws]`. Whether E sees the same class in x' as in x.
    """

    name: str
    drawn: np.ndarray
    relative_errors: np.ndarray
    unrelated_errors: np.ndarray
    agrees: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean of the draws, which the layer keeps, float32 `[N, H, W, C]`."""
        return self.drawn.mean(1)

    @property
    def variance(self) -> np.ndarray:
        """The unbiased variance of the draws, which the layer ignores, float32 `[N, H, W, C]`."""
        return self.drawn.var(1, ddof=1)

    @property
    def scores(self) -> LayerScores:
        """The `LayerScores` of these images."""
        return _scores(self.name, [_image_numbers(self)])


def inspect_layers(
    stack: StackedGAN, images: np.ndarray, draws: int = 6, seed: int | None = None
) -> list[LayerInspection]:
    """Draws images that share the features of real images at each layer of the encoder.

    The k-th draw of an image has the same z_0 for every layer, the same z_1 for all layers above
    the first, and so on. So the draws of neighboring layers differ only by what the upper layer
    leaves open in addition.

    Args:
        stack: `StackedGAN`. A trained stack.
        images: `np.ndarray` `[N, H, W, C]`, uint8 or float in [0, 1]. The real images.
        draws: Integer. The number of images drawn for each image and layer, at least 2. Defaults
            to 6.
        seed: Integer. The seed of the noise. Defaults to None, new noise at every call.

    Returns:
        List of `LayerInspection`, one per condition from the bottom up: h_1, …, h_{N-1}, label.

    Raises:
        ValueError: for no images, images of another shape or range, or fewer than 2 draws.

    Example:

    >>> from sgan_tf import build, load_dataset, make_config
    >>> _, stack = build(make_config("digits"), (8, 8, 1), [str(d) for d in range(10)])
    >>> layers = inspect_layers(stack, load_dataset("digits").test_images[:3], draws=4)
    >>> [(layer.name, layer.drawn.shape, layer.variance.shape) for layer in layers]
    [('h_1', (3, 4, 8, 8, 1), (3, 8, 8, 1)), ('label', (3, 4, 8, 8, 1), (3, 8, 8, 1))]
    >>> layers[0].scores.images, layers[0].scores.draws
    (3, 4)
    """
    images = checks.images(images, stack.encoder.image_shape)
    draws = checks.integer("draws", draws, 2, 2**31)
    if not len(images):
        raise ValueError("images must hold at least one")
    noise = stack.noise(len(images) * draws, seed)
    *features, probabilities = _features(stack.encoder, images)
    classes = probabilities.argmax(-1)
    conditions = [(f"h_{i}", h, h) for i, h in enumerate(features, 1)]
    conditions.append(("label", classes, np.eye(probabilities.shape[-1])[classes]))
    inspected = []
    for top, (name, condition, h) in enumerate(conditions):
        drawn = stack.decode(np.repeat(condition, draws, axis=0), noise[: top + 1], top)
        redrawn = _features(stack.encoder, drawn)
        errors = _relative_errors(redrawn[top], np.repeat(h, draws, axis=0))
        agrees = redrawn[-1].argmax(-1) == np.repeat(classes, draws)
        inspected.append(
            LayerInspection(
                name,
                drawn.reshape(-1, draws, *drawn.shape[1:]),
                errors.reshape(-1, draws),
                _relative_errors(np.roll(h, 1, axis=0), h) if len(h) > 1 else np.empty(0),
                agrees.reshape(-1, draws),
            )
        )
    return inspected


def score_layers(
    stack: StackedGAN,
    images: np.ndarray,
    draws: int = 2,
    seed: int = 0,
    progress: Wrapper = unseen,
) -> list[LayerScores]:
    """Measures any number of images with `inspect_layers`, in bounded memory.

    Args:
        stack: `StackedGAN`. A trained stack.
        images: `np.ndarray` `[N, H, W, C]`, uint8 or float in [0, 1]. The real images in random
            order, as each is also compared with the previous one.
        draws: Integer. The number of images drawn for each image and layer, at least 2. Defaults
            to 2.
        seed: Integer. The seed of the noise of the first hundred images. The next hundred have the
            next seed. Defaults to 0.
        progress: Function that wraps the iterable of hundreds to show progress. Defaults to one
            that shows nothing.

    Returns:
        List of `LayerScores`, one per condition from the bottom up.
    """
    names, measured = [], []
    for number, start in enumerate(progress(range(0, len(images), BATCH))):
        layers = inspect_layers(stack, images[start : start + BATCH], draws, seed + number)
        names = [layer.name for layer in layers]
        measured.append([_image_numbers(layer) for layer in layers])
    return [_scores(name, blocks) for name, blocks in zip(names, zip(*measured))]


def _features(encoder, images):
    """Returns `[h_1, …, h_{N-1}, class probabilities]` of images as arrays."""
    parts = [
        encoder.features(tf.constant(images[start : start + BATCH]))
        for start in range(0, len(images), BATCH)
    ]
    *features, logits = [np.concatenate([np.asarray(h) for h in part]) for part in zip(*parts)]
    return [*features, tf.nn.softmax(logits).numpy()]


def _relative_errors(found, h):
    """Returns `||found - h|| / ||h||` of each row, in float64."""
    found, h = (np.reshape(x, (len(x), -1)).astype(np.float64) for x in (found, h))
    return np.linalg.norm(found - h, axis=1) / np.maximum(np.linalg.norm(h, axis=1), TINY)


def _image_numbers(layer):
    """Returns the numbers of each image that the scores need, so that the draws can be freed."""
    variances = layer.variance.reshape(len(layer.drawn), -1).mean(1)
    return layer.relative_errors, layer.unrelated_errors, layer.agrees, variances


def _scores(name, blocks):
    """Returns the `LayerScores` of blocks that `_image_numbers` returned."""
    errors, unrelated, agrees, variances = map(np.concatenate, zip(*blocks))
    lower, median, upper = np.quantile(errors, [0.25, 0.5, 0.75])
    return LayerScores(
        name=name,
        images=errors.shape[0],
        draws=errors.shape[1],
        relative_error=float(median),
        quartiles=(float(lower), float(upper)),
        unrelated_error=float(np.median(unrelated)) if len(unrelated) else None,
        agreement=float(np.mean(agrees)),
        pixel_std=float(np.sqrt(np.mean(variances))),
    )
