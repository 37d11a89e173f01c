import dataclasses

import numpy as np
import pytest
from gallery import Gallery

from sgan_tf.data.batches import batches
from sgan_tf.data.datasets import ImageDataset, info
from sgan_tf.evaluation import judge as judges
from sgan_tf.evaluation.judge import judged, small_classifier_accuracy, train_judge
from sgan_tf.evaluation.metrics import train_on_fake
from sgan_tf.evaluation.reference import load_reference, make_reference
from sgan_tf.evaluation.view import View


@pytest.mark.slow
def test_the_digits_judge_is_good_and_does_not_depend_on_the_batch_size(reference, digits):
    assert reference.judge_accuracy > 0.95  # about 0.983 of 300 images
    logits, features = judged(reference.judge, digits.test_images, batch_size=7)
    np.testing.assert_allclose(logits, reference.test_logits, atol=1e-4)
    np.testing.assert_allclose(features, reference.test_features, atol=1e-4)


@pytest.fixture
def flips(monkeypatch):
    """Whether images are mirrored, of each classifier that is trained: a list that grows."""
    flips = []

    def recorded(arrays, size, seed, flip, shift):
        flips.append(flip)
        return batches(arrays, size, seed, flip=flip, shift=shift)

    monkeypatch.setattr(judges, "batches", recorded)
    return flips


@pytest.mark.slow
def test_the_data_sets_row_decides_epochs_and_flips(monkeypatch, flips):
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
    steps = []

    class Schedule(judges.keras.optimizers.schedules.CosineDecay):
        def __init__(self, rate, decay_steps):
            steps.append(decay_steps)
            super().__init__(rate, decay_steps)

    monkeypatch.setattr(judges.keras.optimizers.schedules, "CosineDecay", Schedule)
    row = dataclasses.replace(info("cifar10"), judge_epochs=3)
    for known in (row, dataclasses.replace(row, judge_epochs=5, flips=False)):
        monkeypatch.setattr(judges, "info", lambda name, known=known: known)
        train_judge(images, np.arange(8) % 2, 2, "cifar10", width=0.1)
    assert flips == [True, False] and steps == [3 * 4, 5 * 4]  # four batches of two an epoch


@pytest.mark.slow
@pytest.mark.parametrize("flip", [False, True])
def test_every_classifier_of_own_images_mirrors_them_as_the_run_does(flip, flips, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
    labels = np.arange(8, dtype=np.int32) % 2
    data = ImageDataset("folder", ["p", "q"], images, labels, images, labels)
    assert load_reference(tmp_path, data.description(), flip) is None
    made = make_reference(tmp_path, data, flip=flip)
    again = load_reference(tmp_path, data.description(), flip)
    assert again.flip == made.flip == flip
    assert load_reference(tmp_path, data.description(), not flip) is None  # another judge's
    train_on_fake.measure(samples(data, again))
    assert flips == [flip] * 3  # judge, small classifier on real images, on samples


def samples(data, reference):
    logits = np.zeros((8, 2), np.float32)
    return View(
        images=data.train_images,
        labels=data.train_labels,
        logits=logits,
        features=logits,
        reference=reference,
        dataset=data.name,
        class_names=data.class_names,
        class_images=np.bincount(data.test_labels, minlength=2),
        samples=8,
        seed=0,
        levels=1,
        stack=Gallery(data),
    )


@pytest.mark.slow
def test_a_small_classifier_learns_what_its_images_show():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    images = (rng.integers(0, 100, (200, 8, 8, 1)) + 150 * labels[:, None, None, None]).astype(
        np.uint8
    )
    right = small_classifier_accuracy(images, labels, images, labels, 2, "digits")
    wrong = small_classifier_accuracy(images, 1 - labels, images, labels, 2, "digits")
    assert right > 0.95 and wrong < 0.05
