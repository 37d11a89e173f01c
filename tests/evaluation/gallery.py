"""A stack double: real training images in place of generated ones."""

import types

import numpy as np


class Gallery:
    """Shows images of the class that is asked for: all of them, always the same, or of another.

    Args:
        dataset: An `ImageDataset`.
        collapsed: Show one image a class.
        wrong_labels: Show images of classes that were not asked for.
    """

    def __init__(self, dataset, collapsed=False, wrong_labels=False):
        self.dataset, self.collapsed, self.wrong_labels = dataset, collapsed, wrong_labels
        self.encoder = types.SimpleNamespace(image_shape=dataset.image_shape)
        self.levels = [types.SimpleNamespace(index=0, estimate_noise=self._estimate_noise)]

    @staticmethod
    def _estimate_noise(h):
        return np.full((len(h), 4), 0.5)

    def noise(self, count, seed):
        return [np.random.default_rng(seed).random((count, 4))]

    def decode(self, labels, noise):
        classes = range(len(self.dataset.class_names))
        by_class = [np.flatnonzero(self.dataset.train_labels == c) for c in classes]
        if self.wrong_labels:
            labels = (9301 * np.arange(len(labels))) // 7 % len(by_class)
        choice = (noise[0][:, 0] * 100_000).astype(int) * (not self.collapsed)
        rows = [by_class[label][c % len(by_class[label])] for label, c in zip(labels, choice)]
        return self.dataset.train_images[rows] / np.float32(255)

    def sample(self, labels, seed, first=0):
        return self.decode(labels, [self.noise(first + len(labels), seed)[0][first:]])

    def features(self, labels, noise, level):
        return self.decode(labels, noise)

    def infer_noise(self, images):
        return types.SimpleNamespace(features=[])
