"""A short training learns: right classes, and images that differ for one condition."""

import numpy as np
import pytest

import sgan_tf
from sgan_tf.evaluation.evaluate import draw_samples, evaluate
from sgan_tf.evaluation.judge import accuracy, judged
from sgan_tf.evaluation.metrics.frechet import frechet_distance
from sgan_tf.evaluation.scores import to_json

EPOCHS = {"encoder": 20, "levels.0": 25, "levels.1": 30, "joint": 0}


@pytest.mark.slow
def test_a_short_training_learns_the_classes_and_uses_its_noise(digits, reference, tmp_path):
    overrides = [f"{stage}.epochs={epochs}" for stage, epochs in EPOCHS.items()]
    config = sgan_tf.make_config("digits", overrides=overrides)
    run = sgan_tf.Run.open(tmp_path / "run", config)
    untrained = sgan_tf.build(config, digits.image_shape, digits.class_names)[1]
    options = sgan_tf.TrainingOptions(sample_every=0)
    stack = sgan_tf.Pipeline(config, run, digits, options=options).train()
    images, labels = draw_samples(untrained, digits.train_labels, 1000, seed=0)
    logits, features = judged(reference.judge, images)
    after = to_json(evaluate(stack, reference, digits.description(), 1000).samples)
    assert accuracy(logits, labels) < 0.3 and after["sample_accuracy"] > 0.8
    assert after["fcd1k_train"] < 0.2 * frechet_distance(reference.train_features, features)
    assert after["precision1k"] > 0.3 and after["recall1k"] > 0.3
    for level in range(2):
        assert 0.2 < after[f"conditional_spread_h_{level}"] < 1.5
    losses = [line for line in run.metrics.read() if line["stage"] == "level0"]
    assert losses[-1]["ent_0"] < 0.5 / 12 < losses[0]["ent_0"]
    assert np.isfinite(list(after.values())).all()
