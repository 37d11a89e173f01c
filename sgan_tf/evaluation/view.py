"""The images that a metric measures: the samples of a stack, or the real test set."""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sgan_tf.evaluation.protocol import LEAST_OF_CLASS, ProgressBars, silent
from sgan_tf.evaluation.reference import Reference
from sgan_tf.models.stacked_gan import StackedGAN


class NetworkOutputs(NamedTuple):
    """The outputs of a published network for images and for training images.

    Attributes:
        logits: float32 `np.ndarray` `[N, K]`. The logits of the images.
        features: float32 `np.ndarray` `[N, D]`. The features of the images.
        train_features: float32 `np.ndarray` `[M, D]`. The features of the training images.
    """

    logits: np.ndarray
    features: np.ndarray
    train_features: np.ndarray


@dataclasses.dataclass(frozen=True)
class View:
    """Images and all that metrics need to know of them. Samples and the test set are one view each.

    Attributes:
        images: uint8 `np.ndarray` `[N, H, W, C]`. The images in random order.
        labels: int32 `np.ndarray` `[N]`. The labels of the images.
        logits: float32 `np.ndarray` `[N, K]`. The judge's logits of the images.
        features: float32 `np.ndarray` `[N, D]`. The judge's features of the images.
        reference: `Reference`. The reference of the data set with its test rows in random order.
            Its test labels are numbers of `class_names`.
        dataset: String. The name of the data set.
        class_names: List of strings. The names of the stack's classes.
        class_images: Integer `np.ndarray`, one number per class. The number of images that the
            scores by class compare. It is the smaller number of the samples and of the test images,
            so that both are measured on equally many.
        samples: Integer. The number of samples. It is part of the scores' names, also of the real
            test set's, whose number of images is N.
        seed: Integer. The seed of the samples.
        levels: Integer. The number of the stack's levels.
        judge_knows: Boolean. Whether the judge knows the stack's classes. Otherwise these are
            clusters, or only one class. Defaults to True.
        stack: `StackedGAN`. The stack that drew the images. Defaults to None, for the real test
            set.
        inception: `NetworkOutputs`. The outputs of Inception. Defaults to None, without the scores
            on the published scale.
        imagenet: `NetworkOutputs`. The outputs of EfficientNet-Lite0, for equally many images and
            training images. Defaults to None, without these scores.
        progress: Function. `progress(what)` returns a wrapper of iterables that shows the progress
            of `what`. Defaults to one that shows nothing.
    """

    images: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    features: np.ndarray
    reference: Reference
    dataset: str
    class_names: list[str]
    class_images: np.ndarray
    samples: int
    seed: int
    levels: int
    judge_knows: bool = True
    stack: StackedGAN | None = None
    inception: NetworkOutputs | None = None
    imagenet: NetworkOutputs | None = None
    progress: ProgressBars = silent

    def by_class(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yields each class with its features.

        A class with fewer than ten images or training images is left out.

        Yields:
            `(name, training features [M, D], features [n, D])`, both in random order. M is the
            number of the class's training images, and n is its number in `class_images`.
        """
        train = np.random.default_rng(0).permutation(len(self.reference.train_labels))
        for c, name in enumerate(self.class_names):
            train_rows = train[self.reference.train_labels[train] == c]
            rows = np.flatnonzero(self.labels == c)[: self.class_images[c]]
            if min(len(train_rows), len(rows)) >= LEAST_OF_CLASS:
                yield name, self.reference.train_features[train_rows], self.features[rows]
