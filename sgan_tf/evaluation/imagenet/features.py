"""EfficientNet-Lite0's features of images of any size; those of a data set's images are cached."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import layers, ops

from sgan_tf.evaluation.imagenet.efficientnet import SIDE, efficientnet_lite0
from sgan_tf.evaluation.judge import judged
from sgan_tf.evaluation.protocol import LEAST_SAMPLES, EvaluationError, ProgressBars, silent
from sgan_tf.evaluation.reference import read_arrays, write_arrays
from sgan_tf.evaluation.view import NetworkOutputs, View

BATCH = 50
VERSION = 1  # of the network, of the preprocessing and of the file


@dataclasses.dataclass(frozen=True)
class ImageNetReference:
    """EfficientNet-Lite0's outputs for equally many training and test images.

    Attributes:
        network: Keras model. What `imagenet_network` returned.
        train_features: float32 `np.ndarray` `[N, 1280]`. The features of the training images.
        test_logits: float32 `np.ndarray` `[N, 1000]`. The logits of the test images.
        test_features: float32 `np.ndarray` `[N, 1280]`. The features of the test images.
    """

    network: keras.Model
    train_features: np.ndarray
    test_logits: np.ndarray
    test_features: np.ndarray


def imagenet_network(image_shape: tuple[int, int, int]) -> keras.Model:
    """Builds EfficientNet-Lite0 for images of any size, gray or in color.

    Images are resized to 224 x 224 pixels by bicubic interpolation. Larger images are antialiased,
    and images that are not square are squashed. Gray images become three equal channels.

    Args:
        image_shape: Tuple. `(H, W, C)` of the images. C is 1 or 3.

    Returns:
        A Keras model: images float32 `[N, H, W, C]` in [0, 1] -> `(logits [N, 1000], features [N,
        1280])`, which `judged` runs on uint8 images.

    Raises:
        EvaluationError: when the weights are not installed or have another checksum.
    """
    classifier = efficientnet_lite0()
    features = classifier.get_layer("features").output
    network = keras.Model(classifier.input, [classifier.output, features])
    inputs = keras.Input(image_shape)
    outputs = network(resized(inputs))
    return keras.Model(inputs, outputs, name="imagenet")


def resized(images: keras.KerasTensor | np.ndarray) -> keras.KerasTensor:
    """Converts images to the size, channels and range that EfficientNet-Lite0 takes.

    Args:
        images: Float tensor or `np.ndarray` `[N, H, W, C]` in [0, 1]. C is 1 or 3.

    Returns:
        Float tensor `[N, 224, 224, 3]` in [0, 255].
    """
    colored = ops.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
    resize = layers.Resizing(SIDE, SIDE, interpolation="bicubic", antialias=True)
    return ops.clip(resize(255 * colored), 0, 255)  # bicubic interpolation overshoots


def imagenet_reference(
    network: keras.Model,
    cache_dir: str | os.PathLike,
    data: dict,
    count: int,
    test_images: np.ndarray,
    train_images: Callable[[], np.ndarray],
    progress: ProgressBars = silent,
) -> ImageNetReference:
    """Measures real images, or reads their features from the cache.

    Args:
        network: Keras model. What `imagenet_network` returned.
        cache_dir: Path. The folder of the cache.
        data: Dictionary. What `ImageDataset.description` returned.
        count: Integer. The largest number of training and of test images that are measured. Both
            numbers are equal, and smaller if the data set has fewer images of either.
        test_images: uint8 `np.ndarray` `[M, H, W, C]`. The test images.
        train_images: Function without arguments that returns the training images, uint8 `[N, H, W,
            C]`. It is not called if the cache has the features.
        progress: Function. `progress(what)` returns a wrapper of iterables that shows the progress
            of `what`. Defaults to one that shows nothing.

    Returns:
        The `ImageNetReference`.

    Raises:
        EvaluationError: when there are too few images, or the cache cannot be written.
    """
    count = min(count, data["train_images"], data["test_images"])
    if count < LEAST_SAMPLES:
        raise EvaluationError(
            f"`imagenet`: scores of {count} images say nothing; at least {LEAST_SAMPLES} training "
            "images and test images are needed"
        )
    path = _path(cache_dir, data)
    arrays = read_arrays(path)
    if arrays is None or len(arrays["train_features"]) < count:
        train, test = (_random_images(images, count) for images in (train_images(), test_images))
        bar = progress("ImageNet network on training images")
        _, train_features = judged(network, train, BATCH, bar)
        bar = progress("ImageNet network on test images")
        test_logits, test_features = judged(network, test, BATCH, bar)
        arrays = {
            "train_features": train_features,
            "test_logits": test_logits,
            "test_features": test_features,
        }
        write_arrays(path, arrays)
    return ImageNetReference(network, **{name: rows[:count] for name, rows in arrays.items()})


def _path(cache_dir, data):
    name, side = data["name"], data["image_shape"][0]
    return pathlib.Path(cache_dir) / f"{name}-{side}-{data['crc32']}-imagenet-v{VERSION}.npz"


def _random_images(images, count):
    """Chooses images at random. A lower count chooses the first of the same images."""
    return images[np.random.default_rng(0).permutation(len(images))[:count]]


def imagenet_views(reference: ImageNetReference, samples: View, real: View) -> Iterator[View]:
    """Adds EfficientNet-Lite0's outputs to the views of samples and of the real test set.

    Both are measured on equally many images: the smaller number of the samples and the reference.

    Args:
        reference: `ImageNetReference`. The reference of the data set.
        samples: `View`. The samples.
        real: `View`. The real test set.

    Yields:
        `View`. The samples, then the real test set.
    """
    count = min(len(samples.images), len(reference.train_features))
    bar = samples.progress("ImageNet network on samples")
    sampled = judged(reference.network, samples.images[:count], BATCH, bar)
    tested = reference.test_logits[:count], reference.test_features[:count]
    for view, outputs in ((samples, sampled), (real, tested)):
        known = NetworkOutputs(*outputs, reference.train_features[:count])
        yield dataclasses.replace(view, imagenet=known)
