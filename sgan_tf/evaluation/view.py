"""What a metric sees: the samples of a stack, or the real test set in their place."""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sgan_tf.evaluation.protocol import LEAST_OF_CLASS, ProgressBars, silent
from sgan_tf.evaluation.reference import Reference
from sgan_tf.models.stacked_gan import StackedGAN


class NetworkOutputs(NamedTuple):
    """What a published network sees in the images, and in training images."""

    logits: np.ndarray  # [N, K]
    features: np.ndarray  # [N, D]
    train_features: np.ndarray  # [M, D]


@dataclasses.dataclass(frozen=True)
class View:
    """Images and all that is known of them; samples and the real test set are each seen as one.

    Attributes:
        images, labels: uint8 `[N, H, W, C]` and int32 `[N]`, in random order.
        logits, features: What the judge sees in them, float32 `[N, K]` and `[N, D]`.
        reference: The data set's `Reference`, its test rows in random order, as `class_names` are.
        dataset: The data set's name.
        class_names: K strings, of the stack's classes.
        class_images: Integers `[K]`: how many images of each class the scores by class compare: the
            fewer of the samples and of the test images, so that both are measured on as many.
        samples: How many samples were asked for. It is part of scores' names, of the real test
            set's too, whose own number of images is N.
        seed: Of the samples.
        levels: Number of the stack's levels.
        judge_knows: The judge knows the stack's classes; else these are clusters, or one.
        stack: The `StackedGAN` that drew the images; None where they are the real test set.
        inception: `NetworkOutputs` of Inception. None unless the published scale was asked for.
        imagenet: `NetworkOutputs` of EfficientNet-Lite0, of as many images as training images. None
            unless these scores were asked for.
        progress: `progress(what)` returns a wrapper of iterables that shows how far `what` is.
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
        """Yields each class's name, its training features `[M, D]` and its own `[n, D]`.

        n is the class's `class_images`, M the number of its training images, which stand in random
        order too. A class of fewer than ten of either is left out.
        """
        train = np.random.default_rng(0).permutation(len(self.reference.train_labels))
        for c, name in enumerate(self.class_names):
            known = train[self.reference.train_labels[train] == c]
            own = np.flatnonzero(self.labels == c)[: self.class_images[c]]
            if min(len(known), len(own)) >= LEAST_OF_CLASS:
                yield name, self.reference.train_features[known], self.features[own]
