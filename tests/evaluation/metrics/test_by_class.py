"""Scores inside each class: against NumPy, and what they show that a mixture hides."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
from scipy.spatial import distance

from sgan_tf.evaluation.metrics import class_images, frechet_by_class, precision_recall_by_class
from sgan_tf.evaluation.reference import Reference
from sgan_tf.evaluation.scores import to_json
from sgan_tf.evaluation.view import View

NAMES = ["cat", "hot_dog", "dog"]
DIM, TRAIN, TEST = 3, 90, 40
CENTRES = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]], np.float32)


def draw(per_class, seed, spreads=(1, 1, 1)):
    """Features around each class's centre, and their labels, in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(3), per_class)).astype(np.int32)
    noise = rng.normal(size=(len(labels), DIM)) * np.asarray(spreads)[labels][:, None]
    return (CENTRES[labels] + noise).astype(np.float32), labels


@pytest.fixture
def view():
    """300 samples, of which those of `dog` are all alike, seen beside 3 x 40 test images."""
    train, train_labels = draw(TRAIN, 0)
    test, test_labels = draw(TEST, 1)
    features, labels = draw(100, 2, spreads=(1, 1, 0.01))
    none = np.zeros(0)
    reference = Reference(
        None, 1.0, train, train_labels, none, test_labels, none, test_features=test,
        train_on_real_accuracy=1.0,
    )  # fmt: skip
    return View(
        images=none,
        labels=labels,
        logits=none,
        features=features,
        reference=reference,
        dataset="folder",
        class_names=NAMES,
        class_images=np.array([TEST, TEST, TEST]),
        samples=300,
        seed=0,
        levels=1,
    )


def rows_of(view, c):
    """What NumPy takes of a class: all training features, and as many of its own as tested."""
    reference = view.reference
    own = view.features[view.labels == c][: view.class_images[c]]
    return reference.train_features[reference.train_labels == c].astype(float), own.astype(float)


def test_frechet_distances_by_class_against_numpy(view):
    scores = to_json(frechet_by_class.measure(view))
    expected = []
    for c in range(3):
        a, b = rows_of(view, c)
        ca, cb = (np.cov(x.T) for x in (a, b))
        means = np.sum((a.mean(0) - b.mean(0)) ** 2)
        expected.append(means + np.trace(ca + cb - 2 * scipy.linalg.sqrtm(ca @ cb).real))
    assert list(scores) == ["fcd300_class", *(f"fcd300_class_{name}" for name in NAMES)]
    assert list(scores.values())[1:] == pytest.approx(expected, rel=1e-4)
    assert scores["fcd300_class"] == pytest.approx(np.mean(expected), rel=1e-4)
    assert scores["fcd300_class_dog"] > 3 * scores["fcd300_class_cat"]


def test_precision_and_recall_by_class_against_scipy(view):
    view = dataclasses.replace(  # all training rows are taken: their order says nothing
        view, class_images=np.array([TRAIN, TRAIN, TRAIN])
    )
    scores = to_json(precision_recall_by_class.measure(view))
    for c, name in enumerate(NAMES):
        real, fake = rows_of(view, c)
        assert len(real) == len(fake) == TRAIN
        radii = [np.sort(distance.cdist(x, x), 1)[:, 3] for x in (real, fake)]
        across = distance.cdist(real, fake)
        assert scores[f"precision300_class_{name}"] == pytest.approx(
            (across <= radii[0][:, None]).any(0).mean()
        )
        assert scores[f"recall300_class_{name}"] == pytest.approx(
            (across <= radii[1]).any(1).mean()
        )
    for score in ("precision300_class", "recall300_class"):
        assert scores[score] == pytest.approx(np.mean([scores[f"{score}_{n}"] for n in NAMES]))
    # A class whose samples are all alike: good ones, but they cover nothing.
    assert scores["precision300_class_dog"] > 0.9 and scores["recall300_class_dog"] < 0.1
    assert scores["recall300_class_cat"] > 0.7


def test_samples_and_test_images_are_compared_on_as_many(view):
    real = dataclasses.replace(
        view, features=view.reference.test_features, labels=view.reference.test_labels
    )
    many, few = (list(v.by_class()) for v in (view, real))
    assert [len(own) for _, _, own in many] == [len(own) for _, _, own in few] == [TEST] * 3
    assert [len(train) for _, train, _ in many] == [TRAIN] * 3
    for (_, train, own), centre in zip(many, CENTRES):
        np.testing.assert_allclose([train.mean(0), own.mean(0)], [centre] * 2, atol=0.5)
    counts = to_json(class_images.measure(view))
    assert counts == {f"class_images_{name}": TEST for name in NAMES}


def test_a_class_of_too_few_images_has_no_scores(view):
    view = dataclasses.replace(view, class_images=np.array([9, 40, 0]))
    measured = [*frechet_by_class.measure(view), *precision_recall_by_class.measure(view)]
    scores = to_json(measured)
    assert {name for name in scores if name.startswith("fcd")} == {
        "fcd300_class",
        "fcd300_class_hot_dog",
    }
    assert scores["recall300_class"] == scores["recall300_class_hot_dog"]
    none = dataclasses.replace(view, class_images=np.zeros(3, int))
    assert frechet_by_class.measure(none) == precision_recall_by_class.measure(none) == []
