"""Scores of samples on the way: what they say, when, and that training does not feel them."""

import keras
import numpy as np
import pytest
from shared import DIGITS

import sgan_tf
from sgan_tf.evaluation.judge import build_judge, judged
from sgan_tf.evaluation.reference import Reference
from sgan_tf.evaluation.scores import to_json
from sgan_tf.training.scores import Scoring

SCORES = {"fcd200_train", "precision200", "recall200"}
SMALL = ["levels.0.generator.channels=[4]", "levels.0.discriminator.channels=[4]", "batch_size=50"]


@pytest.fixture(scope="module")
def few():
    """A data set of 200 digits."""
    digits = sgan_tf.load_dataset("digits")
    images, labels = digits.train_images[:200], digits.train_labels[:200]
    return sgan_tf.ImageDataset("few", DIGITS, images, labels, images[:20], labels[:20])


@pytest.fixture(scope="module")
def scoring(few):
    """Scores by an untrained judge: its features tell images apart well enough."""
    keras.utils.set_random_seed(0)
    judge = build_judge((8, 8, 1), 10)
    logits, features = judged(judge, few.train_images)
    rows = few.train_images, few.train_labels
    reference = Reference(judge, 0.1, features, rows[1], *rows, logits, features, 0.1)
    return Scoring(reference, every=2, samples=200)


def test_real_images_score_perfectly_and_noise_does_not(few, scoring):
    real = few.train_images / np.float32(255)
    noise = np.random.default_rng(0).random(real.shape)
    perfect, noise = (to_json(scoring.scores(images)) for images in (real, noise))
    assert perfect.keys() == noise.keys() == SCORES
    assert perfect["fcd200_train"] == pytest.approx(0, abs=1e-3)
    assert perfect["precision200"] == perfect["recall200"] == 1
    assert noise["fcd200_train"] > 0.01 and noise["precision200"] < 0.1 and noise["recall200"] < 0.1


def test_conditions_are_those_of_training_images_as_often_as_it_takes(scoring):
    assert sorted(scoring.rows(100)) == sorted([*range(100)] * 2)
    assert len(set(scoring.rows(1000))) == 200


@pytest.mark.slow
def test_epochs_are_scored_and_training_does_not_feel_it(few, scoring, tmp_path):
    def train(name, scoring):
        config = sgan_tf.make_config("digits", epochs=3, overrides=SMALL)
        run = sgan_tf.Run.open(tmp_path / name, config)
        options = sgan_tf.TrainingOptions(sample_every=0, scoring=scoring)
        sgan_tf.Pipeline(config, run, few, options=options).train()
        run.close()
        return [{k: v for k, v in x.items() if k != "seconds"} for x in run.metrics.read()]

    scored, plain = train("scored", scoring), train("plain", None)
    for line in scored:
        # Of three epochs the second, and the last; the encoder makes no samples.
        measured = line["stage"] != "encoder" and line["epoch"] > 1
        assert {k for k in line if k in SCORES} == (SCORES if measured else set()), line
    assert [{k: v for k, v in x.items() if k not in SCORES} for x in scored] == plain
