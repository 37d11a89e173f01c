"""Scores that need more images than there are: left out with a line that says so, and alone."""

import dataclasses
import logging

import numpy as np
import pytest
from gallery import Gallery

from sgan_tf.evaluation.evaluate import evaluate
from sgan_tf.evaluation.judge import build_judge, judged
from sgan_tf.evaluation.metrics.classifier_score import classifier_score
from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.metrics.kernel import kernel_distance
from sgan_tf.evaluation.metrics.nearest import nearest_ratio
from sgan_tf.evaluation.metrics.precision_recall import precision_recall
from sgan_tf.evaluation.protocol import Unmeasurable
from sgan_tf.evaluation.reference import Reference
from sgan_tf.evaluation.report import table
from sgan_tf.evaluation.scores import to_json


@pytest.fixture(scope="module")
def tested_on(digits):
    """Function of a number of test images that returns a `Reference`, its judge untrained."""
    judge = build_judge(digits.image_shape, 10, width=0.1)
    _, train_features = judged(judge, digits.train_images)

    def reference(count):
        images, labels = digits.test_images[:count], digits.test_labels[:count]
        seen = judged(judge, images)
        known = (digits.train_labels, images, labels)
        return Reference(judge, 0.1, train_features, *known, *seen, 0.1)

    return reference


def measured(digits, reference, caplog):
    """The scores of real images as samples and of the test images, and what was logged."""
    data = digits.description()
    with caplog.at_level(logging.WARNING, "sgan_tf"):
        evaluation = evaluate(Gallery(digits), reference, data, samples=50)
    return evaluation, [r.getMessage() for r in caplog.records if r.name == "sgan_tf"]


@pytest.mark.slow
def test_three_test_images(digits, tested_on, caplog):
    reference = tested_on(3)
    reference = dataclasses.replace(reference, test_labels=np.int32([1, 1, 2]))
    evaluation, lines = measured(digits, reference, caplog)
    assert lines == [
        "cs, cs_std of the real test set: left out, needs at least 10 images of each kind, and "
        "there are 3",
        "precision, recall of the real test set: left out, needs at least 4 images of each kind, "
        "and there are 3",
    ]
    samples, real = to_json(evaluation.samples), to_json(evaluation.real)
    left = {"cs50_10x5", "cs50_10x5_std", "precision50", "recall50"}
    assert left <= samples.keys() and not left & real.keys()
    assert {"fcd50_test", "kcd50", "sample_accuracy", "class_spread", "nn_ratio"} <= real.keys()
    facts = {
        "settings": {"samples": 50},
        "data": digits.description(),
        "samples": samples,
        "real": real,
    }
    lines = [line.split() for line in table(facts).splitlines()]
    assert ["precision50", f"{samples['precision50']:.4g}", "–"] in lines


@pytest.mark.slow
def test_one_test_image(digits, tested_on, caplog):
    evaluation, lines = measured(digits, tested_on(1), caplog)
    samples, real = to_json(evaluation.samples), to_json(evaluation.real)
    assert np.isfinite([*samples.values(), *real.values()]).all()
    assert "fcd50_train" in samples and "fcd50_test" not in samples
    said = [line.split(": left out, ") for line in lines]
    of_two = "needs at least 2 images of each kind, and there are 1"
    assert ["fcd_test of the samples", of_two] in said
    assert "class_spread of the samples" in [what for what, _ in said]
    (levels,) = [why for what, why in said if what.startswith("spread_h, conditional_spread_h")]
    assert levels == "needs at least 2 test images, of which h_0 differs"
    assert {"kcd50", "precision50", "train_on_fake_accuracy"} <= samples.keys()


def test_formulas_say_how_many_rows_they_need():
    rows = np.random.default_rng(0).normal(size=(50, 3))
    for formula, least in (
        (lambda few: classifier_score(few), 10),
        (lambda few: frechet_distance(rows, few), 2),
        (lambda few: kernel_distance(few, rows), 2),
        (lambda few: precision_recall(rows, few), 4),
    ):
        assert np.isfinite(formula(rows[:least])).all()
        with pytest.raises(Unmeasurable, match=f"at least {least} images of each kind, and there"):
            formula(rows[: least - 1])
    with pytest.raises(Unmeasurable, match="test images that are not in the training set"):
        nearest_ratio(rows[:9], rows, rows[9:20])
