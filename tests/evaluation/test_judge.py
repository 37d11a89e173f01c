import dataclasses

import numpy as np
import pytest

from sgan_tf.batches import batches
from sgan_tf.datasets import info
from sgan_tf.evaluation import judge as judges
from sgan_tf.evaluation.judge import judged, small_classifier_accuracy, train_judge


@pytest.mark.slow
def test_the_digits_judge_is_good_and_does_not_depend_on_the_batch_size(reference, digits):
    assert reference.judge_accuracy >= 0.97
    logits, features = judged(reference.judge, digits.test_images, batch_size=7)
    np.testing.assert_allclose(logits, reference.test_logits, atol=1e-4)
    np.testing.assert_allclose(features, reference.test_features, atol=1e-4)


def test_the_data_sets_row_decides_epochs_and_flips(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
    flips, steps = [], []

    def recorded(arrays, size, seed, flip, shift):
        flips.append(flip)
        return batches(arrays, size, seed, flip=flip, shift=shift)

    class Schedule(judges.keras.optimizers.schedules.CosineDecay):
        def __init__(self, rate, decay_steps):
            steps.append(decay_steps)
            super().__init__(rate, decay_steps)

    monkeypatch.setattr(judges, "batches", recorded)
    monkeypatch.setattr(judges.keras.optimizers.schedules, "CosineDecay", Schedule)
    row = dataclasses.replace(info("cifar10"), judge_epochs=3)
    for known in (row, dataclasses.replace(row, judge_epochs=5, flips=False)):
        monkeypatch.setattr(judges, "info", lambda name, known=known: known)
        train_judge(images, np.arange(8) % 2, 2, "cifar10", width=0.1)
    assert flips == [True, False] and steps == [3 * 4, 5 * 4]  # four batches of two an epoch


def test_a_small_classifier_learns_what_its_images_show():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    images = (rng.integers(0, 100, (200, 8, 8, 1)) + 150 * labels[:, None, None, None]).astype(
        np.uint8
    )
    right = small_classifier_accuracy(images, labels, images, labels, 2, "digits")
    wrong = small_classifier_accuracy(images, 1 - labels, images, labels, 2, "digits")
    assert right > 0.95 and wrong < 0.05
